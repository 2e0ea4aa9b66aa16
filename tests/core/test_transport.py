"""What is sent again and what never: the table row by row, and its budget."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_ims.errors import (
    ConnectError,
    ForbiddenError,
    ImsError,
    ImsPermanentError,
    JobInterruptedError,
    MalformedResponseError,
    RefusedError,
    ResponseLostError,
    ThrottledError,
    UnavailableError,
    UnclearSubmitError,
)
from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.transport import LONGEST_BACKOFF, Outcome, backoff, may_repeat, repeated, run
from tests.world import COPY, LOOK, World, both_drivers

READ, WRITE = Request("GET", "https://ims"), Request("POST", "https://ims", replays=0)
FLOW_CONTROL = b'{"error": {"code": "IMG.0060", "message": "Later."}}'

TABLE: list[tuple[Outcome, bool, bool]] = [  # outcome, a read is repeated, a write is repeated
    (ConnectError("x"), True, True),
    (ResponseLostError("x"), True, False),
    (Response(429), True, True),
    (Response(400, {}, FLOW_CONTROL), True, True),
    (Response(400, {}, b'{"error": {"code": "IMG.0187"}}'), True, True),
    (Response(403, {}, b'{"error_code": "APIG.0308"}'), True, True),
    (Response(500, {}, FLOW_CONTROL), True, True),
    *((Response(status), True, False) for status in (408, 500, 502, 503, 504)),
    *((Response(status), False, False) for status in (201, 204, 302, 400, 401, 403, 404, 409, 413, 501, 505)),
    (Response(200, {}, FLOW_CONTROL), False, False),
    *((Response(200, {}, body), True, False) for body in (b"", b"<html>", b'{"job": ')),
    (JobInterruptedError("x"), False, False),
    (MalformedResponseError("x"), False, False),
]


@pytest.mark.parametrize(("outcome", "read", "write"), TABLE)
def test_the_table(outcome: Outcome, read: bool, write: bool) -> None:
    assert (may_repeat(READ, outcome), may_repeat(WRITE, outcome)) == (read, write)


def test_pauses_grow_to_a_ceiling_and_are_spread() -> None:
    for attempt, ceiling in ((1, 2.0), (3, 8.0), (6, LONGEST_BACKOFF), (10_000, LONGEST_BACKOFF)):
        pauses = [backoff(attempt, Response(503)) for _ in range(50)]
        assert ceiling / 2 < max(pauses) <= ceiling
        assert min(pauses) < ceiling / 2
    lost = [backoff(3, ResponseLostError("x")) for _ in range(50)]
    assert 4 < max(lost) <= 8


def test_what_the_cloud_asks_for_is_waited_for() -> None:
    pauses = [backoff(1, Response(429, {"Retry-After": "30"})) for _ in range(50)]
    assert 30 <= min(pauses) < max(pauses) <= 31


MOMENTARY = [
    Fault("image", "status", times=2, status=503),
    Fault("image", "status", times=2, status=504, when="after"),
    Fault("image", "status", times=2, status=429),
    Fault("image", "reset_before", times=2),
    Fault("image", "reset_after", times=2),
    Fault("image", "hang", times=2),
    Fault("image", "truncated", times=2),
    Fault("image", "bad_json", times=2),
    Fault("image", "html", times=2, status=200),
    Fault("image", "empty", times=2, when="after"),
]


@pytest.mark.parametrize("fault", MOMENTARY, ids=lambda fault: f"{fault.kind} {fault.status}")
def test_reading_is_repeated_while_patience_lasts(world: World, fault: Fault) -> None:
    world.cloud.faults.add(fault, fault)
    with pytest.raises(ImsError):
        world.ask(LOOK)
    assert world.pauses == []
    assert world.ask(LOOK, patience=600.0).is_active
    assert (world.counted("GET image"), len(world.pauses)) == (5, 3)


UNCLEAR = [
    Fault("copy", "reset_after", times=None),
    Fault("copy", "status", times=None, status=504, when="after"),
    Fault("copy", "status", times=None, status=504, code=""),
    Fault("copy", "status", times=None, status=500),
    Fault("copy", "status", times=None, status=502),
    Fault("copy", "status", times=None, status=503),
    Fault("copy", "status", times=None, status=408),
    Fault("copy", "status", times=None, status=400, code="IMG.0014"),
    Fault("copy", "status", times=None, status=400, code="IMG.0018"),
    Fault("copy", "status", times=None, status=400, code="IMG.0061"),
    Fault("copy", "truncated", times=None),
    Fault("copy", "bad_json", times=None),
    Fault("copy", "empty", times=None, when="after"),
    Fault("copy", "html", times=None, status=200, when="after"),
    Fault("copy", "hang", times=None, when="after"),
    Fault("copy", "reset_before", times=None),
]


@pytest.mark.parametrize("fault", UNCLEAR, ids=lambda fault: f"{fault.kind} {fault.status} {fault.when}")
def test_a_copy_is_never_sent_twice_after_an_unclear_outcome(world: World, fault: Fault) -> None:
    world.cloud.faults.add(fault)
    with pytest.raises(UnclearSubmitError, match="not sent again: look in IMS") as unclear:
        world.ask(COPY, patience=3600.0)
    assert (world.counted("POST copy"), len(world.cloud.jobs)) == (1, fault.carries_out)
    assert isinstance(unclear.value, ImsPermanentError)


REFUSED_FOR_NOW = [
    Fault("copy", "status", times=2, status=429),
    Fault("copy", "status", times=2, status=400, code="IMG.0060"),
    Fault("copy", "status", times=2, status=400, code="IMG.0187"),
]


@both_drivers
@pytest.mark.parametrize("fault", REFUSED_FOR_NOW, ids=lambda fault: fault.code or fault.status)
def test_a_copy_that_was_refused_for_now_is_sent_again(world: World, fault: Fault) -> None:
    world.cloud.faults.add(fault)
    world.ask(COPY, patience=600.0)
    assert (world.counted("POST copy"), len(world.cloud.jobs)) == (3, 1)


@both_drivers
def test_a_copy_that_was_never_sent_is_sent_again(world: World) -> None:
    world.ask(LOOK)
    world.reachable = False
    with pytest.raises(ConnectError):
        world.ask(COPY, patience=20.0)
    tried = len(world.requests) - 2
    world.reachable = True
    world.ask(COPY)
    assert (tried > 2, len(world.cloud.jobs)) == (True, 1)


@pytest.mark.parametrize(("status", "kind"), [(400, RefusedError), (403, ForbiddenError), (302, RefusedError)])
def test_a_copy_that_was_refused_is_sent_once(world: World, status: int, kind: type[ImsError]) -> None:
    code = "IMG.0001" if status == 400 else None
    world.cloud.faults.add(Fault("copy", "status", times=None, status=status, code=code))
    with pytest.raises(kind):
        world.ask(COPY, patience=600.0)
    assert world.counted("POST copy") == 1


@both_drivers
@pytest.mark.parametrize("patience", [0.0, 5.0, 60.0])
def test_the_budget_is_kept(world: World, patience: float) -> None:
    world.cloud.faults.add(Fault("image", "status", times=None, status=503))
    with pytest.raises(UnavailableError):
        world.ask(LOOK, patience)
    assert sum(world.pauses) <= patience
    assert world.counted("GET image") == len(world.pauses) + 1


@both_drivers
def test_a_wish_beyond_the_budget_is_not_waited_for(world: World) -> None:
    world.cloud.faults.add(Fault("image", "status", status=429, retry_after=61))
    with pytest.raises(ThrottledError) as throttled:
        world.ask(LOOK, patience=60.0)
    assert (world.pauses, throttled.value.retry_after) == ([], 61)


@both_drivers
def test_each_request_of_a_conversation_has_its_own_patience(world: World) -> None:
    for route in ("log_in", "image"):
        world.cloud.faults.add(Fault(route, "status", status=429, retry_after=40))
    assert world.ask(LOOK, patience=60.0).is_active
    assert 80 <= sum(world.pauses) <= 82


FLEETING: list[tuple[Fault, type[ImsError]]] = [
    (Fault("log_in", "status", times=2, status=500), UnavailableError),
    (Fault("log_in", "status", times=2, status=503), UnavailableError),
    (Fault("log_in", "status", times=2, status=429, code="IAM.0012"), ThrottledError),
    (Fault("log_in", "reset_before", times=2), ImsError),
    (Fault("log_in", "truncated", times=2), ImsError),
]


@pytest.mark.parametrize(("fault", "kind"), FLEETING)
def test_a_log_in_that_fails_for_a_moment_is_repeated_with_patience(
    world: World, fault: Fault, kind: type[ImsError]
) -> None:
    world.cloud.faults.add(fault)
    with pytest.raises(kind):
        world.perform(world.another_client().ask(LOOK))
    world.perform(world.another_client().ask(LOOK), patience=60.0)
    assert world.counted("POST log_in") == 3


def test_the_first_pause_is_the_shortest() -> None:
    pauses: list[float] = []
    for _ in range(200):
        answers = iter([Response(503), Response(404)])
        run(repeated(READ, 2.0), lambda request, answers=answers: next(answers), sleep=pauses.append)  # type: ignore[misc]
    assert 1 < max(pauses) <= 2


@pytest.mark.parametrize("replays", [0, 1, 2])
def test_where_nobody_knows_a_request_is_sent_again_as_often_as_it_says(replays: int) -> None:
    request, sent = Request("GET", "https://ims", replays=replays), []
    assert may_repeat(request, Response(503)) is (replays > 0)
    run(repeated(request, 1e9), lambda each: sent.append(each) or Response(503), sleep=lambda seconds: None)  # type: ignore[func-returns-value]
    assert sent == [request] * (replays + 1)


def test_why_a_request_is_sent_again_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.ask(LOOK)
    world.cloud.faults.add(Fault("image", "status", status=503), Fault("image", "html", status=200))
    world.cloud.faults.add(Fault("image", "reset_before"))
    with caplog.at_level(logging.INFO):
        world.ask(LOOK, patience=600.0)
    said = [record.getMessage() for record in caplog.records if "sent again" in record.getMessage()]
    reasons = [each.partition(": ")[2].partition(";")[0] for each in said]
    assert reasons == ["HTTP 503", "the answer is no JSON object", "No complete answer from https://cloud.invalid."]


def test_what_is_still_refused_in_the_end_is_the_last_answer() -> None:
    answers = iter([Response(503), Response(502), Response(404)])
    assert run(repeated(READ, 600.0), lambda request: next(answers), sleep=lambda seconds: None).status == 404
