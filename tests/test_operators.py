"""``CopyImageOperator``: what it returns, how it waits, how it fails, and what it refuses at parsing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskDeferralError, TaskDeferralTimeout, TaskDeferred

from airflow_provider_ims.errors import (
    ArgumentError,
    ConnectionLookUpError,
    ImsPermanentError,
    JobFailedError,
    JobInterruptedError,
    JobTimeoutError,
    NotFoundError,
)
from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import ENCRYPTED_IMAGE, KEY, PLAIN_IMAGE
from tests.shells import DagRun, StateStore, TaskInstance, fails_with, operator, run_task, started, waiting

pytestmark = pytest.mark.usefixtures("airflow_home")


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


def test_the_trigger_keeps_no_secret_and_is_left_to_choose_its_first_look(ims_simulator: ImsSimulator) -> None:
    path, kwargs = run_task(waiting()).trigger or ("", {})
    assert path == "airflow_provider_ims.triggers.JobTrigger"
    assert set(kwargs) == {
        "job_id",
        "ims_conn_id",
        "poll_interval",
        "deadline",
        "first_pause",
        "order",
        "xcoms",
        "version",
    }
    assert (kwargs["order"]["name"], kwargs["order"]["image_id"]) == ("golden", PLAIN_IMAGE)
    assert kwargs["first_pause"] is None
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
    ti = TaskInstance(start_date=started(99.5, is_judged_elsewhere=deferrable))
    with fails_with(JobTimeoutError, match=r"Job [0-9a-f]{32} was not over at the deadline"):
        run_task(waiting(deferrable=deferrable, timeout=100), ti)


def test_airflows_own_timeout_comes_after_the_deadline(ims_simulator: ImsSimulator) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        waiting(timeout=100).execute({"ti": TaskInstance(), "dag_run": DagRun()})  # type: ignore[typeddict-item]
    assert deferred.value.timeout is not None
    assert deferred.value.timeout > timedelta(seconds=150)


def test_a_missing_image_names_the_field_and_the_request(ims_simulator: ImsSimulator) -> None:
    with fails_with(NotFoundError, match=r"Check `image_id`.*HTTP 404.*request id"):
        run_task(operator(image_id="00000000-0000-4000-8000-000000000000"))


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
    with fails_with(ConnectionLookUpError, match=r"no connection 'nowhere'.*type ims"):
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
