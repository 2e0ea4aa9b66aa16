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
    clock = Clock()
    pace = Pace(clock)
    pace.heed(GOOD, sent=0.0)
    assert pace.refusal() is None
    pace.heed(ASKED, sent=0.0)
    assert pace.refusal() is not None


def test_what_was_sent_before_the_refusal_came_tells_nothing_of_the_time_after() -> None:
    clock = Clock()
    pace = Pace(clock)
    clock.now = 1.0
    for answer in (ASKED, GOOD, Response(429), Response(429)):
        pace.heed(answer, sent=0.5)
    assert (pace.refusals, pace.refusal() is not None) == (1, True)
    clock.now = 20.5
    assert pace.refusal() is not None, "the cloud had asked for 20 s"


def test_what_others_are_told_is_the_clouds_refusal_and_how_long_it_still_lasts() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.heed(ASKED, sent=0.0)
    clock.now = 15.5
    told = pace.refusal()
    assert told is not None
    assert (told.status, told.body) == (ASKED.status, ASKED.body)
    assert 4 < float(told.header("Retry-After") or 0) <= 6


def test_then_one_tries_and_the_others_wait_for_what_comes_of_it() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.heed(ASKED, sent=0.0)
    clock.now = 22.0
    assert [pace.refusal() is None for _ in range(3)] == [True, False, False]
    pace.heed(GOOD, sent=22.0)
    assert [pace.refusal() for _ in range(3)] == [None] * 3
    assert pace.refusals == 0


def test_an_answer_to_what_was_sent_when_the_refusal_came_tells_of_the_time_after() -> None:
    clock = Clock()
    pace = Pace(clock)
    clock.now = 1.0
    pace.heed(ASKED, sent=0.0)
    pace.heed(GOOD, sent=1.0)
    assert pace.refusal() is None


def test_one_tries_each_minute_however_long_the_cloud_asks_to_wait() -> None:
    """Or a wait whose job is over long since would end as one that took too long."""
    clock = Clock()
    pace = Pace(clock)
    pace.heed(Response(429, {"Retry-After": "3600"}), sent=0.0)
    tried = []
    for clock.now in range(1, 601):
        if pace.refusal() is None:
            tried.append(clock.now)  # and no answer comes
    assert tried == list(range(60, 601, 60))


def test_refusals_that_say_nothing_are_further_and_further_apart() -> None:
    clock = Clock()
    pace, sent = Pace(clock), 0
    for _ in range(6000):  # for ten minutes, ten ask each second
        if pace.refusal() is None:
            sent += 1
            pace.heed(Response(429), clock.now)
        clock.now += 0.1
    assert 10 < sent < 60
