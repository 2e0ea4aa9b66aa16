"""Part ``storm``: very many triggers start at once, cold, in a real triggerer; later the cloud throttles everything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tests.bench.report import OURS, Promise, Report, filled, machine, svg, table
from tests.bench.storm_figures import Storm
from tests.bench.triggerer import RealTriggerer

CAPTION = """
One run of `make bench`: {machine}, Airflow {airflow} on {database}, its triggerer started with {count:,} triggers
waiting, whose first look is due since long, a look every {interval:.0f} s, and no token anywhere; the simulator has
no limits, then for {throttled:.0f} s refuses every request with status 429 and says not when to come back; then the
jobs end. *Rates* are requests that arrived, a second, in the mean: before, in the {window:.0f} s up to the throttling;
during it, all that were refused. The triggerer takes all triggers at once (`max_trigger_to_select_per_loop`, otherwise
50 a second).
"""
MOST_LOOK_UPS = 3
MOST_OF_RATE = 1 / 20


def report(real: RealTriggerer) -> Report:
    """The part's outcome."""
    return Report("storm", markdown(real), partial(draw, real.storm), list(promises(real.storm)), asdict(real.storm))


def markdown(real: RealTriggerer) -> str:
    """The table, and what its lines mean."""
    storm = real.storm
    caption = CAPTION.format(
        machine=machine(),
        airflow=real.airflow,
        database=real.database,
        count=storm.count,
        interval=storm.interval,
        throttled=storm.throttled_for,
        window=storm.window,
    )
    return f"{table(('', f'{storm.count:,} triggers'), list(lines(storm).items()))}\n\n{filled(caption)}"


def lines(storm: Storm) -> dict[str, str]:
    """What was seen, in words."""
    return {
        "look-ups of the connection": f"{storm.look_ups}",
        "log-ins": f"{storm.log_ins}",
        "from the first request until all jobs had been looked at": f"{storm.until_all:.1f} s",
        "the most requests in one second until then": f"{max(storm.a_second[: int(storm.until_all) + 1])}",
        "loop lag until then, p99 / most": f"{storm.lag.p99:.0f} / {storm.lag.most:.0f} ms",
        "requests a second before the throttling": f"{storm.rate_before:.1f}",
        "requests a second during it": f"{storm.rate_throttled:.2f} ({storm.refused} in all)",
        "from its end to the first look that was answered": f"{storm.until_news:.1f} s",
        "from its end until all jobs had been looked at again": f"{storm.until_all_news:.1f} s",
        "the most requests in one second after it": f"{max(after_throttling(storm), default=0)}",
        "waits lost": f"{storm.lost}",
    }


def after_throttling(storm: Storm) -> list[int]:
    """Requests in each second from the end of the throttling until all jobs had been looked at again."""
    begin = int(storm.throttled_at + storm.throttled_for) + 1
    return storm.a_second[begin : begin + int(storm.until_all_news)]


def promises(storm: Storm) -> Iterator[Promise]:
    """Everything that must hold."""
    of = f"{storm.count} triggers start cold"
    yield Promise.at_most(f"{of}: log-ins", storm.log_ins, 1)
    yield Promise.at_most(f"{of}: look-ups of the connection", storm.look_ups, MOST_LOOK_UPS)
    part = storm.rate_throttled / storm.rate_before
    yield Promise.at_most(f"{of}: requests while throttled, as a part of those before", part, MOST_OF_RATE)
    yield Promise.at_most(f"{of}: waits lost", storm.lost, 0)


def draw(storm: Storm, path: Path) -> None:
    """Requests in each second."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 2.8), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(storm.throttled_at, storm.throttled_at + storm.throttled_for, color="#eeeeee")
    axes.text(storm.throttled_at + storm.throttled_for / 2, max(storm.a_second) * 0.9, "throttled", ha="center")
    axes.bar(range(len(storm.a_second)), storm.a_second, width=1.0, color=OURS, align="edge")
    axes.set_title(f"requests a second, {storm.count:,} triggers, cold start at 0 s", fontsize=10)
    axes.set_xlabel("seconds")
    axes.spines[["top", "right"]].set_visible(False)
    svg(figure, path)
