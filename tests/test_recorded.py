"""What earlier releases have left is taken up by this one, and what this one leaves is as its record says.

Where the last test fails, a form has changed. Older releases must still read it, for in an upgrade both run: a key that
is new needs no more than a new record; of any other change the form's version must tell (``versions.py``).
"""

from __future__ import annotations

import asyncio
import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from airflow.models.trigger import Trigger
from airflow.sdk.exceptions import AirflowRescheduleException
from airflow.serialization.decoders import smart_decode_trigger_kwargs
from msgspec.structs import asdict

from airflow_provider_ims import __version__, triggers
from airflow_provider_ims.cli.notes import FileNotes
from airflow_provider_ims.copying import Submission
from airflow_provider_ims.errors import JobFailedError
from airflow_provider_ims.idempotency import Fingerprint, Order
from airflow_provider_ims.settings import Settings
from airflow_provider_ims.shelves import Files
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.nouns import CopyJob, StoredImage
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from airflow_provider_ims.token_store import TokenStore
from tests.model.kept import Deferral
from tests.model.sensors import context_of, sensor
from tests.model.task import Task
from tests.model.triggerer import fire
from tests.model.watchers import first_look
from tests.model.worker import SkewedWorld
from tests.recording import RECORDED, SCENES
from tests.shells import StateStore, fails_with

RELEASES = sorted(folder.name for folder in RECORDED.iterdir())
each_release = pytest.mark.parametrize("release", RELEASES)


def record(release: str, scene: str) -> Any:
    return json.loads((RECORDED / release / f"{scene}.json").read_text())


