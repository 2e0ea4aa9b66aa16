"""What many waits share: a refusal for flow control that one of them met."""

from __future__ import annotations

from airflow_provider_ims.models import Response
from airflow_provider_ims.transport import Pace


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


ASKED, GOOD = Response(429, {"retry-after": "20"}, b"{}"), Response(200, {}, b"{}")


def test_a_pace_lets_all_pass_until_one_is_refused() -> None:
    pace = Pace(Clock())
    pace.heed(GOOD)
    assert pace.refusal() is None
    pace.heed(ASKED)
    assert pace.refusal() is not None
    pace.heed(GOOD)  # the answer to one that was on its way
    assert pace.refusal() is None


def test_what_others_are_told_is_the_clouds_refusal_and_how_long_it_still_lasts() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.heed(ASKED)
    clock.now = 15.5
    told = pace.refusal()
    assert told is not None
    assert (told.status, told.body) == (ASKED.status, ASKED.body)
    assert 4 < float(told.header("Retry-After") or 0) <= 6


def test_then_one_tries_and_the_others_wait_for_what_comes_of_it() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.heed(ASKED)
    clock.now = 22.0
    assert [pace.refusal() is None for _ in range(3)] == [True, False, False]
    pace.heed(GOOD)
    assert [pace.refusal() for _ in range(3)] == [None] * 3


def test_refusals_that_say_nothing_are_further_and_further_apart() -> None:
    clock = Clock()
    pace, sent = Pace(clock), 0
    for _ in range(6000):  # for ten minutes, ten ask each second
        if pace.refusal() is None:
            sent += 1
            pace.heed(Response(429))
        clock.now += 0.1
    assert 10 < sent < 60
