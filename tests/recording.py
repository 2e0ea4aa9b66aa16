"""What this release leaves for other processes, each form of it as one document: ``tests/recorded/<version>``.

``python -m tests.recording`` writes the record of this version, once it is to be released; that of a release that
CHANGELOG.md names is never written again. ``tests/test_recorded.py`` reads all of them with the code of today.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import structs

from airflow_provider_ims import __version__
from airflow_provider_ims.cli.notes import FileNotes
from airflow_provider_ims.copying import Submission
from airflow_provider_ims.idempotency import Fingerprint, Order, copy_key
from airflow_provider_ims.models import Token
from airflow_provider_ims.settings import Settings
from airflow_provider_ims.shelves import Files
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.seeds import KEY, PLAIN_IMAGE
from airflow_provider_ims.token_store import FAILURE_LASTS, FailedLogIns, TokenStore
from airflow_provider_ims.triggers import ImageTrigger
from tests.model.kept import NAME, Deferral
from tests.model.sensors import deferred, rescheduled
from tests.model.task import Task
from tests.model.watchers import first_look
from tests.model.worker import SkewedWorld

RECORDED = Path(__file__).parent / "recorded"
CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"
CONNECTION: dict[str, Any] = {
    "login": "ims-operator",
    "password": "not a secret",
    "extra": {"region": "eu-de", "domain_name": "OTC-EU-DE-00000000001000000000"},
}
WATCHED: dict[str, Any] = {"name": "golden-*", "image_type": "private"}


def deferral_of(task: Task) -> dict[str, Any]:
    assert task.deferral
    stored = asdict(task.deferral)
    return {name: stored[name] for name in Deferral.STORED}


def noted_by(task: Task) -> dict[str, Any]:
    return {key: json.loads(value) for key, value in task.kept.items()}


def made_by(task: Task) -> dict[str, str]:
    """What the cloud has of a task's copy."""
    (image,) = task.world.usable_copies()
    assert image.job
    names = ("id", "name", "description", "cmk_id")
    return {f"image_{name}": getattr(image, name) for name in names} | {"job_id": image.job.id}


def copying(**arguments: Any) -> dict[str, Any]:
    """A copy that is waited for: when it is deferred, what is noted, and what its trigger tells."""
    world = SkewedWorld(copy_seconds=100.0)
    task = Task(world, "a_run", has_store=True, wait_for_completion=True, cmk_id=KEY, **arguments)
    task.start()
    task.go()
    assert task.deferral
    record = {"arguments": task.arguments, "deferral": deferral_of(task), "notes": noted_by(task)}
    return record | {"cloud": made_by(task), "event": task.event(task.deferral)}


def failing() -> dict[str, Any]:
    """A copy whose job fails."""
    world = SkewedWorld(copy_seconds=100.0, fail_code="IMG.0099", fail_reason="The key is gone.")
    task = Task(world, "a_run", has_store=True, wait_for_completion=True)
    task.start()
    task.go()
    assert task.deferral
    return {"arguments": task.arguments, "deferral": deferral_of(task), "event": task.event(task.deferral)}


def throttled() -> dict[str, Any]:
    """A copy that waits for a free slot."""
    task = Task(SkewedWorld(concurrent_copies=0), "a_run", has_store=True, wait_for_completion=False)
    task.start()
    task.go()
    assert task.deferral
    record = {"arguments": task.arguments, "deferral": deferral_of(task), "notes": noted_by(task)}
    return record | {"event": task.event(task.deferral)}


def lost() -> dict[str, Any]:
    """A copy whose worker has died before it knew the answer."""
    world = SkewedWorld(copy_seconds=100.0, image_appears="submit")
    task = Task(world, "a_run", has_store=True, wait_for_completion=True)
    task.start()
    task.go(until="after copy")
    task.kill()
    return {"arguments": task.arguments, "notes": noted_by(task), "cloud": made_by(task)}


