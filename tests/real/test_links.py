"""The links on a task, as the UI gets them: while it waits, when it ends, fails, or is tried again."""

from __future__ import annotations

import pytest

from airflow_provider_ims.simulator.seeds import numbered_image
from tests.real.clouds import cloud_of_its_own
from tests.real.stack import Stack

TEMPLATE = "https://console.example.com/ims/?region={region}&project={project_id}#/image/{image_id}"
EXTRA = {"console_url": TEMPLATE}
IMAGES = [numbered_image(number) for number in range(1, 3)]


def console(project_id: str) -> str:
    return f"https://console.example.com/ims/?region=eu-de&project={project_id}"


@pytest.mark.parametrize("dag_id", ["copies_deferred", "copies_ending"])
def test_mapped_copies_lead_to_the_console_and_then_each_to_its_image(stack: Stack, dag_id: str) -> None:
    conn_id = f"ims_links_{dag_id}"
    with cloud_of_its_own(stack, conn_id, extra=EXTRA, copy_seconds=20.0) as cloud:
        page = console(cloud.settings.project_id)
        run = stack.api.start(dag_id, {"image_ids": IMAGES, "ims_conn_id": conn_id})
        stack.api.wait_for("a deferred copy", lambda: "deferred" in [task["state"] for task in run.tasks])
        index = next(task["map_index"] for task in run.tasks if task["state"] == "deferred")
        # Airflow stores the links a moment after the state
        stack.api.wait_for("its links", lambda: any(run.links("copy_image", index).values()))
        assert run.links("copy_image", index) == {"IMS console": page, "Image": None}
        assert run.task("copy_image", index)["state"] == "deferred"
        assert run.wait().state == "success", run.log("copy_image", map_index=0)
    for index in range(2):  # by now there is neither a cloud nor a connection to ask
        image_id = run.xcom("copy_image", "image_id", index)
        assert run.links("copy_image", index) == {"IMS console": page, "Image": f"{page}#/image/{image_id}"}


@pytest.mark.parametrize("way", ["deferred", "in_worker"])
def test_a_sensor_leads_to_the_image_and_the_copy_that_it_waits_for_to_the_console(stack: Stack, way: str) -> None:
    with cloud_of_its_own(stack, f"ims_seen_{way}", extra=EXTRA, copy_seconds=3.0) as cloud:
        page = console(cloud.settings.project_id)
        conf = {"image_ids": IMAGES[:1], "ims_conn_id": f"ims_seen_{way}"}
        run = stack.api.run(f"copies_and_sensors_{way}", conf)
    image_id = run.xcom("wait_for_copy", map_index=0)
    assert run.links("wait_for_copy", 0) == {"IMS console": page, "Image": f"{page}#/image/{image_id}"}
    assert run.links("copy_image", 0) == {"IMS console": page, "Image": None}


def test_a_copy_that_failed_leads_to_the_console(stack: Stack) -> None:
    with cloud_of_its_own(stack, "ims_unlinked", extra=EXTRA, copy_seconds=3.0, fail_code="IMG.0099") as cloud:
        run = stack.api.run("copies_deferred", {"image_ids": IMAGES[:1], "ims_conn_id": "ims_unlinked"})
        assert run.task("copy_image", 0)["state"] == "failed"
        assert run.links("copy_image", 0) == {"IMS console": console(cloud.settings.project_id), "Image": None}


def test_a_copy_that_was_tried_again_leads_to_its_image(stack: Stack) -> None:
    with cloud_of_its_own(stack, "ims_relinked", extra=EXTRA, copy_seconds=1.0, fail_code="IMG.0014") as cloud:
        page = console(cloud.settings.project_id)
        run = stack.api.start("copies_deferred", {"image_ids": IMAGES[:1], "ims_conn_id": "ims_relinked"})
        stack.api.wait_for("the first copy", lambda: bool(cloud.counters["copies_accepted"]))
        cloud.change(fail_code="")
        assert run.wait().task("copy_image", 0)["try_number"] == 2
    image_id = run.xcom("copy_image", "image_id", 0)
    assert run.links("copy_image", 0) == {"IMS console": page, "Image": f"{page}#/image/{image_id}"}


def test_without_console_url_one_leads_to_the_regions_console(stack: Stack) -> None:
    root = "https://console.otc.t-systems.com/"
    run = stack.api.run("copy_image_by_hand", {"image_id": IMAGES[0], "name": "linked"})
    assert run.links("wait_for_copy") == {"IMS console": root, "Image": None}


def test_a_task_without_a_connection_has_links_that_lead_nowhere(stack: Stack) -> None:
    run = stack.api.run("copies_deferred", {"image_ids": IMAGES[:1], "ims_conn_id": "not_there"})
    assert run.task("copy_image", 0)["state"] == "failed"
    assert run.links("copy_image", 0) == {"IMS console": None, "Image": None}
