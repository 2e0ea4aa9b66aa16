"""What the copy key rests on: a clear raises ``max_tries`` and a retry does not; and what a user hears of a copy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from airflow_provider_ims.simulator import Cloud
from tests.crashes.sweeps import Sweep, lagging_cloud, wait_for_copies
from tests.real.rest import Run
from tests.real.stack import Stack


@contextmanager
def one_copy(stack: Stack, conn_id: str, way: str = "deferred", **settings: float) -> Iterator[tuple[Cloud, Run]]:
    """A copy in a run that ends with the block."""
    with lagging_cloud(stack, conn_id, **settings) as cloud:
        run = stack.api.start(f"clearing_{way}", {"ims_conn_id": conn_id})
        try:
            yield cloud, run
        finally:
            (stack.home / f"end-of-{conn_id}").touch()
        run.wait()


def wait_for_state(run: Run, state: str, try_number: int = 1) -> None:
    """Wait until the copy's task is in this state of this try."""

    def reached() -> bool:
        task = run.task("copy_image")
        return (task["state"], task["try_number"]) == (state, try_number)

    run.api.wait_for(f"the copy's task to be {state}", reached)


def test_a_retry_leaves_max_tries_alone(stack: Stack) -> None:
    with lagging_cloud(stack, "retried") as cloud:
        sweep = Sweep(stack, "retried", ["begin after copy"])
        sweep.check(cloud)
    task = sweep.run.task("copy_image", map_index=0)
    assert (task["try_number"], task["max_tries"]) == (2, 5)


def test_a_clear_of_a_finished_task_raises_max_tries_and_copies_anew(stack: Stack) -> None:
    with one_copy(stack, "finished") as (cloud, run):
        wait_for_state(run, "success")
        before, first = run.task("copy_image")["max_tries"], run.xcom("copy_image", "image_id")
        run.clear("copy_image")
        wait_for_state(run, "success", try_number=2)
        assert run.task("copy_image")["max_tries"] > before
        assert [image["id"] for image in cloud.copies()] == [first, run.xcom("copy_image", "image_id")]
        told = (
            f"The one before is there still: image {first} 'cleared' (active), copy key 'clearing_deferred/{run.run_id}"
        )
        assert told in run.log("copy_image", 2)


@pytest.mark.parametrize(("way", "state"), [("in_worker", "running"), ("deferred", "deferred")])
def test_a_clear_of_a_waiting_task_raises_max_tries_and_copies_anew(stack: Stack, way: str, state: str) -> None:
    with one_copy(stack, f"waiting_{way}", way, copy_seconds=25.0) as (cloud, run):
        wait_for_copies(run, cloud, 1)
        wait_for_state(run, state)
        before = run.task("copy_image")["max_tries"]
        run.clear("copy_image")
        wait_for_copies(run, cloud, 2)
        after = run.task("copy_image")
        assert after["max_tries"] > before
        wait_for_state(run, "success", after["try_number"])
        assert cloud.counters["copies_accepted"] == 2
        assert run.xcom("copy_image", "image_id") == cloud.copies()[1]["id"]


def test_a_clear_copies_anew_where_retries_were_lowered_meanwhile(stack: Stack) -> None:
    file = stack.home / "dags" / "clearing.py"
    source = file.read_text()
    with one_copy(stack, "lowered") as (cloud, run):
        wait_for_state(run, "success")
        before = run.task("copy_image")["max_tries"]
        file.write_text(source.replace('"retries": 1', '"retries": 0'))
        wait_for_retries(stack, 0)
        run.clear("copy_image")
        wait_for_state(run, "success", try_number=2)
        assert run.task("copy_image")["max_tries"] == before == 1  # as Airflow has it: or this test is not needed
        assert len(cloud.copies()) == 2
    file.write_text(source)
    wait_for_retries(stack, 1)


def wait_for_retries(stack: Stack, retries: int) -> None:
    """Wait until Airflow has taken the DAG's file anew."""

    def are_known() -> bool:
        return bool(stack.api.get("/dags/clearing_deferred/tasks/copy_image")["retries"] == retries)

    stack.api.wait_for(f"{retries} retries", are_known)


def test_whoever_marks_a_deferred_task_failed_is_told_the_copy_key_and_the_job(stack: Stack) -> None:
    with one_copy(stack, "marked", copy_seconds=60.0) as (cloud, run):
        wait_for_copies(run, cloud, 1)
        wait_for_state(run, "deferred")
        stack.api.wait_for("a look from the triggerer", lambda: cloud.counters["GET job"] >= 2)
        run.mark_failed("copy_image")
        told = re.compile(rf"does not wait any more\. Copy key 'clearing_deferred/.*'.*, job {cloud.jobs[0].id}\.")
        stack.api.wait_for("word from the trigger", lambda: bool(told.search(run.log("copy_image"))))
        assert cloud.counters["copies_accepted"] == 1


@contextmanager
def halted_triggers(stack: Stack) -> Iterator[None]:
    """Within, no trigger gets on, as under load; the triggerer itself does."""
    runners = psutil.Process(stack.pid("triggerer")).children()
    for runner in runners:
        runner.suspend()
    try:
        yield
    finally:
        for runner in runners:
            runner.resume()


def test_the_event_of_an_earlier_clearing_is_not_taken_for_ones_own(stack: Stack) -> None:
    with one_copy(stack, "late_event", copy_seconds=25.0) as (cloud, run):
        wait_for_copies(run, cloud, 1)
        with halted_triggers(stack):
            wait_for_state(run, "deferred")
            stack.api.wait_for("the triggerer", lambda: bool(run.task("copy_image")["triggerer_job"]))
            run.clear("copy_image")
            wait_for_copies(run, cloud, 2)
            wait_for_state(run, "deferred", try_number=2)
            stack.api.wait_for("the triggerer", lambda: bool(run.task("copy_image")["triggerer_job"]))
        wait_for_state(run, "success", try_number=2)
        assert run.xcom("copy_image", "image_id") == cloud.copies()[1]["id"]
