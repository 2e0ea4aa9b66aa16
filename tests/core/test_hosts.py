"""Tokens across hosts: what one has got the others use, whatever they share, and nobody is harmed where that fails."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_ims.auth import MOST_FAILURES
from airflow_provider_ims.client import Client
from airflow_provider_ims.errors import LoginRefusedError, ResponseLostError
from airflow_provider_ims.models import Token
from airflow_provider_ims.shelves import Files, Shelf
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.token_store import TokenStore
from tests.variables import Variables
from tests.world import LOOK, Walk, World, stop, token_store

WRONG = "wrong horse"
HOSTS = 4


def test_what_one_host_has_got_the_others_use(world: World, host: Any, beyond: Shelf) -> None:
    for number in range(HOSTS):
        for _ in range(2):
            world.perform(host(number, beyond).ask(LOOK))
    assert world.log_ins == 1


@pytest.mark.parametrize(("kind", "most"), [("directory", 1), ("variables", HOSTS), ("no locks", HOSTS)])
def test_hosts_that_start_together(world: World, host: Any, directory: Path, kind: str, most: int) -> None:
    shared = Variables() if kind == "variables" else Files(directory, shared=True)
    if kind == "no locks":
        for key in (world.client.settings.credentials.login, world.client.settings.credentials):
            (directory / f"{token_store()._name(key)}.hosts.lock").mkdir()  # so that it cannot be locked
    ends = world.in_turns([host(number % HOSTS, shared).ask(LOOK) for number in range(100)])
    assert [end for end in ends if isinstance(end, Exception)] == []
    assert 1 <= world.log_ins <= most
    world.perform(host(HOSTS, shared).ask(LOOK))
    assert world.log_ins <= most


def test_log_ins_of_other_hosts_that_are_under_way_are_no_failures(world: World, host: Any) -> None:
    shared = Variables()
    asking = [host(number, shared).token() for number in range(MOST_FAILURES + 2)]
    sent = [stop(each) for each in asking]
    assert [each.method for each in sent] == ["POST"] * len(asking)
    tokens = [stop(each, world.answer(request)) for each, request in zip(asking, sent, strict=True)]
    assert len({token.value for token in tokens}) == len(asking)


def test_a_host_that_has_a_token_asks_nobody(world: World, host: Any) -> None:
    shared = Variables()
    world.perform(host(0, shared).ask(LOOK))
    world.perform(host(1, shared).ask(LOOK))
    asked = shared.asked
    for number in (0, 1):
        world.perform(host(number, shared).ask(LOOK))
    assert (shared.asked, world.log_ins) == (asked, 1)


def test_a_token_revoked_for_all_costs_one_renewal(world: World, host: Any, beyond: Shelf) -> None:
    """Each host has another one, and a token that is refused is not used again after the other one is refused, too."""
    world.perform(host(0).ask(LOOK))
    world.perform(host(1, beyond).ask(LOOK))
    world.cloud.revoke_tokens()
    before = world.log_ins
    world.perform(host(0, beyond).ask(LOOK))
    world.perform(host(1, beyond).ask(LOOK))
    assert world.log_ins == before + 1
    assert world.counted("GET image") == 2 + 3 + 2


def test_a_token_that_cannot_be_replaced_is_not_used_again_and_again(world: World, host: Any) -> None:
    here, beyond = Variables(), Variables()
    for each in (here, beyond):
        world.perform(with_shelves(world.client, each).ask(LOOK))
    here.full = beyond.full = True
    world.cloud.revoke_tokens()
    walk = Walk(world, with_shelves(world.client, here, beyond).ask(LOOK))
    for _ in range(50):
        if walk.step is not None:
            walk.go()
    assert walk.result, "without an end"
    assert (world.log_ins, world.counted("GET image")) == (3, 2 + 3)


def with_shelves(client: Client, *shelves: Shelf) -> Client:
    return replace(client, tokens=TokenStore(*shelves, cost=2**4))


def test_a_check_logs_in_anew_whatever_lies_on_the_shelves(world: World, host: Any, beyond: Shelf) -> None:
    world.perform(host(0).ask(LOOK))
    world.perform(host(1, beyond).ask(LOOK))
    fresh: Token = world.perform(host(0, beyond).new_token())
    assert world.log_ins == 3
    assert world.perform(host(1, beyond).new_token()) != fresh


def test_a_wrong_password_is_sent_once_by_all_hosts(world: World, host: Any, beyond: Shelf) -> None:
    for number in range(HOSTS):
        with pytest.raises(LoginRefusedError, match=r"The username or password is wrong\."):
            world.perform(host(number, beyond, password=WRONG).ask(LOOK))
    assert world.log_ins == 1


@pytest.mark.parametrize("seconds", [-60, 60])
def test_also_where_their_clocks_differ(world: World, host: Any, beyond: Shelf, seconds: int) -> None:
    with pytest.raises(LoginRefusedError):
        world.perform(host(0, beyond, password=WRONG).ask(LOOK))
    world.now += timedelta(seconds=seconds)
    with pytest.raises(LoginRefusedError, match="not tried again"):
        world.perform(host(1, beyond, password=WRONG).ask(LOOK))
    assert world.log_ins == 1


def test_answers_that_are_lost_are_counted_for_all_hosts(world: World, host: Any, beyond: Shelf) -> None:
    world.cloud.faults.add(Fault("log_in", "reset_after", times=None))
    for number in range(HOSTS):
        with pytest.raises(ResponseLostError):
            world.perform(host(number, beyond, password=WRONG).token(), patience=600.0)
    assert world.log_ins == MOST_FAILURES


def test_what_two_hosts_know_of_failures_is_put_together(world: World, host: Any, beyond: Shelf) -> None:
    """A refusal that all know does not make this host forget those of its own log-ins that nobody answered."""
    world.cloud.faults.add(Fault("log_in", "reset_after", times=2))
    with pytest.raises(ResponseLostError):
        world.perform(host(0, password=WRONG).token())
    with pytest.raises(LoginRefusedError):
        world.perform(host(1, beyond, password=WRONG, extra=project(world, "eu-de_other")).token())
    with pytest.raises(LoginRefusedError, match="not tried again"):
        world.perform(host(0, beyond, password=WRONG).token())
    assert world.log_ins == 3


def project(world: World, name: str) -> dict[str, Any]:
    return dict(region="eu-de", domain_name=world.cloud.settings.domain_name, iam_endpoint="https://cloud.invalid") | {
        "project_name": name
    }


def test_a_mended_project_is_tried_by_all(world: World, host: Any, beyond: Shelf) -> None:
    with pytest.raises(LoginRefusedError):
        world.perform(host(0, beyond, extra=project(world, "eu-de_typo")).token())
    world.perform(host(1, beyond).ask(LOOK))
    assert world.log_ins == 2
