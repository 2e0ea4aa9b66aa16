"""What breaks, as its user meets it: one clear message in the task's log, and no try wasted."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_ims.simulator.seeds import ISO_IMAGE, PLAIN_IMAGE, numbered_image
from tests.real.clouds import cloud_of_its_own
from tests.real.rest import Run
from tests.real.stack import Stack


def failed_once(run: Run, task_id: str = "copy_image", map_index: int = -1) -> str:
    """The log of a task that failed at its first try."""
    (task,) = (each for each in run.tasks if (each["task_id"], each["map_index"]) == (task_id, map_index))
    assert (task["state"], task["try_number"]) == ("failed", 1), run.log(task_id, map_index=map_index)
    return run.log(task_id, map_index=map_index)


@pytest.mark.parametrize(
    ("image_id", "settings", "message"),
    [
        ("00000000-0000-4000-8000-000000000000", {}, "NotFoundError: There is no image 0000"),
        (ISO_IMAGE, {}, "is an ISO image: register its file again instead"),
        (PLAIN_IMAGE, {"quota": 1}, "The quota of private images is used up"),
        (PLAIN_IMAGE, {"missing_permissions": ("ims:images:copy",)}, "permission `ims:images:copy`"),
    ],
)
def test_what_the_cloud_refuses_is_said_once_with_a_remedy(
    stack: Stack, image_id: str, settings: dict[str, Any], message: str
) -> None:
    with cloud_of_its_own(stack, "ims_refusing", **settings) as cloud:
        run = stack.api.run("copies_deferred", {"image_ids": [image_id], "ims_conn_id": "ims_refusing"})
        log = failed_once(run, map_index=0)
        (line,) = (line for line in log.splitlines() if message in line)
        assert "request id" in line or image_id == ISO_IMAGE  # which our own look at the image has told
        assert cloud.counters["POST copy"] == (image_id == PLAIN_IMAGE)


@pytest.mark.parametrize("copies", [1, 20])
def test_a_wrong_password_is_sent_once(stack: Stack, copies: int) -> None:
    images = [numbered_image(number) for number in range(1, copies + 1)]
    conn_id = f"ims_wrong_{copies}"
    with cloud_of_its_own(stack, conn_id, wrong_password="not-the-password") as cloud:
        run = stack.api.run("copies_deferred", {"image_ids": images, "ims_conn_id": conn_id})
        for index in range(copies):
            log = failed_once(run, map_index=index)
            assert "LoginRefusedError" in log
            assert "The username or password is wrong." in log
            assert "Check the connection's login, password" in log
            assert "not-the-password" not in log
        assert cloud.counters["POST log_in"] == 1


def test_a_cloud_that_dies_in_mid_wait_is_named_at_the_deadline(stack: Stack) -> None:
    with cloud_of_its_own(stack, "ims_dying", copy_seconds=3600.0) as cloud:
        run = stack.api.start("copies_impatient", {"image_ids": [PLAIN_IMAGE], "ims_conn_id": "ims_dying"})
        stack.api.wait_for("a look from the triggerer", lambda: cloud.counters["GET job"] >= 2)
    log = failed_once(run.wait(), map_index=0)
    assert "JobTimeoutError: Job" in log
    assert "The last look failed: No connection to http://127.0.0.1" in log


def test_a_job_that_fails_shows_its_code_and_reason(stack: Stack) -> None:
    reason: dict[str, Any] = {"fail_code": "IMG.0099", "fail_reason": "The key is gone."}
    with cloud_of_its_own(stack, "ims_failing", copy_seconds=3.0, **reason):
        run = stack.api.run("copies_deferred", {"image_ids": [PLAIN_IMAGE], "ims_conn_id": "ims_failing"})
        log = failed_once(run, map_index=0)
    assert "ended with FAIL: The key is gone." in log
    assert "[IMG.0099]" in log
    assert "Grant the user access to the KMS key" in log


def test_a_job_that_the_cloud_broke_is_tried_again(stack: Stack) -> None:
    with cloud_of_its_own(stack, "ims_breaking", copy_seconds=1.0, fail_code="IMG.0014") as cloud:
        run = stack.api.start("copies_deferred", {"image_ids": [PLAIN_IMAGE], "ims_conn_id": "ims_breaking"})
        stack.api.wait_for("the first copy", lambda: bool(cloud.counters["copies_accepted"]))
        cloud.change(fail_code="")
        assert run.wait().state == "success"
        (task,) = (each for each in run.tasks if each["task_id"] == "copy_image")
        assert task["try_number"] == 2
