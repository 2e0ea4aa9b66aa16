"""How the part ``ways`` is shown, and what its figures must keep."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.bench.report import Panels, Promise, Report, bars, filled, machine, table
from tests.bench.ways import (
    INTERVAL,
    OPERATOR,
    POKE,
    ROUNDS,
    SENSOR,
    SHORT,
    SLOTS,
    TRIGGERER,
    WAYS,
    Results,
    Way,
    raw,
)
from tests.bench.ways_figures import Figures

HEADINGS = (
    "way",
    "copies",
    "task processes",
    "slots held while waiting",
    "slot-seconds a copy",
    "log-ins",
    "HTTP requests",
    "TCP connections",
    "CPU",
    "database's CPU",
    "wall",
    "end noticed after",
    "task over after",
    "false failures",
)
CAPTION = """
One run of `make bench`: {machine}, Airflow {airflow} on {database}, LocalExecutor with {slots} slots, mapped copies
of 20 to 40 s in one simulator without limits, a look every 5 s, each way in a DAG file of its own. Fewer than
{short} copies ran {rounds} times, the ways in turns, and of each way the run with the median CPU is shown. *Task
processes*: those that the executor started, for the list of images, and for a log-in where it is a task, included.
*Slots held while waiting*: the part of the time between two looks at a job that was not over, for which one worker
slot was held from look to look (-: none was looked at twice). *Slot-seconds*: from when the executor started a
process until it saw its end (which it does up to 5 s late), by its own log. *Log-ins*, *requests*, *connections*:
as the cloud saw them. *CPU*: user and system, of all of Airflow's processes, tasks included, from the run's start
until ten seconds after its last process was gone, for the DAG processor may have to do then; an idle Airflow takes
{idle:.2f} s a second of it. *Database's CPU*: likewise, of PostgreSQL's processes. *End noticed after*: from a
job's end to the arrival of the first look after it; *task over after*: likewise to the end of the copy's last task;
both the median. *False failures*: tries that Airflow failed though nothing had: of sensors that came back to a worker
within six seconds, which a look every 5 s makes probable in `mode=reschedule`; the HTTP provider's have five retries,
one second apart, to come through. Our sensors have `weight_rule="upstream"`, so that they begin before the copies that
are still to be begun; the HTTP provider's, as it is by default, after them: of 100, most look once, when their job is
over.
"""
PANELS: Panels[Figures] = {
    "task processes": ("{:.0f}", lambda figures: figures.task_processes),
    "worker slot-seconds a copy": ("{:.1f}", lambda figures: figures.slot_seconds / figures.copies),
    "CPU, seconds": ("{:.0f}", lambda figures: figures.airflow_cpu),
    "end noticed after, seconds (median)": ("{:.1f}", lambda figures: figures.noticed_median),
}
"""The picture: what is shown, how it is written, and where it is."""

PROCESSES = {OPERATOR: 2, TRIGGERER: 1}
"""Task processes a copy, at most."""

ASKING = {OPERATOR: 1, SENSOR: 2, TRIGGERER: 1}
"""How many of them ask the cloud, each on one connection; one that takes the trigger's event does not."""

LATE = 0.05
"""Slots held while waiting, at most: the end of a process may be seen so late that it holds one until the next look."""

TRIGGERERS_CONNECTIONS = 4
"""Connections that the triggerer may have to IAM and IMS, for all that wait in it."""


def report(results: Results) -> Report:
    """The part's outcome."""
    return Report("ways", markdown(results), partial(draw, results), list(promises(results)), raw(results))


def markdown(results: Results) -> str:
    """The table, and what its columns mean."""
    numbers = sorted({each.copies for each in results.figures})
    rows = [row(way, results.of(way, copies)) for copies in numbers for way in WAYS]
    return f"{table(HEADINGS, rows)}\n\n{caption(results)}"


def row(way: Way, figures: Figures) -> list[str]:
    """A way's line."""
    return [
        way.title,
        str(figures.copies),
        str(figures.task_processes),
        "-" if figures.held_while_waiting is None else f"{figures.held_while_waiting:.2f}",
        f"{figures.slot_seconds / figures.copies:.1f}",
        str(figures.log_ins),
        str(figures.requests),
        str(figures.connections),
        f"{figures.airflow_cpu:.0f} s",
        f"{figures.database_cpu:.0f} s",
        f"{figures.wall:.0f} s",
        f"{figures.noticed_median:.1f} s",
        f"{figures.over_median:.1f} s",
        str(figures.false_failures),
    ]


def caption(results: Results) -> str:
    """What was measured, how, and on what."""
    text = CAPTION.format(
        machine=machine(),
        airflow=results.airflow,
        database=results.database,
        slots=SLOTS,
        idle=results.idle_cpu,
        short=SHORT,
        rounds=ROUNDS,
    )
    return filled(text)


def promises(results: Results) -> Iterator[Promise]:
    """Everything that must hold, for each number of copies."""
    for copies in sorted({each.copies for each in results.figures}):
        for way in (each for each in WAYS if each.is_ours):
            for figures in (runs := results.runs(way, copies)):
                yield from _of_ours(way, figures)
            noticed = statistics.median(seconds for each in runs for seconds in each.noticed)
            text = f"{way.dag_id}, {copies} copies: seconds until the end is noticed, the median"
            yield Promise.at_most(text, noticed, INTERVAL / 2 + 1)
        for figures in results.runs(POKE, copies):
            yield from _as_asked(POKE, figures)
        for way, part in ((OPERATOR, 0.75), (TRIGGERER, 0.5)):
            ours, theirs = results.of(way, copies), results.of(POKE, copies)
            text = f"{way.dag_id}, {copies} copies: CPU, as a part of HttpSensor poke's"
            yield Promise.at_most(text, ours.airflow_cpu / theirs.airflow_cpu, part)


def _of_ours(way: Way, figures: Figures) -> Iterator[Promise]:
    at_most = partial(_at_most, f"{way.dag_id}, {figures.copies} copies")
    yield from _as_asked(way, figures)
    if most := PROCESSES.get(way):
        yield at_most("task processes a copy", (figures.task_processes - 1) / figures.copies, most)
    if figures.held_while_waiting is not None:
        yield at_most("slots held while waiting", figures.held_while_waiting, LATE)
    yield at_most("log-ins", figures.log_ins, 1)
    yield at_most("connections", figures.connections, ASKING[way] * figures.copies + TRIGGERERS_CONNECTIONS)
    yield at_most("false failures", figures.false_failures, 0)


def _as_asked(way: Way, figures: Figures) -> Iterator[Promise]:
    of = f"{way.dag_id}, {figures.copies} copies"
    yield Promise(f"{of}: the run", figures.state, figures.state == "success")
    yield Promise(f"{of}: jobs in the cloud", str(figures.begun), figures.begun == figures.copies)


def _at_most(of: str, what: str, seen: float, most: float) -> Promise:
    return Promise.at_most(f"{of}: {what}", seen, most)


def draw(results: Results, path: Path) -> None:
    """The largest number of copies: a panel a figure, a bar a way."""
    copies = max(each.copies for each in results.figures)
    lines = [(way.dag_id.replace("_", " "), results.of(way, copies), way.is_ours) for way in WAYS]
    bars(path, PANELS, lines, f"{copies} copies of 20 to 40 s")
