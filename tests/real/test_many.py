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
        run = stack.api.run(dag_id, {"image_ids": TWENTY, "ims_conn_id": f"ims_{dag_id}"})
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


@pytest.mark.parametrize("suffix", ["", "_in_worker"])
def test_the_example_copies_by_hand(stack: Stack, suffix: str) -> None:
    run = stack.api.run(f"copy_image_by_hand{suffix}", {"image_id": TWENTY[0], "name": f"by hand{suffix}"})
    assert run.state == "success", run.log("wait_for_copy")
    assert image_in(stack, run.xcom("wait_for_copy"))["name"] == f"by hand{suffix}"


@pytest.mark.parametrize("suffix", ["", "_in_worker"])
def test_the_example_finds_its_source_by_name_each_night(stack: Stack, suffix: str) -> None:
    run = stack.api.run(f"nightly_golden_image{suffix}")
    assert run.state == "success", run.log("find_source")
    assert image_in(stack, run.xcom("wait_for_copy"))["name"].startswith("golden-20")


@pytest.mark.parametrize("suffix", ["", "_in_worker"])
def test_the_example_keeps_within_the_tenants_limit_of_five(stack: Stack, suffix: str) -> None:
    stack.simulator.control("settings", quota=200)
    run = stack.api.run(f"reencrypt_images{suffix}", {"image_ids": TWENTY})
    assert run.state == "success", run.log("copy_image", map_index=0)
    made = {run.xcom("copy_image", "image_id", index) for index in range(20)}
    assert {image_in(stack, image_id)["status"] for image_id in made} == {"active"}
    assert len(made) == 20
    assert not [each for each in stack.simulator.control("requests")["requests"] if each["status"] == 400]


def image_in(stack: Stack, image_id: str) -> Any:
    (image,) = (each for each in stack.simulator.control("state")["images"] if each["id"] == image_id)
    return image
