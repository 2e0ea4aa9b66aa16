"""What is there after copies: the grid, the task's log, its links, and the asset that was told."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import BY_HAND, CONSOLE
from tests.browser.pages import take_picture
from tests.real.rest import Run
from tests.real.stack import Stack

WIDER_GRID = {"details-panel,main-panel": {"expandToSizes": {}, "layout": [24, 76]}}
"""The panels in per cent, as the UI keeps them when somebody moves the border: room for all the runs."""


def test_the_grid_shows_what_became_of_each_task(page: Any, stack: Stack, by_hand: list[Run]) -> None:
    page.set_viewport_size({"width": 1440, "height": 620})
    page.goto(f"{stack.url}/dags/copy_image_by_hand")
    layout = json.dumps(WIDER_GRID)
    page.evaluate("layout => localStorage.setItem('react-resizable-panels:grid-ltr', layout)", layout)
    page.goto(f"{stack.url}/dags/copy_image_by_hand/runs/{by_hand[-1].run_id}?sort=start_date")
    for run, waits in zip(by_hand, BY_HAND.values(), strict=True):
        assert run.state == "success", run.log("copy_image")
        assert run.task("wait_for_copy")["state"] == ("success" if waits else "skipped")
        for task in ("copy_image", "wait_or_not", "wait_for_copy"):
            page.get_by_test_id(f"grid-{run.run_id}-{task}").wait_for()
    page.get_by_role("row").filter(has_text="wait_for_copy").get_by_text("Success").wait_for()
    take_picture(page, "grid")


def test_the_log_tells_the_story_of_the_copy(page: Any, stack: Stack, published: Run) -> None:
    page.set_viewport_size({"width": 1440, "height": 700})
    page.goto(task_page(stack, published))
    job_id = published.xcom("copy_image")
    for told in (f"Submitted: job {job_id} copies image", f"Job {job_id}: SUCCESS"):
        expect(page.get_by_text(told).first).to_be_visible()
    take_picture(page, "task-log")


def test_the_links_lead_to_the_image_and_to_the_service(page: Any, stack: Stack, published: Run) -> None:
    page.goto(f"{task_page(stack, published)}/details")
    image = CONSOLE.format(region="eu-de", image_id=published.xcom("copy_image", "image_id"))
    expect(page.get_by_role("link", name="Image", exact=True)).to_have_attribute("href", image)
    expect(page.get_by_role("link", name="IMS console", exact=True)).to_have_attribute("href", image.split("#")[0])


def test_the_asset_shows_who_makes_it_who_uses_it_and_which_image_it_is(
    page: Any, stack: Stack, published: Run
) -> None:
    page.set_viewport_size({"width": 1440, "height": 640})
    page.goto(f"{stack.url}/assets")
    page.get_by_role("link", name="golden-debian").click()
    for name in ("publish_golden_image", "golden-debian", "use_golden_image"):
        expect(page.locator(".react-flow__node").filter(has_text=re.compile(f"{name}$"))).to_be_visible()
    page.locator(".codicon-folding-collapsed").first.click()
    told = page.locator(".view-lines").first
    for fact in ("image_id", "source_image_id", "job_id"):
        expect(told).to_contain_text(f'"{fact}"')
    take_picture(page, "asset")


def task_page(stack: Stack, run: Run) -> str:
    return f"{stack.url}/dags/{run.dag_id}/runs/{run.run_id}/tasks/copy_image"
