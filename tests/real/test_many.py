"""Twenty copies on each way of waiting: all green, one image each, one log-in for all."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_ims.simulator.seeds import numbered_image
from tests.real.clouds import cloud_of_its_own
from tests.real.stack import Stack

TWENTY = [numbered_image(number) for number in range(1, 21)]
ROOMY: dict[str, Any] = {"quota": 100, "concurrent_copies": 100, "copy_seconds": 3.0}


@pytest.mark.parametrize("dag_id", ["copies_deferred", "copies_and_sensors_deferred", "copies_and_sensors_in_worker"])
def test_twenty_copies_log_in_once(stack: Stack, dag_id: str) -> None:
    with cloud_of_its_own(stack, f"ims_{dag_id}", **ROOMY) as cloud:
        run = stack.api.run(dag_id, {"image_ids": TWENTY, "ims_conn_id": f"ims_{dag_id}"}, seconds=400)
        states = {f"{task['task_id']}[{task['map_index']}]": task["state"] for task in run.tasks}
        assert set(states.values()) == {"success"}, states
        assert len(states) == (41 if "sensors" in dag_id else 21)
        assert {task["try_number"] for task in run.tasks} == {1}
        assert len(cloud.copies()) == 20
        assert cloud.counters["log_ins_accepted"] == 1
        last = "wait_for_copy" if "sensors" in dag_id else "copy_image"
        key = "return_value" if "sensors" in dag_id else "image_id"
        assert {run.xcom(last, key, index) for index in range(20)} == {image["id"] for image in cloud.copies()}


def test_four_copies_wait_in_the_worker(stack: Stack) -> None:
    with cloud_of_its_own(stack, "ims_in_worker", **ROOMY) as cloud:
        run = stack.api.run("copies_in_worker", {"image_ids": TWENTY[:4], "ims_conn_id": "ims_in_worker"})
        assert run.state == "success", run.log("copy_image", map_index=0)
        assert {run.xcom("copy_image", "image_id", index) for index in range(4)} == {
            image["id"] for image in cloud.copies()
        }
        assert cloud.counters["log_ins_accepted"] == 1


def test_five_slots_of_the_pool_keep_within_the_tenants_limit(stack: Stack) -> None:
    stack.simulator.control("settings", quota=100)
    run = stack.api.run("reencrypt_images", {"image_ids": TWENTY[:10]}, seconds=400)
    assert run.state == "success", run.log("copy_image", map_index=0)
    jobs = stack.simulator.control("state")["jobs"]
    assert len([job for job in jobs if job["job_id"] in {run.xcom("copy_image", map_index=n) for n in range(10)}]) == 10
    refused = [each for each in stack.simulator.control("requests")["requests"] if each["status"] == 400]
    assert not refused


def test_the_nightly_copy_finds_its_source_by_name(stack: Stack) -> None:
    run = stack.api.run("nightly_golden_image")
    assert run.state == "success", run.log("find_source")
    image_id = run.xcom("wait_for_copy")
    (image,) = (each for each in stack.simulator.control("state")["images"] if each["id"] == image_id)
    assert image["name"].startswith("golden-20")
