"""The figures of a start of all triggers at once, and of a throttled cloud, each with its definition."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.crowd import Crowd, Spread
from tests.bench.loads import Window
from tests.bench.waiting import Load


@dataclass(frozen=True, slots=True)
class Storm:
    """A start of all triggers at once, and a throttled cloud. Times are seconds, rates requests a second."""

    count: int
    interval: float
    window: float
    """For which the rate before was counted."""
    throttled_for: float
    until_first: float
    """From the start of the triggerer's process to the first request."""
    until_all: float
    """From the first request until all jobs had been looked at."""
    look_ups: int
    """Until then."""
    log_ins: int
    lag: Spread
    """Milliseconds, until then: see ``Figures``."""
    rate_before: float
    rate_throttled: float
    refused: int
    """Requests that the cloud refused in all that time."""
    until_news: float
    """From the end of the throttling to the first look that was answered."""
    until_all_news: float
    """From the end of the throttling until all jobs had been looked at again."""
    lost: int
    """Tasks that did not end with success, though their jobs did."""
    a_second: list[int]
    """Requests in each second, from the first one on."""
    throttled_at: float
    """Seconds from the first request to the begin of the throttling."""


def storm_of(load: Load, gathered: Crowd, started: float, window: Window, after: float) -> Storm:
    """The figures of the storm, and of the throttled time before ``after``."""
    throttled, settled = window.undisturbed, window.settled
    first, news = gathered.seen[0].at, gathered.first_looks(after)
    refused = sum(each.status == 429 for each in gathered.seen)
    usual = throttled - window.counted.at
    return Storm(
        count=load.count,
        interval=load.interval,
        window=usual,
        throttled_for=after - throttled,
        until_first=first - started,
        until_all=gathered.first_looks()[-1] - first,
        look_ups=settled.look_ups,
        log_ins=sum(each.route == "log_in" for each in gathered.seen),
        lag=Spread.of(1000 * seconds for seconds in settled.late),
        rate_before=len(gathered.looks(window.counted.at, throttled)) / usual,
        rate_throttled=refused / (after - throttled),
        refused=refused,
        until_news=news[0] - after,
        until_all_news=news[-1] - after,
        lost=load.count - window.over.ends["success"],
        a_second=gathered.requests_a_second(first, window.over.at),
        throttled_at=throttled - first,
    )
