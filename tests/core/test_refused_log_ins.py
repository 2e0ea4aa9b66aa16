"""A log-in that IAM refuses: sent once, said to all, and never often enough to lock the account."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_ims.auth import MOST_FAILURES, Conversation, Failures
from airflow_provider_ims.errors import (
    ImsError,
    LoginRefusedError,
    RefusedError,
    ResponseLostError,
    UnavailableError,
)
from airflow_provider_ims.models import Request
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.token_store import FailedLogIns
from tests.world import ADDRESS, COPY, LOOK, World, both_drivers, stop, token_store

WRONG = "wrong horse"


def test_twenty_with_a_wrong_password_send_it_once_and_all_say_why(world: World, tmp_path: Path) -> None:
    for together in (True, False):
        clients = [world.another_client(tmp_path, password=WRONG) for _ in range(10)]
        asked = [client.ask(COPY) for client in clients]
        ends = world.in_turns(asked) if together else [_refusal(world, each) for each in asked]
        assert {type(end) for end in ends} == {LoginRefusedError}
        assert all("The username or password is wrong." in str(end) for end in ends)
        assert all("domain_name" in str(end) and WRONG not in str(end) for end in ends)
    assert world.log_ins == 1


def _refusal(world: World, conversation: Conversation[Any]) -> LoginRefusedError:
    with pytest.raises(LoginRefusedError) as refused:
        world.perform(conversation, patience=60.0)
    return refused.value


def test_a_wrong_password_is_tried_again_only_after_16_minutes(world: World, tmp_path: Path) -> None:
    asked = partial(world.another_client, tmp_path, password=WRONG)
    said = str(_refusal(world, asked().token()))
    world.wait(959)
    assert "not tried again before 23:16:00 UTC" in str(_refusal(world, asked().token()))
    assert ("not tried again" in said, world.log_ins) == (False, 1)
    world.wait(1)
    _refusal(world, asked().token())
    assert world.log_ins == 2


def test_what_is_remembered_of_a_refusal_is_what_iam_said_and_what_was_known_before() -> None:
    world = World()
    now = world.now
    failures = Failures(world.client.settings.credentials, token_store(), lambda: now)
    before = FailedLogIns("No answer.", now, projects=("p1",), unanswered=1)
    sent = failures.one_unanswered(before)
    assert sent == replace(before, until=now + timedelta(minutes=16), unanswered=2)
    said = LoginRefusedError("Wrong.", 401, "IAM.0062", "r1")
    projects = ("p1", failures.who.project)
    assert failures.after(said, before, sent) == FailedLogIns("Wrong.", sent.until, "IAM.0062", "r1", projects, 1)
    first = failures.one_unanswered(FailedLogIns("", now))
    assert (first.message, first.unanswered) == (f"IAM at {failures.who.iam_url} did not answer the last log-ins.", 1)


@pytest.mark.parametrize(
    ("projects", "unanswered", "kind"),
    [
        (("eu-de",), 0, LoginRefusedError),
        (("a", "b", "c"), 0, LoginRefusedError),
        (("a", "b"), 1, LoginRefusedError),
        (("a",), 2, LoginRefusedError),
        ((), 3, ResponseLostError),
        ((), 2, None),
        (("a", "b"), 0, None),
        (("a",), 1, None),
    ],
)
def test_a_log_in_that_might_lock_the_account_is_not_tried_and_says_why(
    projects: tuple[str, ...], unanswered: int, kind: type[ImsError] | None
) -> None:
    world, store = World(), token_store()
    who = world.client.settings.credentials
    known = FailedLogIns("It failed.", world.now + timedelta(minutes=1), "C", "r1", projects, unanswered)
    store.remember(who.login, known)
    failures = Failures(who, store, lambda: world.now)
    if kind is None:
        failures.raise_if_refused()
        return
    with pytest.raises(ImsError) as refused:
        failures.raise_if_refused()
    said = "It failed. (It is not tried again before 23:01:00 UTC: five wrong log-ins lock the account.)"
    assert type(refused.value) is kind
    assert refused.value.args == (said, 401 if projects else None, "C", "r1", None)


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        *((LoginRefusedError("x", status), False) for status in (403, None)),
        *((UnavailableError("x", status), False) for status in (500, 503)),
        *((UnavailableError("x", status), True) for status in (408, 502, 504)),
        (ResponseLostError("x"), True),
        (RefusedError("x", 400), False),
    ],
)
def test_what_may_have_counted_as_a_wrong_password(error: ImsError, counts: bool) -> None:
    world = World()
    failures = Failures(world.client.settings.credentials, token_store(), lambda: world.now)
    before = failures.lately()
    assert before == FailedLogIns("", world.now + timedelta(minutes=16))
    sent = failures.one_unanswered(before)
    assert failures.after(error, before, sent) == (sent if counts else before)


def test_a_clock_that_is_set_back_does_not_prolong_a_refusal(world: World, tmp_path: Path) -> None:
    _refusal(world, world.another_client(tmp_path, password=WRONG).token())
    world.now -= timedelta(hours=1)
    _refusal(world, world.another_client(tmp_path, password=WRONG).token())
    assert world.log_ins == 2


def test_a_changed_password_is_tried_at_once(world: World, tmp_path: Path) -> None:
    _refusal(world, world.another_client(tmp_path, password=WRONG).token())
    world.perform(world.another_client(tmp_path).ask(LOOK))
    assert world.log_ins == 2


def test_a_password_changed_in_the_cloud_is_refused_once_after_its_tokens_die(world: World) -> None:
    world.ask(LOOK)
    world.cloud.change(password="another one")
    world.cloud.revoke_tokens()
    for _ in range(3):
        _refusal(world, world.client.ask(LOOK))
    assert world.log_ins == 2


@both_drivers
def test_a_refused_log_in_is_never_repeated(world: World) -> None:
    world.cloud.change(wrong_password_message="No.")
    world.client = world.another_client(password=WRONG)
    assert "No." in str(_refusal(world, world.client.token()))
    assert (world.log_ins, world.pauses) == (1, [])


def test_one_wrong_password_for_many_projects_does_not_lock_the_account(world: World, tmp_path: Path) -> None:
    extra = {"region": "eu-de", "domain_name": world.cloud.settings.domain_name, "iam_endpoint": ADDRESS}
    for number in range(6):
        project = extra | {"project_name": f"eu-de_{number}"}
        _refusal(world, world.another_client(tmp_path, password=WRONG, extra=project).token())
    assert world.log_ins == MOST_FAILURES < world.cloud.settings.lockout_attempts


def test_a_project_mended_is_tried_at_once(world: World, tmp_path: Path) -> None:
    extra = {"region": "eu-de", "domain_name": world.cloud.settings.domain_name, "iam_endpoint": ADDRESS}
    _refusal(world, world.another_client(tmp_path, extra=extra | {"project_name": "eu-de_typo"}).token())
    world.perform(world.another_client(tmp_path).ask(LOOK))
    assert world.log_ins == 2


LOST = [
    Fault("log_in", "reset_after", times=None),
    Fault("log_in", "hang", times=None, when="after"),
    Fault("log_in", "status", times=None, status=504, when="after"),
]


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault.kind)
def test_a_wrong_password_whose_refusals_are_lost_does_not_lock_the_account(
    world: World, tmp_path: Path, fault: Fault
) -> None:
    world.cloud.faults.add(fault)
    for _ in range(6):
        with pytest.raises((ResponseLostError, UnavailableError)) as unanswered:
            world.perform(world.another_client(tmp_path, password=WRONG).token(), patience=600.0)
    assert "not tried again before" in str(unanswered.value)
    assert world.log_ins == MOST_FAILURES
    world.cloud.faults.clear()
    world.wait(960)
    _refusal(world, world.another_client(tmp_path, password=WRONG).token())
    assert world.log_ins == MOST_FAILURES + 1


def test_a_process_that_dies_in_a_log_in_counts_it(world: World, tmp_path: Path) -> None:
    for _ in range(MOST_FAILURES):
        assert isinstance(stop(world.another_client(tmp_path).token()), Request)  # and goes no further
    with pytest.raises(ResponseLostError, match="not tried again before"):
        world.perform(world.another_client(tmp_path).token())
    assert world.log_ins == 0


def test_log_ins_that_get_through_or_are_not_decided_count_for_nothing(world: World, tmp_path: Path) -> None:
    for status in (500, 503) * 3:
        world.cloud.faults.add(Fault("log_in", "status", status=status))
    for _ in range(3):
        with pytest.raises(UnavailableError):
            world.perform(world.another_client(tmp_path).token())
    for _ in range(4):
        world.cloud.faults.add(Fault("log_in", "reset_after"))
        client = world.another_client(tmp_path)
        world.perform(client.token())
        world.cloud.revoke_tokens()
        world.perform(client.ask(LOOK))


@pytest.mark.parametrize(
    ("status", "kind", "field"), [(403, LoginRefusedError, "login"), (404, RefusedError, "iam_endpoint")]
)
def test_what_else_a_log_in_is_refused_for_names_what_to_check(
    world: World, status: int, kind: type[Exception], field: str
) -> None:
    world.cloud.faults.add(Fault("log_in", "status", status=status))
    with pytest.raises(kind, match=f"Check the connection's {field}") as refused:
        world.ask(LOOK)
    assert type(refused.value) is kind
    assert world.ask(LOOK).is_active


def test_a_log_in_without_an_answer_is_sent_once_more_after_a_pause(world: World) -> None:
    for _ in range(200):
        world.cloud.faults.add(Fault("log_in", "reset_before"))
        world.perform(world.another_client().token())
    assert len(world.pauses) == 200
    assert 1.0 <= min(world.pauses) < 1.1
    assert 1.9 < max(world.pauses) <= 2.0
