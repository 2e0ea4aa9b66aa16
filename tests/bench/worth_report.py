"""Part ``worth``: the same waits in a plain loop, with one of the product's choices undone at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import get_args

from tests.bench.loads import Figures, measure
from tests.bench.report import Panels, Promise, Report, bars, filled, machine, table
from tests.bench.waiting import Choice, Load

INTERVAL, WINDOW = 10.0, 20.0
NAMES = {"": "as it is", "sharing": "nothing shared", "spreading": "looks not spread", "token": "token not kept"}
HEADINGS = (
    "",
    "CPU a look",
    "memory a wait",
    "log-ins",
    "connections",
    "look-ups",
    "most requests in a second",
    "loop lag p99",
    "last end noticed after",
)
CAPTION = """
One run of `make bench`: {machine}, {count:,} triggers in a plain loop, a look every {interval:.0f} s at each job; what
is measured is as in the table of triggers. *Nothing shared*: each trigger has an Airflow connection of its own, all of
them to the same cloud, and so a session, a look-up and a pace of its own (here a look-up reads an environment variable;
in a triggerer it takes about 20 ms, one after the other). *Looks not spread*: all first looks are due at the same
instant, and intervals have no jitter. *Token not kept*: each look logs in anew, without waiting for the others.
"""


def report(count: int, say: Callable[[str], None]) -> Report:
    """Measure, one after the other."""
    figures = []
    for without in get_args(Choice):
        say(f"{count} triggers, {NAMES[without]}")
        figures += measure([Load("triggers", count, INTERVAL, WINDOW, without)])
    raw = [asdict(each) for each in figures]
    promises = [
        Promise.at_most(f"{NAMES[each.without]}: waits that did not end with success", each.count - each.succeeded, 0)
        for each in figures
    ]
    return Report("worth", markdown(figures), partial(draw, figures), promises, raw)


def markdown(figures: Sequence[Figures]) -> str:
    """The table, and what its lines mean."""
    rows = [
        [
            NAMES[each.without],
            f"{each.cpu_a_look:.2f} ms",
            f"{each.rss_a_wait:.0f} kB",
            str(each.log_ins),
            str(each.connections),
            str(each.look_ups),
            str(each.peak),
            f"{each.lag.p99:.0f} ms",
            f"{each.noticed.most * each.interval:.1f} s",
        ]
        for each in figures
    ]
    caption = CAPTION.format(machine=machine(), count=figures[0].count, interval=INTERVAL)
    return f"{table(HEADINGS, rows)}\n\n{filled(caption)}"


PANELS: Panels[Figures] = {
    "CPU a look, ms": ("{:.2f}", lambda each: each.cpu_a_look),
    "memory a wait, kB": ("{:.0f}", lambda each: each.rss_a_wait),
    "log-ins": ("{:.0f}", lambda each: each.log_ins),
    "connections": ("{:.0f}", lambda each: each.connections),
    "most requests in a second": ("{:.0f}", lambda each: each.peak),
}


def draw(figures: Sequence[Figures], path: Path) -> None:
    """A panel a figure, a bar a choice."""
    bars(path, PANELS, [(NAMES[each.without], each, not each.without) for each in figures])
