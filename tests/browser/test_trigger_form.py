"""The trigger form of ``copy_image_by_hand``: explains each field, and what it refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.pages import take_picture
from tests.real.rest import Run
from tests.real.stack import Stack

DAG = "copy_image_by_hand"


@pytest.fixture
def form(page: Any, stack: Stack) -> Any:
    stack.api.wait_for(f"the DAG {DAG}", lambda: stack.api.has_dag(DAG))
    page.goto(f"{stack.url}/dags/{DAG}")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    expect(form.locator("[name=element_image_id]")).to_be_visible()
    return form


def submit(form: Any) -> None:
    form.get_by_test_id("trigger-dag-submit").click()


def test_each_field_has_a_title_and_a_description(form: Any, page: Any, stack: Stack) -> None:
    params = stack.api.get(f"/dags/{DAG}/details")["params"]
    assert set(params) > {"image_id", "name", "description", "cmk_id", "allow_decryption", "wait"}
    shown = form.inner_text().splitlines()
    for param in params.values():
        assert {param["schema"]["title"], param["description"]} <= set(shown)
    page.set_viewport_size({"width": 1100, "height": 1320})
    take_picture(form, "trigger-form")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("image_id", "ubuntu-24.04", "'ubuntu-24.04' is not a 'uuid'"),
        ("name", " golden", "' golden' does not match"),
        ("description", "<none>", "'<none>' "),
    ],
)
def test_a_refused_value_is_explained_in_the_form(form: Any, field: str, value: str, reason: str) -> None:
    form.locator(f"[name=element_{field}]").fill(value)
    submit(form)
    expect(form.locator("[class*=alert__description]")).to_contain_text(f"Invalid input for param {field}: {reason}")


def test_a_good_form_starts_the_run_that_it_describes(form: Any, page: Any, stack: Stack) -> None:
    form.locator("[name=element_name]").fill("by-the-form")
    form.locator("[name=element_wait]").locator("xpath=..").click()  # the switch that the box is the state of
    submit(form)
    page.wait_for_url(re.compile(r"/runs/"))
    (started,) = (
        run for run in stack.api.get(f"/dags/{DAG}/dagRuns")["dag_runs"] if run["conf"].get("name") == "by-the-form"
    )
    run = Run(stack.api, DAG, started["dag_run_id"]).wait()
    assert {task["task_id"]: task["state"] for task in run.tasks} == {
        "copy_image": "success",
        "wait_or_not": "success",
        "wait_for_copy": "skipped",
    }
