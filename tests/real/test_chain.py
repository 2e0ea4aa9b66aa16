"""A user's way through a real Airflow: the provider is known, a connection is made and tested, an image is copied."""

from __future__ import annotations

import json

from tests.real.stack import Stack


def test_airflow_knows_the_provider(stack: Stack) -> None:
    shown = stack.airflow("providers", "get", "airflow-provider-ims", "-o", "json")

    assert json.loads(shown.splitlines()[-1])[0]["Provider"] == "airflow-provider-ims"


def test_a_connection_can_be_added_from_the_command_line(stack: Stack) -> None:
    fields = {"type": "ims", "login": "someone", "password": "secret", "extra": '{"region": "eu-de"}'}
    flags = (text for name, value in fields.items() for text in (f"--conn-{name}", value))

    stack.airflow("connections", "add", "ims_by_cli", *flags)

    added = stack.api.get("/connections/ims_by_cli")
    assert (added["conn_type"], added["login"]) == ("ims", "someone")


def test_the_command_line_finds_a_connection_made_in_the_ui(stack: Stack) -> None:
    stack.api.post("/connections", stack.rest_connection | {"connection_id": "ims_by_ui"})

    said = stack.airflow("ims", "check", "--conn-id", "ims_by_ui")

    assert f"IMS at {stack.simulator.url} works" in said


def test_the_connection_test_logs_in(stack: Stack) -> None:
    answer = stack.api.post("/connections/test", stack.rest_connection)

    assert answer["status"] is True, answer["message"]


def test_the_connection_test_tells_of_a_missing_region(stack: Stack) -> None:
    answer = stack.api.post("/connections/test", stack.rest_connection | {"host": None, "extra": "{}"})

    assert answer["status"] is False
    assert "region" in answer["message"]


def test_an_image_is_copied_by_hand(stack: Stack) -> None:
    source = stack.simulator.images[0]

    run = stack.api.run("copy_image_by_hand", {"image_id": source, "name": "copied-in-the-chain"})

    assert run.state == "success", run.log("wait_for_copy")
    copies = [each for each in stack.simulator.control("state")["images"] if each["name"] == "copied-in-the-chain"]
    assert [(each["id"], each["status"]) for each in copies] == [(run.xcom("wait_for_copy"), "active")]
    assert f"Job {run.xcom('copy_image')}: SUCCESS" in run.log("wait_for_copy")
