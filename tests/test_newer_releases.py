"""What a newer release has left: what it merely added is ignored, what it means otherwise is refused and says so."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims.cli.notes import FileNotes
from airflow_provider_ims.errors import ImsError, ImsTransientError, NewerReleaseError
from airflow_provider_ims.triggers import ImageTrigger, JobTrigger, SlotTrigger
from tests.model.kept import Deferral
from tests.model.sensors import context_of, deferred, sensor
from tests.model.task import Task
from tests.model.triggerer import fire
from tests.model.watchers import first_look
from tests.model.worker import SkewedWorld
from tests.recording import WATCHED
from tests.shells import StateStore

MORE = {"of_a_newer_release": {"version": 7}}
NEWER = "by a newer release of airflow-provider-ims, in its form 2; .* Install that release here, too"


def deferred_task(**arguments: Any) -> tuple[Task, Deferral]:
    world = SkewedWorld(copy_seconds=100.0, **arguments)
    task = Task(world, "a_run", has_store=True, wait_for_completion=not arguments)
    task.start()
    task.go()
    assert task.deferral
    return task, task.deferral


def error_of(task: Task) -> BaseException | None:
    """What the process that is on ends with."""
    process = task.process
    assert process
    while process.at:
        process.go()
    return process.error


@pytest.mark.parametrize("limits", [{}, {"concurrent_copies": 0}], ids=["job", "slot"])
def test_what_a_newer_release_has_added_is_ignored(limits: dict[str, Any]) -> None:
    task, deferral = deferred_task(**limits)
    task.world.cloud.change(concurrent_copies=5)
    deferral.kwargs.update(MORE)
    if deferral.kwargs.get("order"):
        deferral.kwargs["order"].update(MORE)
    deferral.next_kwargs.update(MORE)
    task.kept = {key: json.dumps(json.loads(value) | MORE) for key, value in task.kept.items()}
    event = task.event(deferral)
    assert event
    task.resume(event | MORE)
    task.go()
    assert (task.state, task.world.counted("POST copy")) == ("success", 2 if limits else 1)


def test_a_sensor_ignores_it_too() -> None:
    task, _ = deferred_task()
    (job,) = task.world.cloud.jobs
    stored = deferred(task.world, job.id)["deferral"]
    event = fire(task.world, stored["path"], stored["kwargs"] | MORE, looks=100)
    resumed = {**stored["next_kwargs"], **MORE, "event": {**(event or {}), **MORE}}
    assert sensor(task.world, job.id).resume_execution("execute_complete", resumed, context_of(task.world))


def test_a_trigger_in_a_form_that_is_not_known_says_what_to_do() -> None:
    task, deferral = deferred_task()
    deferral.kwargs.update({"version": 2, "deadline": {"of": "another form"}, "first_pause": "of another form"})
    event = task.event(deferral)
    assert event
    task.resume(event)
    error = error_of(task)
    assert isinstance(error, NewerReleaseError)
    assert isinstance(error, ImsTransientError)  # a retry on this release goes on with the copy
    assert f"job {event['job_id']}" in str(error)
    assert task.world.counted("GET job") == 1


@pytest.mark.parametrize("where", ["event", "next_kwargs"])
@pytest.mark.parametrize("limits", [{}, {"concurrent_copies": 0}], ids=["job", "slot"])
def test_a_task_is_not_resumed_with_what_is_not_known(where: str, limits: dict[str, Any]) -> None:
    task, deferral = deferred_task(**limits)
    event = task.event(deferral)
    assert event
    (event if where == "event" else deferral.next_kwargs)["version"] = 2
    task.resume(event)
    with pytest.raises(NewerReleaseError, match=NEWER):
        raise error_of(task) or AssertionError("resumed")


def test_notes_that_are_not_known_stop_a_copy() -> None:
    task, _ = deferred_task()
    task.kept["copy"] = json.dumps({"version": 2})
    task.deferral, task.state = None, "scheduled"
    task.start()
    with pytest.raises(NewerReleaseError, match=rf"{NEWER}.*delete the task's state 'copy'"):
        raise error_of(task) or AssertionError("copied")
    assert task.world.counted("POST copy") == 1


def test_notes_of_looks_that_are_not_known_stop_no_sensor() -> None:
    task, _ = deferred_task()
    task.world.wait(1000.0)
    (job,), store = task.world.cloud.jobs, StateStore()
    store.set("looks", {"version": 2})
    assert sensor(task.world, job.id, deferrable=False).execute(context_of(task.world, store, looks=1)) == job.image_id


def test_a_watcher_loses_no_image_because_of_notes_that_are_not_known(caplog: pytest.LogCaptureFixture) -> None:
    world, store = SkewedWorld(images=0), dict[str, Any]()
    asyncio.run(first_look(world, store, WATCHED))
    (key,) = store
    store[key]["version"] = 2
    world.cloud.add_image("golden-new")
    assert asyncio.run(first_look(world, store, WATCHED)) == []
    assert f"Or delete the asset's state '{key}'" in caplog.text
    store[key]["version"] = 1
    assert [told["image_name"] for told in asyncio.run(first_look(world, store, WATCHED))] == ["golden-new"]


def test_notes_of_the_command_line_that_are_not_known_stop_it(tmp_path: Path) -> None:
    notes = FileNotes(tmp_path, "a copy", {})
    notes.path.write_text(json.dumps({"version": 2}))
    with pytest.raises(NewerReleaseError, match=f"{NEWER}.*delete the file"):
        notes.read()


def test_an_error_of_a_newer_release_is_an_error_here() -> None:
    event = {"error": "OfANewerRelease", "args": ["It is so.", 400, "IMG.1", "req-1", None, "and more"]}
    assert str(ImsError.from_event(event)) == "It is so. [HTTP 400, IMG.1, request id req-1]"


@pytest.mark.parametrize(
    ("trigger", "kwargs"),
    [
        (JobTrigger, {"job_id": "0" * 32}),
        (SlotTrigger, {"until": "2026", "pause": 6.0, "deadline": "2026"}),
        (ImageTrigger, {"name": "golden-*"}),
    ],
)
def test_whoever_writes_a_dag_is_told_of_an_argument_that_is_not_there(trigger: Any, kwargs: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"{trigger.__name__} has no argument 'intervall'"):
        trigger(**kwargs, intervall=5)


@pytest.mark.parametrize(
    ("trigger", "kwargs"), [(JobTrigger, {"job_id": "of a new form"}), (ImageTrigger, {"image_type": "of a new kind"})]
)
def test_what_a_newer_release_has_stored_does_not_end_the_triggerer(trigger: Any, kwargs: dict[str, Any]) -> None:
    """Which catches nothing but a TypeError where it makes a trigger."""
    assert trigger(**kwargs, version=2).version == 2
