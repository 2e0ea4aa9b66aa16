"""Links: where the image is in the cloud's console, and where its images are, as far as anybody knows."""

from __future__ import annotations

from typing import Any, cast

import pytest
from airflow.sdk.exceptions import TaskDeferralTimeout, TaskDeferred

from airflow_provider_ims.errors import ConnectionLookUpError, JobFailedError
from airflow_provider_ims.links import ConsoleLink, ImageLink
from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.sensors import JobSensor
from airflow_provider_ims.simulator import Fault
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from tests.shells import DagRun, TaskInstance, connect, fails_with, links_of, operator, run_task, waiting

pytestmark = pytest.mark.usefixtures("airflow_home")

TEMPLATE = "https://console.example.com/ims/?region={region}&project={project_id}#/image/{image_id}"


@pytest.fixture
def page(ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """The page of IMS in the console that the connection names."""
    connect(monkeypatch, ims_simulator.connection, console_url=TEMPLATE)
    return f"https://console.example.com/ims/?region=eu-de&project={ims_simulator.cloud.settings.project_id}"


@pytest.mark.parametrize("deferrable", [True, False])
def test_an_operator_that_waits_leads_to_its_image(page: str, deferrable: bool) -> None:
    run = run_task(waiting(deferrable=deferrable))
    assert run.links == {"IMS console": page, "Image": f"{page}#/image/{run.xcom['image_id']}"}


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_sensor_leads_to_the_image(ims_simulator: ImsSimulator, page: str, deferrable: bool) -> None:
    ims_simulator.cloud.change(copy_seconds=0.5)
    job_id = run_task(operator()).returned
    run = run_task(JobSensor(task_id="wait", job_id=job_id, deferrable=deferrable, mode="poke", poke_interval=0.1))
    assert run.links == {"IMS console": page, "Image": f"{page}#/image/{run.returned}"}


def test_a_task_that_does_not_wait_knows_no_image(page: str) -> None:
    assert run_task(operator()).links == {"IMS console": page}


def test_a_task_that_fails_leads_to_the_console(ims_simulator: ImsSimulator, page: str) -> None:
    ims_simulator.cloud.change(fail_code="IMG.0099")
    task = waiting(deferrable=False)
    with fails_with(JobFailedError):
        run_task(task)
    assert links_of(task) == {"IMS console": page}


def test_a_time_out_stores_nothing_over_what_is_there(page: str) -> None:
    task, context = waiting(), cast(Any, {"ti": TaskInstance(), "dag_run": DagRun()})
    with pytest.raises(TaskDeferralTimeout, match="Trigger timeout"):
        task.resume_execution("__fail__", {"error": "Trigger timeout"}, context)
    assert links_of(task) == {}


def test_without_a_connection_there_are_none(ims_simulator: ImsSimulator) -> None:
    task = operator(ims_conn_id="not_there")
    with pytest.raises(ConnectionLookUpError):
        run_task(task)
    assert links_of(task) == {}


def test_a_log_in_that_fails_does_not_hide_the_console(ims_simulator: ImsSimulator, page: str) -> None:
    ims_simulator.cloud.faults.add(Fault("log_in", "status", status=403))
    task = operator()
    with pytest.raises(Exception, match="403"):
        run_task(task)
    assert links_of(task) == {"IMS console": "https://console.example.com/ims/?region=eu-de&project="}


def test_a_trigger_that_ends_the_task_is_given_the_page(page: str) -> None:
    run = run_task(waiting(end_in_triggerer=True, poll_interval=0.1))
    pushed_there = {"image_id": "{image_id}", ImageLink().xcom_key: f"{page}#/image/{{image_id}}"}
    assert (run.trigger or ("", {}))[1]["xcoms"] == pushed_there


@pytest.mark.parametrize("deferrable", [True, False])
def test_unless_the_connection_says_where_images_are_there_is_no_link_to_one(
    ims_simulator: ImsSimulator, deferrable: bool
) -> None:
    assert run_task(waiting(deferrable=deferrable)).links == {"IMS console": "https://console.otc.t-systems.com/"}


def test_while_there_is_no_image_none_is_linked(ims_simulator: ImsSimulator) -> None:
    task, context = waiting(), cast(Any, {"ti": TaskInstance(), "dag_run": DagRun()})
    with pytest.raises(TaskDeferred):
        task.execute(context)
    assert links_of(task) == {"IMS console": "https://console.otc.t-systems.com/"}


def test_links_of_others_are_left_alone(ims_simulator: ImsSimulator) -> None:
    class Link(ConsoleLink.__base__):  # type: ignore[name-defined,misc]
        name = "Runbook"

        def get_link(self, operator: Any, *, ti_key: Any) -> str:
            return "https://wiki.example.com"

    class Mine(CopyImageOperator):
        operator_extra_links = (*CopyImageOperator.operator_extra_links, Link())

    run = run_task(Mine(task_id="copy", image_id=operator().image_id, name="golden"))
    assert list(run.links) == ["IMS console", "Runbook"]
