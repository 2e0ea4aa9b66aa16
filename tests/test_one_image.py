"""One copy, one image: the operator with unclear answers, retries, clears, keys, second images and full slots."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred

from airflow_provider_ims.errors import (
    ConnectionLookUpError,
    CopyConflictError,
    JobTimeoutError,
    StateStoreError,
    ThrottledError,
    UnavailableError,
    UnclearSubmitError,
)
from airflow_provider_ims.simulator.cloud import Arrival
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE, numbered_image
from tests.shells import DagRun, StateStore, TaskInstance, fails_with, operator, run_task, run_trigger, started, waiting

pytestmark = pytest.mark.usefixtures("airflow_home")


def test_an_unclear_submit_adopts_what_appears(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.faults.add(Fault("copy", "status", status=504, when="after"))
    ims_simulator.cloud.change(image_appears="submit")
    run = run_task(waiting())
    (image,) = ims_simulator.cloud.copies()
    assert (run.returned, run.xcom["image_id"]) == (f"image:{image['id']}", image["id"])
    assert ims_simulator.cloud.counters["POST copy"] == 1


def test_a_task_that_was_killed_sends_nothing_more(ims_simulator: ImsSimulator) -> None:
    task = operator()

    def kill(arrival: Arrival) -> None:
        if arrival.route == "list":
            task.on_kill()

    ims_simulator.cloud.on_arrival = kill
    with pytest.raises(UnavailableError, match="Nothing was sent: the task was killed"):
        run_task(task)
    assert ims_simulator.cloud.counters["POST copy"] == 0


def test_without_fingerprint_an_unclear_submit_is_permanent_and_sent_once(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.faults.add(Fault("copy", "status", status=504, when="after", times=None))
    with fails_with(UnclearSubmitError, match="may have been carried out.*look in IMS for an image named 'golden'"):
        run_task(operator(fingerprint=False))
    assert ims_simulator.cloud.counters["POST copy"] == 1


@pytest.mark.parametrize("max_tries", [1, 3], ids=["retry", "clear"])
def test_without_fingerprint_what_failed_before_its_note_is_sent_after_all(
    ims_simulator: ImsSimulator, max_tries: int
) -> None:
    store = StateStore()
    with pytest.raises(ConnectionLookUpError):
        run_task(operator(fingerprint=False, ims_conn_id="nowhere"), TaskInstance(max_tries=1), task_state_store=store)
    second_try = TaskInstance(try_number=2, max_tries=max_tries)
    run_task(operator(fingerprint=False), second_try, task_state_store=store)
    assert len(ims_simulator.cloud.jobs) == 1


def test_without_fingerprint_and_notes_only_the_first_try_sends(ims_simulator: ImsSimulator) -> None:
    """As on Airflow 3.2."""
    with fails_with(UnclearSubmitError, match="on Airflow 3.2: before you start another run"):
        run_task(operator(fingerprint=False), TaskInstance(try_number=2))
    assert ims_simulator.cloud.counters["POST copy"] == 0


def test_a_retry_takes_up_the_copy_and_a_clear_begins_another(ims_simulator: ImsSimulator) -> None:
    store = StateStore()
    returned = [
        run_task(operator(), TaskInstance(try_number=number, max_tries=max_tries), task_state_store=store).returned
        for number, max_tries in ((1, 1), (2, 1), (3, 3), (4, 3))
    ]
    assert len(ims_simulator.cloud.jobs) == len(set(returned)) == 2
    assert (returned[0], returned[2]) == (returned[1], returned[3])


@pytest.mark.parametrize("wait", [True, False])
def test_a_clear_after_lowered_retries_begins_another_too(ims_simulator: ImsSimulator, wait: bool) -> None:
    ims_simulator.cloud.change(copy_seconds=0.0)
    store = StateStore()
    for number, retries in ((1, 1), (2, 0), (3, 0)):  # cleared, and then tried again
        ti = TaskInstance(try_number=number, max_tries=1)
        task = operator(retries=retries, wait_for_completion=wait)
        if number < 3:
            run_task(task, ti, task_state_store=store)
    del store.kept["succeeded"]
    run_task(task, ti, task_state_store=store)
    assert len(ims_simulator.cloud.jobs) == 2


def test_clears_after_retries_were_lowered_far_each_begin_another(ims_simulator: ImsSimulator) -> None:
    store = StateStore()
    for number, max_tries, retries in ((1, 2, 2), (2, 1, 0), (3, 2, 0), (4, 3, 0)):  # as Airflow counts them
        ti = TaskInstance(try_number=number, max_tries=max_tries)
        run_task(operator(retries=retries), ti, task_state_store=store)
    assert len(ims_simulator.cloud.jobs) == 4


def test_a_done_copy_does_not_fail_for_a_store_that_does_not_answer(ims_simulator: ImsSimulator) -> None:
    context: Any = {"ti": TaskInstance(), "dag_run": DagRun(), "task_state_store": BrokenStore()}
    event = {"status": "success", "job_id": "0" * 32, "image_id": PLAIN_IMAGE, "copy_key": "of the try"}
    assert waiting().execute_complete(context, event) == "0" * 32


class BrokenStore(StateStore):
    """A state store backend that raises what it likes."""

    def get(self, key: str) -> Any:
        raise OSError("The bucket is gone.")

    def set(self, key: str, value: Any) -> None:
        self.get(key)


def test_without_a_store_that_answers_nothing_is_sent(ims_simulator: ImsSimulator) -> None:
    with pytest.raises(StateStoreError, match=r"OSError: The bucket is gone\."):
        run_task(operator(), task_state_store=BrokenStore())
    assert ims_simulator.cloud.counters["POST copy"] == 0


def test_a_deferred_task_that_succeeds_notes_it(ims_simulator: ImsSimulator) -> None:
    store = StateStore()
    run_task(waiting(), task_state_store=store)
    assert store.get("succeeded")["key"] == store.get("copy")["key"]


def test_the_event_of_the_clearing_before_does_not_end_the_task(ims_simulator: ImsSimulator) -> None:
    store, others = StateStore(), {"status": "success", "job_id": "0" * 32, "image_id": PLAIN_IMAGE, "copy_key": "a#0"}
    context: Any = {"ti": TaskInstance(max_tries=2), "dag_run": DagRun(), "task_state_store": store}
    with pytest.raises(TaskDeferred) as deferred:
        waiting().execute(context)
    with pytest.raises(TaskDeferred) as again:
        waiting().execute_complete(context, others, **deferred.value.kwargs or {})
    with pytest.raises(TaskDeferred) as third:
        waiting().submit_again(context, others)
    (job,) = ims_simulator.cloud.jobs
    for each in (deferred, again, third):
        assert each.value.trigger.serialize()[1]["job_id"] == job.id


def test_a_copy_key_is_one_image_across_runs_and_clears(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(image_appears="submit")
    first = run_task(operator(copy_key="one of a kind"))
    again = run_task(operator(copy_key="one of a kind"), TaskInstance(run_id="another_run", max_tries=4))
    other_source = run_task(operator(copy_key="one of a kind", image_id=numbered_image(1)))
    (image, _) = ims_simulator.cloud.copies()
    assert again.returned == f"image:{image['id']}"
    assert other_source.returned not in (first.returned, again.returned)


def test_the_copy_key_that_a_failure_prints_takes_up_the_copy(
    ims_simulator: ImsSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    ims_simulator.cloud.change(copy_seconds=3600.0, image_appears="submit")
    ti = TaskInstance(start_date=started(99.9))
    with fails_with(JobTimeoutError):
        run_task(waiting(timeout=100), ti)
    (job,) = ims_simulator.cloud.jobs
    said = capsys.readouterr().out
    assert f"job {job.id}. It goes on in the cloud" in said
    (key,) = set(re.findall(r"Copy key '(.+?)'", said))
    assert key == "a_dag/a_run/a_task/-1#0@2026-01-31T23:00:00+00:00"
    taken_up = run_task(operator(copy_key=key), TaskInstance(dag_id="by_hand"))
    assert taken_up.returned == f"image:{job.image_id}"


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_second_image_of_the_copy_fails_the_task_for_good(ims_simulator: ImsSimulator, deferrable: bool) -> None:
    started = datetime.now(UTC)
    task = waiting(deferrable=deferrable, copy_key="one of a kind")
    ims_simulator.cloud.on_arrival = partial(add_twin, ims_simulator)
    with fails_with(CopyConflictError, match="More than one image is there for copy key 'one of a kind'"):
        run_task(task, TaskInstance(start_date=started))


def add_twin(simulator: ImsSimulator, arrival: Arrival) -> None:
    """Somebody else's image with the same fingerprint, as soon as the copy is sent."""
    if arrival.route != "copy":
        return
    (made,) = (image for image in simulator.cloud.state.images.values() if image.job)
    simulator.cloud.add_image(
        "twin", description=made.description, data_origin=f"image,eu-de,{PLAIN_IMAGE}", status="active"
    )


