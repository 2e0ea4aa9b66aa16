"""``CopyImageOperator``: what it returns, how it waits, how it fails, and what it refuses at parsing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferralError, TaskDeferralTimeout, TaskDeferred

from airflow_provider_ims.errors import (
    ArgumentError,
    CopyConflictError,
    ImsPermanentError,
    JobFailedError,
    JobInterruptedError,
    JobTimeoutError,
    NotFoundError,
    SettingsError,
    StateStoreError,
    ThrottledError,
    UnavailableError,
    UnclearSubmitError,
)
from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.simulator.cloud import Arrival
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import ENCRYPTED_IMAGE, KEY, PLAIN_IMAGE, numbered_image
from tests.shells import DagRun, StateStore, TaskInstance, fails_with, run_task, run_trigger

pytestmark = pytest.mark.usefixtures("airflow_home")


def operator(**arguments: Any) -> CopyImageOperator:
    return CopyImageOperator(task_id="copy_image", **{"image_id": PLAIN_IMAGE, "name": "golden"} | arguments)


def waiting(**arguments: Any) -> CopyImageOperator:
    return operator(**{"wait_for_completion": True, "poll_interval": 0.1} | arguments)


def test_it_returns_the_job_id_and_does_not_wait(ims_simulator: ImsSimulator) -> None:
    run = run_task(operator(description="nightly", cmk_id=KEY))
    (job,) = ims_simulator.cloud.state.jobs.values()
    assert run.returned == job.id
    assert run.xcom == {}
    assert run.trigger is None


@pytest.mark.parametrize("deferrable", [True, False])
def test_when_it_waits_it_also_pushes_the_image_id(ims_simulator: ImsSimulator, deferrable: bool) -> None:
    run = run_task(waiting(deferrable=deferrable))
    (job,) = ims_simulator.cloud.state.jobs.values()
    assert run.returned == job.id
    image = ims_simulator.cloud.state.images[run.xcom["image_id"]]
    assert (image.name, ims_simulator.cloud.settings.project_id) == ("golden", image.owner)
    assert (run.trigger is not None) is deferrable


def test_a_job_that_is_over_at_the_first_look_is_not_deferred(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(copy_seconds=0.0)
    run = run_task(waiting())
    assert run.trigger is None
    assert run.xcom["image_id"]


def test_the_trigger_keeps_no_secret_and_looks_no_sooner_than_six_seconds_after(ims_simulator: ImsSimulator) -> None:
    path, kwargs = run_task(waiting()).trigger or ("", {})
    assert path == "airflow_provider_ims.triggers.JobTrigger"
    assert set(kwargs) == {"job_id", "ims_conn_id", "poll_interval", "deadline", "first_look", "order", "xcom_keys"}
    assert (kwargs["order"]["name"], kwargs["order"]["image_id"]) == ("golden", PLAIN_IMAGE)
    assert datetime.fromisoformat(kwargs["first_look"]) > datetime.now(UTC) + timedelta(seconds=4)
    assert ims_simulator.cloud.settings.password not in str(kwargs)


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize(("code", "kind"), [("IMG.0099", JobFailedError), ("IMG.0014", JobInterruptedError)])
def test_a_failed_job_fails_alike_on_either_way(
    ims_simulator: ImsSimulator, deferrable: bool, code: str, kind: type[Exception]
) -> None:
    ims_simulator.cloud.change(fail_code=code, fail_reason="The key is gone.")
    with fails_with(kind, match=rf"ended with FAIL: The key is gone\..*\[{code}\]"):
        run_task(waiting(deferrable=deferrable))


@pytest.mark.parametrize("deferrable", [True, False])
def test_the_deadline_counts_from_the_start_of_the_try(ims_simulator: ImsSimulator, deferrable: bool) -> None:
    ims_simulator.cloud.change(copy_seconds=3600.0)
    ti = TaskInstance(start_date=datetime.now(UTC) - timedelta(seconds=99.5))
    with fails_with(JobTimeoutError, match=r"Job [0-9a-f]{32} was not over at the deadline"):
        run_task(waiting(deferrable=deferrable, timeout=100), ti)


def test_airflows_own_timeout_comes_after_the_deadline(ims_simulator: ImsSimulator) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        waiting(timeout=100).execute({"ti": TaskInstance(), "dag_run": DagRun()})  # type: ignore[typeddict-item]
    assert deferred.value.timeout is not None
    assert deferred.value.timeout > timedelta(seconds=150)


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


def test_a_missing_image_names_the_field_and_the_request(ims_simulator: ImsSimulator) -> None:
    with fails_with(NotFoundError, match=r"Check `image_id`.*HTTP 404.*request id"):
        run_task(operator(image_id="00000000-0000-4000-8000-000000000000"))


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
    store.kept["copy"] = store.kept["copy"].replace('"succeeded": true', '"succeeded": false')
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

    set = get  # type: ignore[assignment]


def test_without_a_store_that_answers_nothing_is_sent(ims_simulator: ImsSimulator) -> None:
    with pytest.raises(StateStoreError, match=r"OSError: The bucket is gone\."):
        run_task(operator(), task_state_store=BrokenStore())
    assert ims_simulator.cloud.counters["POST copy"] == 0


def test_a_deferred_task_that_succeeds_notes_it(ims_simulator: ImsSimulator) -> None:
    store = StateStore()
    run_task(waiting(), task_state_store=store)
    assert store.get("copy")["succeeded"] is True


def test_the_event_of_the_clearing_before_does_not_end_the_task(ims_simulator: ImsSimulator) -> None:
    store, others = StateStore(), {"status": "success", "job_id": "0" * 32, "image_id": PLAIN_IMAGE, "copy_key": "a#0"}
    context: Any = {"ti": TaskInstance(max_tries=2), "dag_run": DagRun(), "task_state_store": store}
    with pytest.raises(TaskDeferred) as deferred:
        waiting().execute(context)
    with pytest.raises(TaskDeferred) as again:
        waiting().execute_complete(context, others)
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
    ti = TaskInstance(start_date=datetime.now(UTC) - timedelta(seconds=99.9))
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
    assert 5 < (until - datetime.now(UTC)).total_seconds() <= 36
    assert 99 < (last - datetime.now(UTC)).total_seconds() <= 100
    ims_simulator.cloud.change(concurrent_copies=5)
    event = run_trigger(path, kwargs | {"until": datetime.now(UTC).isoformat()})
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
        run_task(operator(timeout=5))


def test_airflows_own_time_out_tells_what_is_known_too(
    ims_simulator: ImsSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    store, context = StateStore(), {"ti": TaskInstance(), "dag_run": DagRun()}
    job_id = run_task(operator(), task_state_store=store).returned
    with pytest.raises(TaskDeferralError):
        waiting().resume_execution("__fail__", {"error": "lost"}, context | {"task_state_store": store})  # type: ignore[arg-type]
    assert (
        f"#0@2026-01-31T23:00:00+00:00' (given as `copy_key` it takes up the same copy), job {job_id}"
        in capsys.readouterr().out
    )


def test_an_encrypted_image_is_decrypted_only_where_that_is_said(ims_simulator: ImsSimulator) -> None:
    with fails_with(ArgumentError, match="allow_decryption=True"):
        run_task(operator(image_id=ENCRYPTED_IMAGE))
    run_task(operator(image_id=ENCRYPTED_IMAGE, allow_decryption="True"))  # as a template renders it
    assert ims_simulator.cloud.jobs[0].source_id == ENCRYPTED_IMAGE


def test_requests_a_copy(ims_simulator: ImsSimulator) -> None:
    run = run_task(waiting(deferrable=False))
    routes = [arrival.route for arrival in ims_simulator.cloud.arrivals]
    assert run.xcom["image_id"]
    assert routes[:4] == ["log_in", "list", "image", "copy"]
    assert routes[-1] == "list"
    assert set(routes[4:-1]) == {"job"}


def test_a_missing_connection_says_what_to_create() -> None:
    with fails_with(SettingsError, match=r"no connection 'nowhere'.*type ims"):
        run_task(operator(ims_conn_id="nowhere"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"image_id": "ubuntu"}, "image_id is 'ubuntu'"),
        ({"image_id": None}, "image_id is None"),
        ({"name": "a:b"}, r"name is 'a:b'.*run_after"),
        ({"name": ""}, "name is ''"),
        ({"name": " padded"}, "name is ' padded'"),
        ({"description": "a<b"}, "description is 'a<b'"),
        ({"description": "x" * 981}, "of which 44 are kept for the fingerprint"),
        ({"description": "x" * 1025, "fingerprint": False}, r"at most 1,024 characters \(this has 1,025\)"),
        ({"submit_grace": 0}, "submit_grace is 0"),
        ({"copy_key": "mine", "fingerprint": False}, "copy_key is 'mine', which means nothing with fingerprint=False"),
        ({"allow_decryption": "perhaps"}, "allow_decryption is 'perhaps'"),
        ({"poll_interval": 0}, "poll_interval is 0"),
        ({"timeout": -1}, "timeout is -1"),
    ],
)
def test_what_is_wrong_is_refused_at_parsing(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgumentError, match=complaint):
        operator(**arguments)


def test_templates_are_checked_once_rendered(ims_simulator: ImsSimulator) -> None:
    task = operator(name="{{ run_id }}")
    task.name = "manual__2026-01-31T23:00:00+00:00"
    with fails_with(ArgumentError, match="run_id has ':' and '\\+'"):
        run_task(task)
    assert ims_simulator.cloud.counters["POST copy"] == 0


def test_every_string_argument_is_templated() -> None:
    strings = {"image_id", "name", "description", "cmk_id", "enterprise_project_id", "ims_conn_id", "copy_key"}
    strings |= {"allow_decryption"}
    assert set(CopyImageOperator.template_fields) == strings


@pytest.mark.newest
def test_permanent_errors_use_no_retry_unless_the_user_says_so() -> None:
    from airflow.sdk import ExceptionRetryPolicy, RetryAction

    ours = operator().retry_policy
    assert ours is not None
    assert ours.evaluate(ImsPermanentError("no"), 1, 3).action is RetryAction.FAIL
    assert ours.evaluate(JobInterruptedError("again"), 1, 3).action is RetryAction.DEFAULT
    assert ours.evaluate(TaskDeferralTimeout("the triggerer was down"), 1, 3).action is RetryAction.DEFAULT
    theirs = ExceptionRetryPolicy(rules=[])
    assert operator(retry_policy=theirs).retry_policy is theirs
    with DAG("defaults", schedule=None, default_args={"retry_policy": theirs}):
        assert operator().retry_policy is theirs
