"""Access keys: requests are signed anew each time they are sent, and a refused key is not used until it locks."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_ims import protocol
from airflow_provider_ims.errors import LoginRefusedError, RefusedError, SettingsError
from airflow_provider_ims.models import Token
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.nouns import StoredKey
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.world import COPY, LOOK, World


def refusal(world: World, **fields: Any) -> LoginRefusedError:
    with pytest.raises(LoginRefusedError) as refused:
        world.perform(
            world.another_client(fields.pop("directory", None), auth="aksk", **fields).ask(LOOK), patience=60.0
        )
    return refused.value


def test_twenty_with_a_wrong_secret_key_send_it_once_and_all_say_why(world: World, tmp_path: Path) -> None:
    for project in ({}, {"project_id": world.cloud.settings.project_id}):
        clients = [
            world.another_client(tmp_path, auth="aksk", password=f"no{project}", more=project) for _ in range(20)
        ]
        ends = world.in_turns([client.ask(COPY) for client in clients])
        assert {type(end) for end in ends} == {LoginRefusedError}
        assert all("it is not the secret key of login" in str(end) for end in ends)
    assert world.counted("signatures_refused") == 2


def test_a_refused_key_is_tried_again_after_six_minutes_and_a_mended_one_at_once(world: World, tmp_path: Path) -> None:
    refusal(world, password="wrong", directory=tmp_path)
    world.wait(359)
    said = str(refusal(world, password="wrong", directory=tmp_path))
    assert "not tried again before 23:06:00 UTC: more than five failures lock the key" in said
    assert world.counted("signatures_refused") == 1
    assert world.perform(world.another_client(tmp_path, auth="aksk").ask(LOOK)).is_active
    world.wait(1)
    refusal(world, password="wrong", directory=tmp_path)
    assert world.counted("signatures_refused") == 2


def test_a_key_that_is_changed_while_it_is_in_use_is_refused_once(world: World, tmp_path: Path) -> None:
    client = world.another_client(tmp_path, auth="aksk")
    world.perform(client.ask(LOOK))
    old = client.settings.credentials.secret.strip()
    world.cloud.change(secret_key="another")
    for process in (client, world.another_client(tmp_path, auth="aksk", password=old), client):
        with pytest.raises(LoginRefusedError, match="not the secret key"):
            world.perform(process.ask(LOOK), patience=60.0)
    assert world.counted("signatures_refused") == 1


@pytest.mark.parametrize(("wrong_by", "refused"), [(899, False), (901, True), (-899, False), (-901, True)])
def test_a_clock_that_is_wrong_is_named(world: World, wrong_by: float, refused: bool) -> None:
    client = replace(world.another_client(auth="aksk"), now=lambda: world.now + timedelta(seconds=wrong_by))
    if not refused:
        assert world.perform(client.ask(LOOK)).is_active
        return
    with pytest.raises(LoginRefusedError, match="clock is more than 15 minutes away") as error:
        world.perform(client.ask(LOOK))
    assert "server time:20260131T230000Z" in str(error.value)
    assert (error.value.status, error.value.code) == (401, "APIGW.0301")
    assert error.value.request_id


def test_a_request_that_is_repeated_for_long_is_signed_anew(world: World) -> None:
    client = world.another_client(auth="aksk")
    world.perform(client.token())
    world.cloud.faults.add(Fault("image", "status", status=503, times=100))
    look = client.ask(lambda at: often(protocol.get_image(at, PLAIN_IMAGE)))
    assert world.perform(look, patience=14400.0).is_active
    assert sum(world.pauses) > 900
    assert world.counted("signatures_refused") == 0


def often(call: protocol.Call[Any]) -> protocol.Call[Any]:
    return replace(call, request=replace(call.request, replays=200))


def temporary(world: World, **fields: Any) -> dict[str, Any]:
    account = world.cloud.state.accounts[0]
    key = StoredKey("TEMP", "secret", account, "security-token", world.now + timedelta(minutes=15))
    world.cloud.add_key(dataclasses.replace(key, **fields))
    return {"login": "TEMP", "password": "secret", "more": {"security_token": "security-token"}}


def test_temporary_keys_work_until_they_end(world: World) -> None:
    connection = temporary(world)
    client = world.another_client(auth="aksk", **connection)
    assert world.perform(client.ask(LOOK)).is_active
    world.wait(900)
    with pytest.raises(LoginRefusedError, match="Temporary keys have ended: put new ones"):
        world.perform(client.ask(LOOK))
    assert refusal(world, **temporary(world, expires_at=world.now)).code == "IAM.1108"


@pytest.mark.parametrize(
    ("fields", "connection", "said"),
    [
        ({}, {"more": {}}, "temporary keys need `security_token` too"),
        ({}, {"login": "NONE"}, "ak NONE not exist"),
        ({"enabled": False}, {}, "Enable the access key in IAM"),
    ],
)
def test_what_a_key_is_refused_for_is_said(
    world: World, fields: dict[str, Any], connection: dict[str, Any], said: str
) -> None:
    assert said in str(refusal(world, **(temporary(world, **fields) | connection)))


def test_a_locked_key_is_named(world: World) -> None:
    world.cloud.change(key_failures=0)
    refusal(world, password="wrong")
    assert "locks an access key for five minutes" in str(refusal(world))


def test_the_project_of_a_key_is_found_by_name_and_else_says_what_to_give(world: World) -> None:
    token = world.perform(world.another_client(auth="aksk").token())
    assert (token.value, token.project_id) == ("", world.cloud.settings.project_id)
    with pytest.raises(RefusedError, match=r"none that the key can reach. Mend project_name, or give project_id"):
        world.perform(world.another_client(auth="aksk", more={"project_name": "eu-de_none"}).token())
    world.cloud.change(more_projects=("eu-de_twice", "eu-de_twice"))
    with pytest.raises(RefusedError, match=r"there are several .* or give project_id"):
        world.perform(world.another_client(auth="aksk", more={"project_name": "eu-de_twice"}).token())


@pytest.mark.parametrize("status", [403, 404])
def test_a_project_given_by_id_need_not_be_looked_at(world: World, status: int) -> None:
    world.cloud.faults.add(Fault("projects", "status", status=status))
    client = world.another_client(auth="aksk", more={"project_id": world.cloud.settings.project_id})
    assert world.perform(client.ask(LOOK)).is_active


def test_without_a_catalog_an_access_key_finds_ims_by_the_region(world: World) -> None:
    settings = world.connected("aksk", host=None)
    assert settings.service(Token("", world.now, world.now, "p1")).url == "https://ims.eu-de.otc.t-systems.com"
    with pytest.raises(SettingsError, match="access keys come without a catalog"):
        world.connected("aksk", host=None, more={"region": "", "project_id": "p1"})
