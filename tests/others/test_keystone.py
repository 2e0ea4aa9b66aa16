"""A real Keystone as IAM: who gets in and who does not, where IMS is, and what is said."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_ims.errors import LoginRefusedError
from airflow_provider_ims.hooks import ImsHook
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.others.conftest import Account, Ims, User
from tests.others.openstack import Keystone
from tests.others.table import Seen
from tests.shells import GET_IMAGE, Ask, ask_in_thread, ask_on_loop

BOTH = pytest.mark.parametrize("ask", [ask_in_thread, ask_on_loop], ids=["thread", "loop"])


@pytest.mark.parametrize("by", ["name", "id"])
@BOTH
def test_log_in(ask: Ask[Any], by: str, user: User, ims: Ims, account: Account, seen: Seen) -> None:
    user.connect(**{"name": {"project_name": "eu-de"}, "id": {"project_id": account.project_id}}[by])
    assert ask(GET_IMAGE).id == PLAIN_IMAGE
    assert user.log_ins == 1
    assert ims.cloud.requests("image")[0].status == 200
    if ask is ask_on_loop:
        seen.tell("keystone", f"a log-in for a project by {by}", f"a token; IMS takes it; {user.log_ins} log-in")


@BOTH
def test_the_catalog_tells_where_ims_is(ask: Ask[Any], user: User, ims: Ims, seen: Seen) -> None:
    assert "host" not in user.connect()
    assert ask(GET_IMAGE).id == PLAIN_IMAGE
    with ImsHook() as hook:
        token = hook.perform(hook.client.token())
    assert token.endpoints == {"eu-de": ims.url}
    if ask is ask_on_loop:
        seen.tell("keystone", "where the image service is, by the catalog", "its public address, without a path")


@BOTH
def test_the_connection_test_works(ask: Ask[Any], user: User, ims: Ims) -> None:
    works, said = ImsHook().test_connection()
    assert works, said
    assert f"IMS at {ims.url}" in said


REFUSED: dict[str, dict[str, str]] = {
    "a wrong password": {"password": "not-this-one"},
    "a project of an unknown name": {"project_name": "eu-nowhere"},
    "a project of an unknown id": {"project_id": "0" * 32},
    "an unknown domain": {"domain_name": "OTC-EU-DE-9999"},
}


@BOTH
@pytest.mark.parametrize("asked", REFUSED)
def test_what_is_refused(ask: Ask[Any], asked: str, user: User, ims: Ims, seen: Seen) -> None:
    user.connect(**REFUSED[asked])
    for _ in range(3):  # the second and third are not sent
        with pytest.raises(LoginRefusedError) as refused:
            ask(GET_IMAGE)
    error = refused.value
    assert (error.status, user.log_ins) == (401, 1)
    assert (error.request_id or "").startswith("req-")
    assert "The request you have made requires authentication." in error.message
    assert "Check the connection's login, password, domain_name and project_name / project_id" in error.message
    assert "not-this-one" not in str(error) + repr(error)
    assert user.password not in str(error) + repr(error)
    assert not ims.cloud.arrivals
    if ask is ask_on_loop:
        words = error.message.partition("the cloud said: ")[2].partition(" Check ")[0]
        came = f'`{type(error).__name__}` (HTTP {error.status}), "{words}", sent {user.log_ins} time for 3 tasks'
        seen.tell("keystone", asked, came)


def test_a_disabled_user(user: User, ims: Ims, seen: Seen) -> None:
    user.disable()
    with pytest.raises(LoginRefusedError, match=r"requires authentication.*Check the connection's login") as refused:
        ask_in_thread(GET_IMAGE)
    assert user.log_ins == 1
    seen.tell("keystone", "a user who is disabled", f"`{type(refused.value).__name__}` (HTTP {refused.value.status})")


def test_where_it_is_not_as_the_cloud(keystone: Keystone, user: User, account: Account, seen: Seen) -> None:
    """What the cloud's documents say otherwise; the provider copes with either."""
    who = {"name": user.name, "password": user.password, "domain": {"name": account.domain_name}}
    without = keystone.try_log_in({"project": {"name": "eu-de"}}, who)
    within = keystone.try_log_in({"project": {"name": "eu-de", "domain": {"name": account.domain_name}}}, who)
    assert (without.status_code, within.status_code) == (400, 201)
    message = without.json()["error"]["message"].partition(".")[0]
    came = f'HTTP {without.status_code}, "{message}"; the cloud needs none. The provider names it always'
    seen.tell("keystone", "differs: a project's name without its domain", came)

    token = user.token()
    keystone.revoke(token)
    revoked = keystone.show_token(token)
    error = revoked.json()["error"]
    assert (error["code"], error["title"]) == (401, "Unauthorized")
    came = f"HTTP {revoked.status_code}, the code an integer; the same words as for a wrong password"
    seen.tell("keystone", "differs: a revoked token", came)
