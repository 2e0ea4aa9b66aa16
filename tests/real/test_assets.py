"""Runs that nobody starts: an image is published and copied, and who waits for the copy is told what it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.real.processes import pause
from tests.real.rest import Run
from tests.real.stack import Stack
from tests.real.watching import looks, publish, wait_for_first_look

pytestmark = pytest.mark.newest


def told(stack: Stack, dag_id: str, task_id: str) -> list[Any]:
    """What this task of each run of the DAG has returned."""
    runs = stack.api.get(f"/dags/{dag_id}/dagRuns", limit=100)["dag_runs"]
    return [Run(stack.api, dag_id, run["dag_run_id"]).xcom(task_id) for run in runs if run["state"] == "success"]


def test_a_published_image_is_copied_and_the_copy_told_of(stack: Stack) -> None:
    wait_for_first_look(stack)
    source = publish(stack, "watched-in-the-chain")

    def copies() -> list[dict[str, Any]]:
        extras = [extra for returned in told(stack, "after_copies", "tell") for extra in returned or ()]
        return [extra for extra in extras if extra["source_image_id"] == source]

    stack.api.wait_for("the copy to be told of", lambda: bool(copies()), 180)
    (extra,) = copies()
    (image,) = (each for each in stack.simulator.control("state")["images"] if each["id"] == extra["image_id"])
    assert image["name"] == extra["image_name"] == f"copy-{source[-12:]}"
    assert extra["size"] == int(image["__image_size"])
    assert extra["job_id"] in {job["job_id"] for job in stack.simulator.control("state")["jobs"]}


def test_the_nightly_image_is_announced(stack: Stack) -> None:
    run = stack.api.run("nightly_golden_image")
    assert run.state == "success", run.log("wait_for_copy")
    image_id = run.xcom("wait_for_copy")
    stack.api.wait_for("its announcement", lambda: image_id in told(stack, "announce_golden_image", "announce"))
    assert stack.api.get("/variables/golden_image_id")["value"] == image_id


def test_a_restart_repeats_nothing_that_was_confirmed(stack: Stack) -> None:
    wait_for_first_look(stack)
    source = publish(stack, "watched-once")

    def events() -> int:
        found = stack.api.get("/assets/events", limit=100, order_by="-timestamp")["asset_events"]
        return sum((event["extra"].get("payload") or {}).get("image_id") == source for event in found)

    stack.api.wait_for("its event", lambda: events() > 0)
    pause(10)  # Airflow confirms it within seconds
    stack.kill("triggerer")
    seen = looks(stack)
    stack.begin("triggerer")
    stack.api.wait_for("some looks", lambda: looks(stack) > seen + 3, 180)
    pause(3)
    assert events() == 1
