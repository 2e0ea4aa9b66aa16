"""``JobSensor``: what it returns, its three ways of waiting, and how it fails as sensors do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from airflow_provider_ims.errors import ArgumentError, JobFailedError, JobInterruptedError, NotFoundError, RefusedError
from airflow_provider_ims.hooks import ImsHook
from airflow_provider_ims.sensors import JobSensor
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.shells import StateStore, TaskInstance, fails_with, run_task, started

pytestmark = pytest.mark.usefixtures("airflow_home")

WAYS: list[dict[str, Any]] = [{"deferrable": True}, {"deferrable": False, "mode": "poke"}, {"deferrable": False}]


@pytest.fixture
def job_id(ims_simulator: ImsSimulator) -> Iterator[str]:
    ims_simulator.cloud.change(copy_seconds=0.5)
    with ImsHook() as hook:
        yield hook.copy_image(PLAIN_IMAGE, name="golden")


def sensor(job_id: str, **arguments: Any) -> JobSensor:
    return JobSensor(task_id="wait_for_copy", job_id=job_id, **{"poke_interval": 0.1} | arguments)


def run_rescheduled(
    task: JobSensor, ti: TaskInstance | None = None, pauses: list[float] | None = None, **context: Any
) -> Any:
    """Run a sensor until it is over, as the scheduler would, without the time between."""
    ti = ti or TaskInstance()
    for count in range(1000):
        try:
            return run_task(task, ti, task_reschedule_count=count, **context).returned
        except AirflowRescheduleException as rescheduled:
            ti.first_reschedule = ti.first_reschedule or ti.start_date
            if pauses is not None:
                pauses.append((rescheduled.reschedule_date - datetime.now(UTC)).total_seconds())
    raise AssertionError("never over")


@pytest.mark.parametrize("way", WAYS)
def test_it_returns_the_new_images_id(ims_simulator: ImsSimulator, job_id: str, way: dict[str, Any]) -> None:
    image_id = run_rescheduled(sensor(job_id, **way))
    assert ims_simulator.cloud.state.images[image_id].name == "golden"


@pytest.mark.parametrize("way", WAYS)
def test_a_failed_job_fails_alike_on_every_way(ims_simulator: ImsSimulator, way: dict[str, Any]) -> None:
    ims_simulator.cloud.change(copy_seconds=0.3, fail_code="IMG.0099", fail_reason="The key is gone.")
    with ImsHook() as hook:
        job_id = hook.copy_image(PLAIN_IMAGE, name="golden")
    with fails_with(JobFailedError, match=r"FAIL: The key is gone\."):
        run_rescheduled(sensor(job_id, **way))


@pytest.mark.parametrize("way", WAYS)
def test_the_deadline_is_a_sensors_timeout_with_our_message(ims_simulator: ImsSimulator, way: dict[str, Any]) -> None:
    ims_simulator.cloud.change(copy_seconds=3600.0)
    with ImsHook() as hook:
        job_id = hook.copy_image(PLAIN_IMAGE, name="golden")
    ti = TaskInstance(start_date=started(99.5, is_judged_elsewhere=way.get("mode") != "poke"))
    with pytest.raises(AirflowSensorTimeout, match=rf"Job {job_id} was not over at the deadline.*JobSensor"):
        run_rescheduled(sensor(job_id, timeout=100, **way), ti)


def test_a_timeout_that_airflow_sees_first_has_our_message_too(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(copy_seconds=3600.0)
    with ImsHook() as hook:
        job_id = hook.copy_image(PLAIN_IMAGE, name="golden")
    ti = TaskInstance(start_date=datetime.now(UTC) + timedelta(seconds=10))  # by the clock of another host
    with pytest.raises(AirflowSensorTimeout, match=rf"Job {job_id} was not over at the deadline.*JobSensor"):
        run_task(sensor(job_id, timeout=0.3, deferrable=False, mode="poke"), ti)


@pytest.mark.parametrize("way", WAYS)
def test_looks_that_fail_are_no_news(ims_simulator: ImsSimulator, job_id: str, way: dict[str, Any]) -> None:
    ims_simulator.cloud.faults.add(
        Fault("job", "reset_after"), Fault("job", "status"), Fault("job", "html", status=200)
    )
    assert run_rescheduled(sensor(job_id, **way))


@pytest.mark.parametrize("way", WAYS)
def test_an_unknown_job_is_an_error_in_the_end(ims_simulator: ImsSimulator, way: dict[str, Any]) -> None:
    with fails_with(RefusedError, match=r"look at job 0{32}.*IMG\.0023"):
        run_rescheduled(sensor("0" * 32, **way), task_state_store=StateStore())


def test_a_reschedule_leaves_six_seconds_at_least(ims_simulator: ImsSimulator, job_id: str) -> None:
    with pytest.raises(AirflowRescheduleException) as rescheduled:
        run_task(sensor(job_id, deferrable=False))
    assert rescheduled.value.reschedule_date > datetime.now(UTC) + timedelta(seconds=4)


def test_between_reschedules_failing_looks_are_counted_and_spaced(ims_simulator: ImsSimulator, job_id: str) -> None:
    ims_simulator.cloud.faults.add(*[Fault("job", "status")] * 5)
    pauses: list[float] = []
    assert run_rescheduled(
        sensor(job_id, deferrable=False, poke_interval=10), None, pauses, task_state_store=StateStore()
    )
    for pause, spaced in zip(pauses, [10, 20, 40, 80, 160], strict=False):
        assert 0.9 * spaced - 1 <= pause <= 1.1 * spaced


def test_between_reschedules_only_unknown_looks_in_a_row_count(ims_simulator: ImsSimulator, job_id: str) -> None:
    ims_simulator.cloud.change(copy_seconds=3600.0)
    with ImsHook() as hook:
        job_id = hook.copy_image(PLAIN_IMAGE, name="golden")
    task, store = sensor(job_id, deferrable=False), StateStore()
    for count in range(12):
        if count % 4:
            ims_simulator.cloud.faults.add(Fault("job", "status", status=404))
        with pytest.raises(AirflowRescheduleException):
            run_task(task, task_reschedule_count=count, task_state_store=store)
    with fails_with(NotFoundError):
        for _ in range(2):
            ims_simulator.cloud.faults.add(Fault("job", "status", status=404))
            with suppress(AirflowRescheduleException):
                run_task(task, task_reschedule_count=99, task_state_store=store)


def test_where_nothing_is_kept_between_reschedules_an_unknown_look_is_no_end(
    ims_simulator: ImsSimulator, job_id: str
) -> None:
    """As on Airflow 3.2, which keeps nothing: the looks before may all have seen the job."""
    ims_simulator.cloud.faults.add(Fault("job", "status", status=404))
    with pytest.raises(AirflowRescheduleException):
        run_task(sensor(job_id, deferrable=False), task_reschedule_count=99)


def test_between_reschedules_a_status_is_logged_once(
    ims_simulator: ImsSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    ims_simulator.cloud.change(copy_seconds=3600.0, init_part=0.9)
    with ImsHook() as hook:
        task = sensor(hook.copy_image(PLAIN_IMAGE, name="golden"), deferrable=False)
    store, second_try = StateStore(), TaskInstance(try_number=2)
    for ti in (None, None, None, second_try):
        with caplog.at_level(logging.INFO), pytest.raises(AirflowRescheduleException):
            run_task(task, ti, task_reschedule_count=1, task_state_store=store)
    assert sum(": INIT" in record.getMessage() for record in caplog.records) == 2  # once a try


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("code", "lenience", "outcome"),
    [
        ("IMG.0099", {"soft_fail": True}, AirflowSkipException),
        ("IMG.0014", {"soft_fail": True}, JobInterruptedError),
        ("IMG.0014", {"never_fail": True}, AirflowSkipException),
    ],
)
def test_soft_fail_skips_what_no_retry_can_mend(
    ims_simulator: ImsSimulator, way: dict[str, Any], code: str, lenience: dict[str, bool], outcome: type[Exception]
) -> None:
    ims_simulator.cloud.change(copy_seconds=0.0, fail_code=code)
    with ImsHook() as hook:
        job_id = hook.copy_image(PLAIN_IMAGE, name="golden")
    with fails_with(outcome):
        run_rescheduled(sensor(job_id, **way, **lenience))


def test_the_event_of_another_job_does_not_end_the_task(ims_simulator: ImsSimulator, job_id: str) -> None:
    context: Any = {"ti": TaskInstance()}
    with pytest.raises(TaskDeferred) as deferred:
        sensor(job_id).execute_complete(context, {"status": "success", "job_id": "0" * 32, "image_id": PLAIN_IMAGE})
    assert deferred.value.trigger.serialize()[1]["job_id"] == job_id


@pytest.mark.parametrize("job_id", ["", None, "not a job"])
def test_a_malformed_job_id_is_refused_at_parsing(job_id: Any) -> None:
    with pytest.raises(ArgumentError, match=r"job_id=copy\.output"):
        sensor(job_id)


def test_defaults_are_those_of_the_documentation() -> None:
    task = JobSensor(task_id="wait_for_copy", job_id="{{ params.job_id }}")
    assert (task.ims_conn_id, task.deferrable, task.poke_interval, task.timeout) == ("ims_default", True, 30, 7200)
    assert (task.mode, set(task.template_fields)) == ("reschedule", {"job_id", "ims_conn_id"})