def test_no_free_slot_defers_without_a_failure_until_there_is_one(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(concurrent_copies=0)
    ti, context = TaskInstance(), {"dag_run": DagRun(), "task_state_store": StateStore()}
    task = operator(timeout=100)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute({"ti": ti, **context})  # type: ignore[typeddict-item]
    path, kwargs = deferred.value.trigger.serialize()
    until, last = (datetime.fromisoformat(kwargs[name]) for name in ("until", "deadline"))
    assert path == "airflow_provider_ims.triggers.SlotTrigger"  # stored with the deferred task: never moves
    assert deferred.value.timeout is not None
    assert 455 < deferred.value.timeout.total_seconds() <= 460  # five minutes more, and that minute
    assert 5 < (until - datetime.now(UTC)).total_seconds() <= 36
    assert 159 < (last - datetime.now(UTC)).total_seconds() <= 160  # a minute more, for another host's clock
    ims_simulator.cloud.change(concurrent_copies=5)
    event = run_trigger(path, kwargs | {"pause": 0.0})
    job_id = getattr(task, deferred.value.method_name)({"ti": ti, **context}, event)
    assert [job.id for job in ims_simulator.cloud.jobs] == [job_id]


def test_no_free_slot_reschedules_a_task_that_is_not_deferrable(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.faults.add(Fault("copy", "status", status=429, retry_after=50))
    store = StateStore()
    with pytest.raises(AirflowRescheduleException) as rescheduled:
        run_task(operator(deferrable=False), task_state_store=store)
    assert rescheduled.value.reschedule_date > datetime.now(UTC) + timedelta(seconds=49)
    again = {"task_state_store": store, "task_reschedule_count": 1}
    run_task(operator(deferrable=False), TaskInstance(try_number=2), **again)
    assert len(ims_simulator.cloud.jobs) == 1
    assert ims_simulator.cloud.counters["GET list"] == 2  # one a submit: what was refused is not waited for


def test_no_free_slot_until_the_timeout_is_throttling(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(concurrent_copies=0)
    with pytest.raises(ThrottledError, match="pool of 5"):
        run_task(operator(timeout=100), TaskInstance(start_date=started(95)))
