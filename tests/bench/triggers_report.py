"""Part ``triggers``: what it takes to wait for very many jobs in one event loop, beside a hand-tuned poller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from airflow_provider_ims.waiting import JITTER
from tests.bench.loads import Figures, measure
from tests.bench.report import OURS, THEIRS, Promise, Report, filled, machine, svg, table
from tests.bench.triggerer import ENDS_A_SECOND, RealTriggerer
from tests.bench.waiting import Load

INTERVAL, WINDOW = 30.0, 30.0
HEADINGS = (
    "waits",
    "in",
    "looks a second",
    "CPU a look",
    "memory a wait",
    "loop lag, median / p99 / most",
    "gap, least / median / most",
    "end noticed after, median / most",
    "log-ins",
    "connections",
    "look-ups",
)
CAPTION = """
One run of `make bench`: {machine}; a look every {interval:.0f} s at each job, triggers and poller of the same number
at the same time, each in one event loop in a process of its own and on a simulator of its own, which runs in the
bench's process. *Poller*: the floor, hand-tuned (`tests/bench/poller.py`): one session, one token, one fixed
schedule. *Triggerer*: a real one, Airflow {airflow} on {database}, {real} triggers started at once and cold; of its
CPU a look, {own:.2f} ms are the product's, the rest Airflow's (the same triggers cost {asleep:.0f} ms CPU a second
while they sleep; the poller in the same loop, beside them, takes {poller:.2f} ms a look besides). *CPU a look*: user
and system of the loop's process in {window:.0f} s in which all wait and nothing else is measured, divided by the
looks that arrived meanwhile. *Memory a wait*: what is resident at the end of that time, less what was just before the
first wait was made (in the triggerer: before that of an earlier process of it), divided by their number; from 1,000
to 5,000 triggers it grows by {slope} kB a trigger. *Loop lag*: how much later than it should a coroutine wakes that
sleeps for 10 ms again and again, afterwards and until all have ended (in the triggerer without the time in which its
cloud throttles). The simulator answers at once: with eight connections, a cloud that answers after 0.1 s carries 80
looks a second. *Gap*: between two looks at one job; *end noticed after*: from a job's end to the arrival of the first
look after it; both as parts of the interval; the jobs end within half an interval, those of the triggerer {ends:.0f}
a second, for it stands still where it has more ends to write to the database than it can. *Log-ins*, *connections*:
as the cloud saw them in all (those of the triggerer until its cloud throttles); *look-ups*: of Airflow connections
(in the triggerer those of an example DAG's `ImageTrigger` as well, one a minute).
"""
MOST_TIMES_FLOOR = 1.5
MOST_LAG = 50.0
MOST_CONNECTIONS = 8


def report(counts: Sequence[int], real: RealTriggerer, say: Callable[[str], None]) -> Report:
    """Measure the plain loops, and put them beside the real triggerer."""
    pairs = []
    for count in counts:
        say(f"{count} triggers in a plain loop, and the poller beside")
        pairs.append(measure([Load(kind, count, INTERVAL, WINDOW) for kind in ("triggers", "poller")]))
        say(f"CPU a look: {pairs[-1][0].cpu_a_look:.3f} ms, the poller's {pairs[-1][1].cpu_a_look:.3f} ms")
    figures = [each for pair in pairs for each in pair]
    raw = {"plain": [asdict(each) for each in figures], "triggerer": asdict(real)}
    return Report("triggers", markdown(figures, real), partial(draw, figures, real), [*promises(figures, real)], raw)


def markdown(figures: Sequence[Figures], real: RealTriggerer) -> str:
    """The table, and what its columns mean."""
    names = {"triggers": "plain loop", "poller": "poller"}
    rows = [row(names[each.kind], each) for each in figures] + [row("triggerer", real.figures)]
    rows.sort(key=lambda cells: int(cells[0].replace(",", "")))
    caption = CAPTION.format(
        machine=machine(),
        interval=INTERVAL,
        window=WINDOW,
        airflow=real.airflow,
        database=real.database,
        real=f"{real.figures.count:,}",
        own=real.cpu_a_look,
        ends=ENDS_A_SECOND,
        asleep=1000 * real.asleep_cpu,
        poller=real.poller_cpu_a_look,
        slope=slope(figures),
    )
    return f"{table(HEADINGS, rows)}\n\n{filled(caption)}"


def slope(figures: Sequence[Figures]) -> str:
    """kB a trigger, from the second largest number of triggers to the largest."""
    ours = sorted((each for each in figures if each.kind == "triggers"), key=lambda each: each.count)[-2:]
    if len(ours) < 2:
        return "(one number only)"
    return f"{1024 * (ours[1].rss - ours[0].rss) / (ours[1].count - ours[0].count):.0f}"


def row(name: str, each: Figures) -> list[str]:
    return [
        f"{each.count:,}",
        name,
        f"{each.looks_a_second:.0f}",
        f"{each.cpu_a_look:.2f} ms",
        f"{each.rss_a_wait:.0f} kB",
        f"{each.lag.median:.1f} / {each.lag.p99:.0f} / {each.lag.most:.0f} ms",
        f"{each.gap.least:.2f} / {each.gap.median:.2f} / {each.gap.most:.2f}",
        f"{each.noticed.median:.2f} / {each.noticed.most:.2f}",
        str(each.log_ins),
        str(each.connections),
        str(each.look_ups),
    ]


def promises(figures: Sequence[Figures], real: RealTriggerer) -> Iterator[Promise]:
    """Everything that must hold."""
    floors = {each.count: each.cpu_a_look for each in figures if each.kind == "poller"}
    for each in (each for each in figures if each.kind == "triggers"):
        of = f"{each.count} triggers"
        times = each.cpu_a_look / floors[each.count]
        yield Promise.at_most(f"{of}: CPU a look, times the poller's", times, MOST_TIMES_FLOOR)
        yield from _of_one(of, each)
    of = f"{real.figures.count} triggers in a triggerer"
    times = real.cpu_a_look / real.poller_cpu_a_look
    yield Promise.at_most(f"{of}: CPU a look without Airflow's, times the poller's there", times, MOST_TIMES_FLOOR)
    yield from _of_one(of, real.figures)


def _of_one(of: str, each: Figures) -> Iterator[Promise]:
    yield Promise.at_most(f"{of}: loop lag p99, ms", each.lag.p99, MOST_LAG)
    yield Promise.at_most(f"{of}: log-ins", each.log_ins, 1)
    yield Promise.at_most(f"{of}: connections", each.connections, MOST_CONNECTIONS)
    yield Promise.at_most(f"{of}: intervals until the last end is noticed", each.noticed.most, 1 + JITTER)
    yield Promise.at_most(f"{of}: waits that did not end with success", each.count - each.succeeded, 0)


PANELS: dict[str, Callable[[Figures], float]] = {
    "CPU a look, ms": lambda each: each.cpu_a_look,
    "resident memory of the process, MB": lambda each: each.rss,
    "loop lag p99, ms": lambda each: each.lag.p99,
}


def draw(figures: Sequence[Figures], real: RealTriggerer, path: Path) -> None:
    """A panel a figure: how it grows with the number of waits."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3), layout="constrained")
    lines = {"triggers, plain loop": ("triggers", OURS), "hand-tuned poller": ("poller", THEIRS)}
    for axes, (title, value) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        for label, (kind, colour) in lines.items():
            shown = [each for each in figures if each.kind == kind]
            axes.plot([each.count for each in shown], [value(each) for each in shown], "o-", color=colour, label=label)
        axes.plot([real.figures.count], [value(real.figures)], "D", color="black", label="triggers, real triggerer")
        counts = sorted({each.count for each in figures})
        axes.set_xticks(counts, [f"{count:,}" for count in counts])
        axes.set_ylim(bottom=0)
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(fontsize=8, frameon=False, loc="lower right")
    svg(figure, path)
