"""What a client knows beside its calls: the console's pages, and requests that are sent by somebody else."""

from __future__ import annotations

import time

import pytest

from airflow_provider_ims.auth import seconds_since_boot
from airflow_provider_ims.models import Request, Token
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.world import WAYS, World

TEMPLATE = "https://c.example/{region}/{project_id}#/{image_id}"
READ = Request("GET", "https://ims.example/v2/images")


def test_the_project_in_the_console_is_that_of_the_token_as_soon_as_there_is_one(world: World) -> None:
    mine = world.cloud.settings.project_id
    for more, before in (({}, ""), ({"project_id": mine}, mine)):
        client = world.another_client(more=more | {"console_url": TEMPLATE})
        assert client.console("i1") == f"https://c.example/eu-de/{before}#/i1"
        token = world.perform(client.token())
        assert client.console(PLAIN_IMAGE) == f"https://c.example/eu-de/{token.project_id}#/{PLAIN_IMAGE}"
        assert client.console() == f"https://c.example/eu-de/{token.project_id}"


def test_without_a_region_its_place_in_the_console_is_blank(world: World) -> None:
    more = {"region": "", "project_name": "eu-de", "console_url": TEMPLATE}
    assert world.connected(more=more).console() == "https://c.example//"
    assert world.connected(more=more).console("p1", "i1") == "https://c.example//p1#/i1"
    assert world.connected(more=more | {"console_url": ""}).console() == "https://console.otc.t-systems.com/"


@pytest.mark.parametrize("auth", WAYS)
def test_a_request_that_somebody_else_sends_has_what_the_cloud_asks_for(world: World, auth: str) -> None:
    client = world.another_client(auth=auth)
    ready = client.authorized(READ, Token("t", world.now, world.now, "p1"))
    if auth == "aksk":
        assert (ready.headers["X-Project-Id"], ready.headers["X-Sdk-Date"]) == ("p1", "20260131T230000Z")
        assert "X-Auth-Token" not in ready.headers
    else:
        assert ready == READ.with_header("X-Auth-Token", "t")


def test_an_access_key_without_a_project_names_none(world: World) -> None:
    ready = world.another_client(auth="aksk").authorized(READ, Token("", world.now, world.now, ""))
    assert "X-Project-Id" not in ready.headers


def test_the_clock_that_nobody_can_set_goes_on_while_the_machine_sleeps() -> None:
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    before, now, after = time.clock_gettime(clock), seconds_since_boot(), time.clock_gettime(clock)
    assert before <= now <= after