def named(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def world_with(made: dict[str, str]) -> SkewedWorld:
    """A cloud in which a recorded copy has just been made."""
    world = SkewedWorld()
    owner, now = world.cloud.settings.project_id, world.now
    name, image_id = made["image_name"], made["image_id"]
    job = CopyJob(made["job_id"], owner, PLAIN_IMAGE, image_id, name, now, now, now)
    about: dict[str, Any] = {"description": made["image_description"], "cmk_id": made["image_cmk_id"]}
    world.cloud.state.jobs[job.id] = job
    world.cloud.state.images[image_id] = StoredImage(image_id, name, owner, now, job=job, **about)
    return world


def read_by_airflow(deferral: dict[str, Any]) -> dict[str, Any]:
    """A deferral as a triggerer and a worker get it from the database."""
    assert named(deferral["path"]) in (triggers.JobTrigger, triggers.SlotTrigger)
    kwargs = Trigger._decrypt_kwargs(json.dumps(deferral["kwargs"]))
    return deferral | {"kwargs": {name: smart_decode_trigger_kwargs(value) for name, value in kwargs.items()}}


def task_of(world: SkewedWorld, kept: dict[str, Any]) -> Task:
    """The task as Airflow keeps it: after one try, or deferred in it."""
    task = Task(world, "a_run", has_store=True, **kept["arguments"])
    task.try_number, task.kept = 1, {key: json.dumps(value) for key, value in kept.get("notes", {}).items()}
    if "deferral" in kept:
        task.deferral, task.state = Deferral(**read_by_airflow(kept["deferral"]), at=world.elapsed), "deferred"
    return task


@each_release
@pytest.mark.parametrize("scene", ["copy", "copy_that_ends_in_the_triggerer"])
@pytest.mark.parametrize("triggerer", ["of today", "of then"])
def test_a_deferred_copy_is_resumed(release: str, scene: str, triggerer: str) -> None:
    kept = record(release, scene)
    task = task_of(world_with(kept["cloud"]), kept)
    if triggerer == "of today":
        task.go_on_waiting()
    else:
        task.resume(kept["event"])
    task.go()
    assert (task.state, task.ti.xcom["image_id"]) == ("success", kept["cloud"]["image_id"])
    assert task.world.counted("POST copy") == 0


@each_release
def test_a_failure_that_a_triggerer_of_then_has_seen_is_told(release: str) -> None:
    kept = record(release, "copy_that_fails")
    task = task_of(SkewedWorld(), kept)
    task.resume(kept["event"])
    process = task.process
    assert process
    while process.at:
        process.go()
    with fails_with(JobFailedError) as failed:
        raise process.error or AssertionError("it went on")
    assert str(failed.value).endswith(f"{kept['event']['args'][0]} [IMG.0099]")


@each_release
def test_a_copy_that_waits_for_a_slot_is_sent(release: str) -> None:
    task = task_of(SkewedWorld(), record(release, "copy_without_a_slot"))
    task.go_on_waiting()
    task.go()
    assert (task.state, len(task.copies())) == ("success", 1)


@each_release
@pytest.mark.parametrize(("scene", "adopted"), [("copy", "{job_id}"), ("copy_whose_worker_died", "image:{image_id}")])
def test_a_retry_takes_up_what_was_begun(release: str, scene: str, adopted: str) -> None:
    kept = record(release, scene)
    task = task_of(world_with(kept["cloud"]), kept | {"arguments": kept["arguments"] | {"wait_for_completion": False}})
    task.deferral, task.state = None, "scheduled"
    task.start()
    process = task.process
    task.go()
    assert process
    assert (task.state, process.returned) == ("success", adopted.format(**kept["cloud"]))
    assert task.world.counted("POST copy") == 0


@each_release
def test_a_deferred_sensor_is_resumed(release: str) -> None:
    kept = record(release, "sensor")
    world, deferral = world_with(kept["cloud"]), read_by_airflow(kept["deferral"])
    event = fire(world, deferral["path"], deferral["kwargs"], looks=1)
    resumed = sensor(world, kept["cloud"]["job_id"])
    with_event = deferral["next_kwargs"] | {"event": event}
    assert resumed.resume_execution(deferral["method"], with_event, context_of(world)) == kept["cloud"]["image_id"]


@each_release
def test_a_rescheduled_sensor_goes_on_where_it_was(release: str) -> None:
    kept, store = record(release, "sensor"), StateStore()
    world = world_with(kept["cloud"])
    world.cloud.faults.add(Fault("job", "status", status=503))
    store.kept = {key: json.dumps(value) for key, value in kept["notes"].items()}
    with pytest.raises(AirflowRescheduleException):
        sensor(world, kept["cloud"]["job_id"], deferrable=False).execute(context_of(world, store, looks=1))
    assert json.loads(store.kept["looks"])["failures"] == kept["notes"]["looks"]["failures"] + 1


@each_release
def test_a_watcher_remembers_what_is_no_news(release: str) -> None:
    kept, world = record(release, "watcher"), SkewedWorld(images=0)
    assert named(kept["path"]) is triggers.ImageTrigger
    for image_id, name in ((kept["image_id"], "golden-old"), ("of today", "golden-new")):
        world.cloud.add_image(name, id=image_id)
    told = asyncio.run(first_look(world, kept["store"], kept["kwargs"]))
    assert [each["image_name"] for each in told] == ["golden-new"]


@each_release
def test_kept_tokens_and_refusals_are_opened(release: str, tmp_path: Path) -> None:
    kept, store, files = record(release, "tokens"), TokenStore(), Files(tmp_path)
    who = Settings.of("ims_default", **kept["connection"]).credentials
    for name, sealed in kept["files"].items():
        (tmp_path / name).write_text(sealed)
    found = [asdict(each) for key in (who, who.login) if (each := store.read(key, files))]
    assert json.loads(json.dumps(found, default=lambda instant: instant.isoformat())) == kept["kept"]


@each_release
def test_the_command_line_takes_up_what_it_has_begun(release: str, tmp_path: Path) -> None:
    kept = record(release, "command_line")
    world, notes, document = world_with(kept["cloud"]), FileNotes(tmp_path, "a copy", {}), kept["document"]
    assert notes.path.name == kept["file"]
    notes.path.write_text(json.dumps(document))
    order = Order(document["key"], document["image_id"], document["name"])
    assert world.perform(Submission(world.client, order, notes).submit(notes.read())) == document["job_id"]
    assert world.counted("POST copy") == 0


@each_release
def test_fingerprints_are_recognized(release: str) -> None:
    for kept in record(release, "fingerprints"):
        fingerprint = Fingerprint.of(kept["key"], kept["image_id"], kept["attempt"])
        assert (str(fingerprint), Fingerprint.read(f"{kept['word']} nightly")) == (kept["word"], fingerprint)


def form(value: Any) -> Any:
    """A document without what is another one each time: its keys, the kinds of its values, and its single words."""
    if isinstance(value, dict):
        return {key: form(each) for key, each in value.items()}
    if isinstance(value, list):
        return [form(each) for each in value]
    if not isinstance(value, str) or " " in value:
        return type(value).__name__ if isinstance(value, str | float) else value
    kinds = {"an instant": r"\d{4}-\d\d-\d\dT.*\d\d:\d\d", "an id": r"[0-9a-f-]{32,36}", "sealed": "gAAAA.*"}
    return next((kind for kind, pattern in kinds.items() if re.fullmatch(pattern, value)), value)


def without_news(today: Any, then: Any) -> Any:
    """What a release of then knows of a document of today."""
    if isinstance(today, dict) and isinstance(then, dict):
        return {key: without_news(today[key], then[key]) for key in today if key in then}
    return today


@each_release
@pytest.mark.parametrize("scene", SCENES)
def test_a_release_of_then_can_read_what_this_one_leaves(release: str, scene: str) -> None:
    then, today = form(record(release, scene)), form(json.loads(json.dumps(SCENES[scene]())))
    assert without_news(today, then) == then
    assert release != __version__ or today == then


def test_this_version_has_a_record() -> None:
    assert __version__ in RELEASES
