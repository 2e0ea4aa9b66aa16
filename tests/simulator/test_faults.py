"""Faults on request: when they strike, how often, and whether the request had its effect."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_ims.simulator import Fault
from airflow_provider_ims.simulator.faults import FaultKind
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.simulator.visitor import PROJECT, Visitor, code, logged_in, read

NO_NUMBER = {"route": "copy", "kind": "delay", "seconds": "long"}
COPY = f"/v1/cloudimages/{PLAIN_IMAGE}/copy"


@pytest.mark.parametrize(
    ("fault", "connection", "status", "jobs"),
    [
        (Fault("copy", "status", status=504), "kept", 504, 0),
        (Fault("copy", "status", status=504, when="after"), "kept", 504, 1),
        (Fault("copy", "reset_before"), "reset_before", None, 0),
        (Fault("copy", "reset_after"), "reset_after", None, 1),
        (Fault("copy", "hang"), "hang", None, 0),
        (Fault("copy", "hang", when="after"), "hang", None, 1),
        (Fault("copy", "truncated"), "truncated", 200, 1),
        (Fault("copy", "html", status=502), "kept", 502, 0),
        (Fault("copy", "wrong_content_type"), "kept", 200, 1),
        (Fault("copy", "bad_json"), "kept", 200, 1),
        (Fault("copy", "empty", status=200), "kept", 200, 0),
        (Fault("copy", "no_fields"), "kept", 200, 1),
        (Fault("copy", "redirect", when="after"), "kept", 302, 0),
        (Fault("*", "delay", seconds=3.0), "kept", 200, 1),
        (Fault("job", "status"), "kept", 200, 1),
    ],
)
def test_what_strikes_a_copy(fault: Fault, connection: str, status: int | None, jobs: int) -> None:
    visitor = logged_in()
    visitor.cloud.faults.add(fault)
    reply = visitor.reply("POST", COPY, {"name": "new"})
    assert (reply.connection, reply.response and reply.response.status) == (connection, status)
    assert len(visitor.cloud.jobs) == jobs
    assert visitor.cloud.requests("copy")[0].status == status


def test_an_answer_can_be_spoiled_in_its_form() -> None:
    visitor = logged_in()
    kinds: tuple[FaultKind, ...] = ("wrong_content_type", "bad_json", "html", "no_fields")
    visitor.cloud.faults.add(*[Fault("list", kind) for kind in kinds])
    answers = [visitor.ask("GET", "/v2/cloudimages?name=source-001") for _ in kinds]
    assert [answer.header("content-type") for answer in answers] == [
        "text/plain",
        "application/json",
        "text/html; charset=UTF-8",
        "application/json",
    ]
    assert read(answers[3]) == {}
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        read(answers[1])


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("job", "status", status=429, retry_after=9), (429, "APIGW.0308")),
        (Fault("job", "status", status=400, code="IMG.0060"), (400, "IMG.0060")),
        (Fault("job", "status", status=401), (401, "APIGW.0307")),
        (Fault("job", "status", status=503, code=""), (503, None)),
        (Fault("*", "status", status=500), (500, "APIGW.0601")),
    ],
)
def test_a_status_comes_with_the_body_it_really_has(fault: Fault, expected: tuple[int, Any]) -> None:
    visitor = logged_in()
    copied = visitor.copy()
    visitor.cloud.faults.add(fault)
    response = visitor.ask("GET", f"/v1/{PROJECT}/jobs/{read(copied)['job_id']}")
    assert code(response) == expected
    assert response.header("retry-after") == (str(fault.retry_after) if fault.retry_after else None)


def test_iam_fails_in_its_own_shape() -> None:
    visitor = Visitor()
    visitor.cloud.faults.add(Fault("log_in", "status", status=503))
    assert read(visitor.log_in()) == {
        "error": {"code": 503, "message": "Service Unavailable", "title": "Service Unavailable"}
    }
    assert visitor.log_in().status == 201


def test_faults_strike_in_order_and_as_often_as_they_should() -> None:
    visitor = logged_in()
    visitor.cloud.faults.add(Fault("list", "status", times=2, status=500), Fault("*", "status", times=1, status=502))
    assert [visitor.ask("GET", "/v2/cloudimages").status for _ in range(4)] == [500, 500, 502, 200]
    assert len(visitor.cloud.faults) == 0


def test_a_fault_without_end_lasts_until_it_is_cleared() -> None:
    visitor = logged_in()
    visitor.cloud.faults.add(Fault("list", "status", times=None))
    assert {visitor.ask("GET", "/v2/cloudimages").status for _ in range(50)} == {503}
    visitor.cloud.faults.clear()
    assert visitor.ask("GET", "/v2/cloudimages").status == 200


def test_delays_add_up_with_another_fault() -> None:
    visitor = logged_in()
    visitor.cloud.faults.add(Fault("*", "delay", seconds=2.0), Fault("list", "delay"), Fault("list", "reset_after"))
    reply = visitor.reply("GET", "/v2/cloudimages")
    assert (reply.delay, reply.connection) == (3.0, "reset_after")


def test_chance_follows_from_the_seed() -> None:
    def fortune(seed: int) -> list[int]:
        visitor = logged_in(seed=seed)
        visitor.cloud.faults.add(Fault("list", "status", times=None, probability=0.5))
        return [visitor.ask("GET", "/v2/cloudimages").status for _ in range(200)]

    assert fortune(1) == fortune(1) != fortune(2)
    assert 60 < fortune(1).count(503) < 140


@pytest.mark.parametrize(
    "wrong", [{"route": "nowhere", "kind": "status"}, {"route": "copy"}, {"colour": "red"}, NO_NUMBER]
)
def test_a_fault_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|has the fields"):
        Fault.read(wrong)
