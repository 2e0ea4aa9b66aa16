"""``airflow ims probe`` against a simulated cloud without a socket, on a clock that moves only when told."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_ims.cli.definition import PROBE
from airflow_provider_ims.cli.probing import probe_with
from airflow_provider_ims.errors import ImsError
from airflow_provider_ims.hooks.base import ImsBaseHook
from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.world import World


class OnWorld(ImsBaseHook):
    """The hook of a connection to a world. ``before`` is told of each request, and may raise."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.client = world.client
        self.before: Callable[[Request], None] = lambda request: None

    def send(self, request: Request) -> Response:
        self.before(request)
        answer: Response = self.world.carry_out(request)
        return answer

    def sleep(self, seconds: float) -> None:
        self.world.wait(seconds)


class Terminal:
    """Who sits there, and what was asked: says yes to questions with one of these words in it."""

    can_ask = True

    def __init__(self, *yes: str) -> None:
        self.yes = yes
        self.asked: list[str] = []

    def ask(self, question: str) -> bool:
        self.asked.append(question)
        return any(word in question for word in self.yes)


@dataclass
class Probed:
    """What came of a run: exit status or error, what was printed, and the two files, blank where there are none."""

    status: int | None
    error: BaseException | None
    rows: list[dict[str, Any]]
    report: str
    settings: dict[str, Any]
    terminal: Terminal
    on_interrupt: str

    def row(self, question: str) -> dict[str, Any]:
        (found,) = (row for row in self.rows if row["question"] == question)
        return found


def probe(hook: OnWorld, home: Path, *flags: str, terminal: Terminal | None = None, image: str = PLAIN_IMAGE) -> Probed:
    """Run the command as its parser reads these flags; ``--yes`` unless somebody sits at a terminal."""
    parser = argparse.ArgumentParser()
    for arg in PROBE.args:
        arg.add_to_parser(parser)
    path = home / "probe.md"
    args = parser.parse_args(["--image", image, "--report", str(path), *flags, *(() if terminal else ["--yes"])])
    rows: list[dict[str, Any]] = []
    args.show, args.said = rows.extend, terminal or Terminal()
    args.on_interrupt = lambda: ""
    status, error = None, None
    try:
        status = probe_with(hook, args)
    except (ImsError, KeyboardInterrupt) as problem:
        error = problem
    report = path.read_text() if path.exists() else ""
    settings = json.loads(path.with_suffix(".json").read_text()) if report else {}
    for file in (path, path.with_suffix(".json")):
        file.unlink(missing_ok=True)
    return Probed(status, error, rows, report, settings, args.said, args.on_interrupt())


def copies(world: World) -> list[str]:
    return [image["name"] for image in world.cloud.copies()]


def noted(home: Path) -> list[Any]:
    """What the notes on disk say is not deleted."""
    return [copy for file in (home / "ims-probes").glob("*.json") for copy in json.loads(file.read_text())["copies"]]
