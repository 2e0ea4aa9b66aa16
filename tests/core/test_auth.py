"""The one conversation: a token for many calls, one log-in for all who ask, one renewal for a token refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_ims import protocol
from airflow_provider_ims.auth import LONGEST_LOG_IN, Conversation, LogIn, Pause
from airflow_provider_ims.client import Client
from airflow_provider_ims.errors import (
    ConnectError,
    MalformedResponseError,
    RefusedError,
    UnavailableError,
)
from airflow_provider_ims.models import Image, Request, Service, Token
from airflow_provider_ims.protocol import Call
from airflow_provider_ims.simulator.faults import Fault
from tests.world import COPY, LOOK, World, both_drivers, stop

HOUR = 3600.0


@both_drivers
def test_one_log_in_serves_many_calls(world: World) -> None:
    for _ in range(5):
        world.ask(LOOK)
    world.ask(COPY)
    assert world.log_ins == 1


def test_the_token_goes_to_the_image_service_and_the_password_to_the_log_in_alone(world: World) -> None:
    world.ask(LOOK)
    log_in, look = world.requests
    assert (set(log_in.headers), set(look.headers)) == ({"Content-Type"}, {"X-Auth-Token"})
    assert world.cloud.settings.password.encode() in log_in.body
    assert look.body == b""


@pytest.mark.parametrize(("life", "age", "renewed"), [(24 * HOUR, 24 * HOUR - 301, 0), (24 * HOUR, 24 * HOUR - 300, 1)])
def test_a_token_is_kept_until_shortly_before_its_end(world: World, life: float, age: float, renewed: int) -> None:
    world.cloud.change(token_lifetime=life)
    world.ask(LOOK)
    world.wait(age)
    world.ask(LOOK)
    assert world.log_ins == 1 + renewed


@both_drivers
def test_a_revoked_token_costs_one_renewal(world: World) -> None:
    world.ask(COPY)
    world.cloud.revoke_tokens()
    world.ask(COPY)
    world.ask(COPY)
    assert (world.log_ins, world.counted("copies_accepted")) == (2, 3)


def test_a_second_401_after_a_renewal_is_an_error_and_no_loop(world: World) -> None:
    world.cloud.faults.add(Fault("image", "status", times=None, status=401))
    with pytest.raises(RefusedError, match="token and request disagree"):
        world.ask(LOOK)
    assert (world.log_ins, world.counted("GET image")) == (2, 2)


def test_a_token_that_was_refused_is_not_tried_again_where_the_renewal_failed(world: World) -> None:
    world.ask(LOOK)
    world.cloud.revoke_tokens()
    world.cloud.faults.add(Fault("log_in", "status", times=2))
    with pytest.raises(UnavailableError):
        world.ask(LOOK)
    world.ask(LOOK)
    assert (world.log_ins, world.counted("GET image")) == (4, 3)


@both_drivers
def test_a_second_client_sharing_the_directory_does_not_log_in(world: World, tmp_path: Path) -> None:
    for _ in range(3):
        world.perform(world.another_client(tmp_path).ask(LOOK))
    assert world.log_ins == 1


def test_a_stale_or_corrupt_file_is_replaced(world: World, tmp_path: Path) -> None:
    world.perform(world.another_client(tmp_path).token())
    [path] = (each for each in tmp_path.iterdir() if each.suffix != ".lock")
    path.write_bytes(b"nonsense")
    world.perform(world.another_client(tmp_path).token())
    world.wait(25 * HOUR)
    world.perform(world.another_client(tmp_path).token())
    world.perform(world.another_client(tmp_path).token())
    assert world.log_ins == 3


def test_a_disk_that_cannot_be_written_costs_only_the_sharing(world: World, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    client = world.another_client(tmp_path / "file" / "tokens")
    for _ in range(3):
        world.perform(client.ask(LOOK))
    assert world.log_ins == 1


def test_renewal_takes_what_another_process_has_already_renewed(world: World, tmp_path: Path) -> None:
    first, second = world.another_client(tmp_path), world.another_client(tmp_path)
    for client in (first, second):
        world.perform(client.token())
    world.cloud.revoke_tokens()
    for client in (first, second):
        world.perform(client.ask(LOOK))
    assert world.log_ins == 2


def test_the_refused_token_in_the_file_is_not_taken_for_a_new_one(world: World, tmp_path: Path) -> None:
    world.perform(world.another_client(tmp_path).token())
    world.cloud.revoke_tokens()
    world.perform(world.another_client(tmp_path).ask(LOOK))
    world.perform(world.another_client(tmp_path).ask(LOOK))
    assert (world.log_ins, world.counted("GET image")) == (2, 3)


def test_two_that_start_together_log_in_once(world: World, tmp_path: Path) -> None:
    early, late = (world.another_client(tmp_path).token() for _ in range(2))
    log_in = stop(early)
    assert isinstance(log_in, Request)
    assert isinstance(stop(late), Pause)
    assert isinstance(stop(late), Pause)
    token = stop(early, world.answer(log_in))
    assert stop(late) == token
    assert world.log_ins == 1


def test_it_is_told_whether_a_token_comes_from_a_log_in_just_made(world: World, tmp_path: Path) -> None:
    def obtaining(client: Client) -> Conversation[tuple[Token, bool]]:
        return LogIn(client.settings.credentials, client.tokens, client.now).obtain()

    one = world.another_client(tmp_path)
    first, second = world.in_turns([obtaining(one), obtaining(one)])
    token = one.tokens.recall(one.settings.credentials)
    assert (first, second) == ((token, True), (token, False))
    assert world.perform(obtaining(one)) == (token, False)
    assert world.perform(obtaining(world.another_client(tmp_path))) == (token, False)


def test_a_token_that_was_refused_is_not_remembered_from_where_others_kept_it(world: World, tmp_path: Path) -> None:
    client = world.another_client(tmp_path)
    world.perform(client.token())
    world.cloud.revoke_tokens()
    world.cloud.faults.add(Fault("log_in", "status", times=2))
    with pytest.raises(UnavailableError):
        world.perform(client.ask(LOOK))
    assert client.tokens.recall(client.settings.credentials) is None


def test_waiting_for_a_log_in_of_the_same_process_does_not_touch_the_disk(world: World, tmp_path: Path) -> None:
    client = world.another_client(tmp_path)
    early, late = client.token(), client.token()
    assert isinstance(stop(early), Request)
    assert isinstance(late.send(None), Pause)  # and no function, which would cost the event loop a thread
    early.close()


@pytest.mark.parametrize("shared", [True, False], ids=["one process", "processes"])
def test_twenty_that_start_together_log_in_once(world: World, tmp_path: Path, shared: bool) -> None:
    one = world.another_client(tmp_path)
    clients = [one if shared else world.another_client(tmp_path) for _ in range(20)]
    tokens = world.in_turns([client.token() for client in clients])
    assert isinstance(tokens[0], Token)
    assert tokens == [tokens[0]] * 20
    assert world.log_ins == 1


@pytest.mark.parametrize("kind", ["bad_json", "empty", "html"])
def test_a_log_in_that_is_answered_with_nonsense_is_transient(world: World, kind: Any) -> None:
    world.cloud.faults.add(Fault("log_in", kind, when="after", status=201, times=2))
    with pytest.raises(MalformedResponseError):
        world.ask(LOOK)
    assert world.ask(LOOK).is_active


@both_drivers
def test_a_log_in_that_failed_gives_the_lock_back(world: World, tmp_path: Path) -> None:
    world.reachable = False
    with pytest.raises(ConnectError):
        world.perform(world.another_client(tmp_path).token())
    world.reachable = True
    world.perform(world.another_client(tmp_path).token())
    assert world.pauses == []


@pytest.mark.parametrize("shared", [True, False], ids=["one process", "processes"])
def test_an_owner_who_never_ends_does_not_block_for_ever(tmp_path: Path, shared: bool) -> None:
    world = World(on_loop=shared)
    stuck = world.another_client(tmp_path)
    assert stuck.tokens.lock(stuck.settings.credentials.login, "stuck")
    client = stuck if shared else world.another_client(tmp_path)
    world.perform(client.token())
    assert LONGEST_LOG_IN <= sum(world.pauses) < LONGEST_LOG_IN + 1
    assert 0.05 <= min(world.pauses) < 0.06
    assert 0.14 < max(world.pauses) <= 0.15
    assert stuck.tokens.is_locked(stuck.settings.credentials.login)  # who waited in vain took nothing away


def test_a_conversation_that_is_dropped_gives_the_lock_back(world: World, tmp_path: Path) -> None:
    dropped = world.another_client(tmp_path).token()
    assert isinstance(stop(dropped), Request)
    dropped.close()
    world.perform(world.another_client(tmp_path).token())
    assert world.pauses == []


def test_each_client_uses_the_project_of_its_token(world: World) -> None:
    def job(at: Service) -> Call[Any]:
        assert at.project_id == world.cloud.settings.project_id
        return protocol.get_job(at, "0" * 32)

    with pytest.raises(RefusedError) as refused:
        world.ask(job)
    assert refused.value.code == "IMG.0023"


def test_what_is_asked_for_is_returned(world: World) -> None:
    assert isinstance(world.ask(LOOK), Image)


def test_a_token_that_another_process_kept_and_that_is_refused_too_does_not_end_the_renewal(
    world: World, tmp_path: Path
) -> None:
    idle, busy = world.another_client(tmp_path), world.another_client(tmp_path)
    world.perform(idle.token())
    world.cloud.revoke_tokens()
    world.perform(busy.ask(LOOK))
    world.cloud.revoke_tokens()
    assert world.perform(idle.ask(LOOK)).is_active
    assert world.log_ins == 3


def test_the_life_of_a_token_begins_when_it_was_asked_for_by_the_clock_of_whoever_asked(world: World) -> None:
    ahead = world.now + timedelta(days=1)
    token = world.perform(replace(world.client, now=lambda: ahead).token())
    assert (token.issued_at, token.expires_at) == (ahead, ahead + timedelta(days=1))


def test_a_clock_that_is_a_day_ahead_costs_no_log_in(world: World) -> None:
    ahead = replace(world.client, now=lambda: world.now + timedelta(days=1))
    for _ in range(3):
        world.perform(ahead.ask(LOOK))
    assert world.log_ins == 1
