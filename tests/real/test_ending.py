"""``end_in_triggerer`` on a real scheduler and triggerer: one worker start a task, XComs as a worker leaves them."""

from __future__ import annotations

import re
from collections import Counter

from airflow_provider_ims.simulator.seeds import numbered_image
from tests.real.clouds import cloud_of_its_own
from tests.real.rest import Run
from tests.real.stack import Stack

IMAGES = [numbered_image(number) for number in range(1, 4)]


def starts(stack: Stack, run: Run) -> Counter[str]:
    """How many processes of each task have told Airflow that they run."""
    asked = (stack.home / "output" / "api-server.log").read_text(errors="replace")
    begun = Counter(re.findall(r"path=/execution/task-instances/([0-9a-f-]{36})/run .*status_code=200", asked))
    return Counter({f"{task['task_id']}[{task['map_index']}]": begun[task["id"]] for task in run.tasks})


def test_a_copy_ends_in_the_triggerer(stack: Stack) -> None:
    with cloud_of_its_own(stack, "ims_ending", copy_seconds=12.0) as cloud:
        run = stack.api.run("copies_ending", {"image_ids": IMAGES, "ims_conn_id": "ims_ending"})
        assert run.state == "success", run.log("copy_image", map_index=0)
        images = {image["id"] for image in cloud.copies()}
        assert {run.xcom("copy_image", "image_id", index) for index in range(3)} == images
        assert {run.xcom("copy_image", "return_value", index) for index in range(3)} == set(cloud.state.jobs)
        assert set(starts(stack, run).values()) == {1}, starts(stack, run)


def test_sensors_end_in_the_triggerer(stack: Stack) -> None:
    with cloud_of_its_own(stack, "ims_ending_too", copy_seconds=20.0) as cloud:
        run = stack.api.run("copies_and_sensors_ending", {"image_ids": IMAGES, "ims_conn_id": "ims_ending_too"})
        assert run.state == "success", run.log("wait_for_copy", map_index=0)
        images = {image["id"] for image in cloud.copies()}
        assert {run.xcom("wait_for_copy", "return_value", index) for index in range(3)} == images
        assert set(starts(stack, run).values()) == {1}, starts(stack, run)
