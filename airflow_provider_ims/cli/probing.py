"""``airflow ims probe``: asks, has the probe run, and writes down what came of it, whatever ended it."""

from __future__ import annotations

import logging
import os
from argparse import Namespace
from pathlib import Path

from airflow_provider_ims.cli.notes import FileNotes
from airflow_provider_ims.cli.terminal import command
from airflow_provider_ims.errors import ArgumentError, ImsError
from airflow_provider_ims.hooks.base import ImsBaseHook
from airflow_provider_ims.hooks.connection import airflow_home
from airflow_provider_ims.models import JobStatus
from airflow_provider_ims.probe.questions import Answer, answered
from airflow_provider_ims.probe.report import report, settings_file
from airflow_provider_ims.probe.running import Plan, Probe
from airflow_provider_ims.settings import Settings

log = logging.getLogger(__name__)


@command
def probe(args: Namespace) -> int:
    """Copy an image once, and see what the documentation leaves open."""
    with ImsBaseHook(args.conn_id) as hook:
        return probe_with(hook, args)


def probe_with(hook: ImsBaseHook, args: Namespace) -> int:
    """The command, with this hook; returns the exit status."""
    if not args.yes and not args.said.can_ask:
        raise ArgumentError("It asks before it makes anything, and there is no terminal: give --yes.")
    at = hook.client.now()
    path = Path(args.report or f"ims-probe-{at:%Y%m%dT%H%M%SZ}.md")
    if path.suffix == ".json" or not path.parent.is_dir():
        raise ArgumentError(f"--report is {str(path)!r}: give a file in a folder that is there, such as probe.md.")
    for file in (path, path.with_suffix(".json")):
        if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
            raise ArgumentError(f"--report is {str(path)!r}: {file} cannot be written; give a file that can.")
    plan = Plan(args.image_id.lower(), args.duplicate_name, args.concurrency, args.poll_interval, args.timeout)
    store = FileNotes(airflow_home() / "ims-probes", _place(hook.client.settings), {})
    with store.held():
        run = Probe(hook, plan, store, (lambda question: True) if args.yes else args.said.ask)
        args.on_interrupt = lambda: _left(run) or "Nothing is left."
        return _run(run, hook, args, path)


def _run(run: Probe, hook: ImsBaseHook, args: Namespace, path: Path) -> int:
    problem, wanted, has_report = "It was interrupted.", False, False
    try:
        wanted = run.run()
        problem = ""
    except ImsError as error:
        problem = f"It ended early: {error}"
        raise
    finally:
        found = list(answered(run.seen))
        if wanted or problem:
            has_report = _write(run, found, hook, path, problem)
        if left := _left(run):
            log.warning("%s", left)
    if not wanted:
        log.info("Nothing was copied.")
        return 1
    args.show([_shown(each) for each in found])
    failed = any(look.status is JobStatus.FAIL for look in run.seen.looks)
    return 1 if failed or run.left or not has_report else 0


def _write(run: Probe, found: list[Answer], hook: ImsBaseHook, path: Path, problem: str) -> bool:
    """Write both files; where that fails, say so, return False, and go on with what ended the probe."""
    settings = path.with_suffix(".json")
    client = hook.client
    try:
        path.write_text(report(run.seen, found, client.settings.credentials, client.now(), problem), encoding="utf-8")
        settings.write_text(settings_file(found), encoding="utf-8")
    except OSError as error:
        log.error("The report cannot be written: %s", error)
        return False
    log.info("Report: %s; for the simulator: --settings %s", path, settings)
    return True


def _left(run: Probe) -> str:
    """What is left, and how it is deleted."""
    if not run.left:
        return ""
    ways = "the next `airflow ims probe` offers to delete it; or delete it in IMS, among the private images"
    return f"Left in the cloud: {'; '.join(map(str, run.left))}. Once it is active {ways}."


def _shown(each: Answer) -> dict[str, object]:
    value = each.value if each.question.is_setting else None
    return {"question": each.question.name, "verdict": each.verdict, "seen": each.seen, "setting": value}


def _place(settings: Settings) -> str:
    return f"{settings.credentials.identity} {settings.region} {settings.ims_url}"