def watching() -> dict[str, Any]:
    """What a watcher keeps of the images that are no news."""
    world, store = SkewedWorld(images=0), dict[str, Any]()
    image = world.cloud.add_image("golden-old")
    asyncio.run(first_look(world, store, WATCHED))
    path, kwargs = ImageTrigger(**WATCHED).serialize()
    return {"path": path, "kwargs": kwargs, "store": store, "image_id": image.id}


def tokens() -> dict[str, Any]:
    """The files of a token and of a refused log-in, each sealed, with what they hold."""
    world = SkewedWorld()
    who, now = Settings.of("ims_default", **CONNECTION).credentials, world.now
    token = Token("MIIsecret", now, now + timedelta(hours=24), "0215ef11e49d4743", {"eu-de": "https://ims.example"})
    refused = FailedLogIns("Wrong password.", now + FAILURE_LASTS, "IAM.0062", "req-1", (who.project,), 1)
    with tempfile.TemporaryDirectory() as folder:
        store = TokenStore(Files(Path(folder)))
        store.write(who, token)
        store.write(who.login, refused)
        files = {path.name: path.read_text() for path in Path(folder).iterdir()}
    kept = json.loads(json.dumps([structs.asdict(token), structs.asdict(refused)], default=datetime.isoformat))
    return {"connection": CONNECTION, "files": files, "kept": kept}


def command_line() -> dict[str, Any]:
    """What ``airflow ims copy`` has noted of the copy that it has begun."""
    world = SkewedWorld(copy_seconds=100.0)
    order = Order(f"airflow ims copy {PLAIN_IMAGE} {NAME}", PLAIN_IMAGE, NAME)
    with tempfile.TemporaryDirectory() as folder:
        notes = FileNotes(Path(folder), "a copy", {"name": NAME, "cmk_id": None})
        job_id = world.perform(Submission(world.client, order, notes).submit(notes.read()))
        document = json.loads(notes.path.read_text())
    (job,) = world.cloud.jobs
    made = world.cloud.state.images[job.image_id]
    cloud = {"image_id": made.id, "image_name": made.name, "image_description": made.description, "image_cmk_id": ""}
    return {"file": notes.path.name, "document": document, "cloud": cloud | {"job_id": job_id}}


def fingerprints() -> list[dict[str, Any]]:
    """The fingerprints of copies, which live as long as their images."""
    task = copy_key("a_dag", "a_run", "a_task", -1, clearing="2s1", started="2026-01-31T23:00:00+00:00")
    keys = [(key, attempt) for key in ("golden", task) for attempt in (0, 2)]
    return [
        {
            "key": key,
            "image_id": PLAIN_IMAGE,
            "attempt": attempt,
            "word": str(Fingerprint.of(key, PLAIN_IMAGE, attempt)),
        }
        for key, attempt in keys
    ]


def looks() -> dict[str, Any]:
    """A sensor's deferral, and what one that is rescheduled has noted of its looks."""
    world = SkewedWorld(copy_seconds=100.0)
    task = Task(world, "a_run", has_store=True, wait_for_completion=False)
    task.start()
    task.go()
    record = {"cloud": made_by(task)} | deferred(world, made_by(task)["job_id"])
    world.cloud.faults.add(Fault("job", "status", status=503))
    return record | {"notes": rescheduled(world, made_by(task)["job_id"])}


SCENES: dict[str, Callable[[], Any]] = {
    "copy": copying,
    "copy_that_ends_in_the_triggerer": lambda: copying(end_in_triggerer=True),
    "copy_that_fails": failing,
    "copy_without_a_slot": throttled,
    "copy_whose_worker_died": lost,
    "sensor": looks,
    "watcher": watching,
    "tokens": tokens,
    "command_line": command_line,
    "fingerprints": fingerprints,
}


def main() -> int:
    folder = RECORDED / __version__
    if folder.exists() and f"## [{__version__}]" in CHANGELOG.read_text():
        print(f"{__version__} is released: its record stays as it is. Raise __version__ first.", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    for name, scene in SCENES.items():
        (folder / f"{name}.json").write_text(json.dumps(scene(), indent=1) + "\n")
    print(f"Recorded in {folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
