"""The connection: its form explains each field and keeps the password; the Test button says what is wrong."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from airflow_provider_ims import get_provider_info
from tests.browser.pages import take_picture
from tests.real.stack import Stack

(KIND,) = get_provider_info()["connection-types"]


def fill_in(page: Any, stack: Stack, conn_id: str, **other: str) -> Any:
    """The form of a new connection to the simulated cloud, filled in as far as its second part, which is open."""
    page.goto(f"{stack.url}/connections")
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.locator("[name=connection_id]").fill(conn_id)
    form.get_by_role("combobox").first.click()
    page.keyboard.type("Image")
    page.get_by_role("option", name=KIND["hook-name"]).click()
    wanted = stack.simulator.connection | other
    for field in ("host", "login", "password"):
        form.locator(f"[name={field}]").fill(wanted[field])
    form.locator("[name=port]").fill("0")
    return form


def fill_in_extra(form: Any, stack: Stack) -> None:
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    for field, value in stack.simulator.connection["extra"].items():
        form.locator(f"[name=element_{field}]").fill(value)


def save(page: Any, form: Any, conn_id: str) -> Any:
    """Save it; returns its row in the list."""
    page.keyboard.press("Tab")  # out of the field that was filled in last: the form takes its value then
    with page.expect_response(lambda response: response.request.method == "POST") as answered:
        form.get_by_role("button", name="Save").click()
    assert answered.value.status == 201, answered.value.text()
    expect(form).to_be_hidden()
    return page.get_by_role("row").filter(has=page.get_by_text(conn_id, exact=True))


def press_test(page: Any, row: Any) -> dict[str, Any]:
    """What Airflow answers to the button."""
    with page.expect_response(lambda response: response.url.endswith("/connections/test")) as answered:
        row.get_by_role("button", name="Test Connection").click()
    found: dict[str, Any] = answered.value.json()
    return found


def test_the_form_explains_each_field_and_masks_the_password(page: Any, stack: Stack) -> None:
    form = fill_in(page, stack, "ims_by_form")
    for field, hint in KIND["ui-field-behaviour"]["placeholders"].items():
        expect(form.locator(f"[name={field}]")).to_have_attribute("placeholder", hint)
    expect(form.locator("[name=password]")).to_have_attribute("type", "password")
    fill_in_extra(form, stack)
    for field in KIND["conn-fields"].values():
        expect(form.get_by_text(field["label"], exact=True)).to_be_visible()
        expect(form.get_by_text(field["description"], exact=True)).to_be_visible()
    regions = form.locator("datalist#list_region option")
    assert {each.get_attribute("value") for each in regions.all()} >= {"eu-de", "eu-nl", "cn-north-4"}
    form.locator("[name=connection_id]").scroll_into_view_if_needed()
    take_picture(page, "connection-form")


def test_what_was_filled_in_is_saved_without_showing_the_password(page: Any, stack: Stack) -> None:
    form = fill_in(page, stack, "ims_saved")
    fill_in_extra(form, stack)
    row = save(page, form, "ims_saved")
    row.get_by_role("button", name="Edit Connection").click()
    expect(form.locator("[name=login]")).to_have_value(stack.simulator.connection["login"])
    expect(form.locator("[name=password]")).not_to_have_value(stack.simulator.connection["password"])
    assert stack.simulator.connection["password"] not in page.content()


def test_the_test_button_says_that_both_halves_work(page: Any, stack: Stack) -> None:
    form = fill_in(page, stack, "ims_good")
    fill_in_extra(form, stack)
    answer = press_test(page, save(page, form, "ims_good"))
    assert answer["status"] is True, answer
    assert re.search(r"Log-in at IAM \S+ works, .*; IMS at \S+ works", answer["message"])


def test_the_test_button_says_which_field_to_mend(page: Any, stack: Stack) -> None:
    form = fill_in(page, stack, "ims_wrong", password="not this one")
    fill_in_extra(form, stack)
    answer = press_test(page, save(page, form, "ims_wrong"))
    assert answer["status"] is False, answer
    toast = page.get_by_role("status").filter(has_text="Test Connection Failed")
    expect(toast).to_contain_text("The username or password is wrong. Check the connection's login, password")
    take_picture(page, "connection-test")
