"""Runs plain event loops that wait for many jobs, each in a process of its own, and puts together what was seen."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.bench.crowd import Crowd, Spread, crowd
from tests.bench.marks import Mark, read_marks
from tests.bench.waiting import Load
from tests.memory import forget
from tests.real.processes import Part, StackError, pause, stop
from tests.real.stack import PROJECT

ENDS_WITHIN = 0.5
"""The jobs end within this part of the interval."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What waiting for ``count`` jobs has taken. Gaps and delays are parts of the interval, lags milliseconds."""

    kind: str
    count: int
    interval: float
    without: str
    looks: int
    """Those within the window in which CPU was counted, as the cloud saw them."""
    looks_a_second: float
    """Likewise."""
    cpu_a_look: float
    """Milliseconds: CPU of the loop's process, user and system, in the window, divided by these looks."""
    rss_a_wait: float
    """kB: resident memory at the window's end minus that just before the first wait was made, divided by all waits."""
    rss: float
    """MB: resident memory at the window's end."""
    lag: Spread
    """How much later than it should a coroutine woke that slept for 10 ms again and again, from the window's end on."""
    gap: Spread
    """From one look at a job to the next one, from the time when each had looked once."""
    noticed: Spread
    """From a job's end to the arrival of the first look after it."""
    log_ins: int
    connections: int
    look_ups: int
    peak: int
    """The most requests that arrived in one second."""
    succeeded: int


@dataclass(frozen=True, slots=True)
class Window:
    """The marks between which is counted: ``begun`` before any wait was made, ``over`` when all had ended.

    ``undisturbed``: the instant until which all went as usual.
    """

    begun: Mark
    settled: Mark
    counted: Mark
    over: Mark
    undisturbed: float

    @classmethod
    def of(cls, marks: dict[str, Mark]) -> Window:
        return cls(marks["begun"], marks["settled"], marks["counted"], marks["over"], marks["over"].at)


def figures(load: Load, gathered: Crowd, window: Window, counters: Counter[str]) -> Figures:
    """Put together what the process and its cloud have seen; ``counters`` are the cloud's."""
    begun, settled, counted, over = window.begun, window.settled, window.counted, window.over
    looks = len(gathered.looks(settled.at, counted.at))
    return Figures(
        kind=load.kind,
        count=load.count,
        interval=load.interval,
        without=load.without,
        looks=looks,
        looks_a_second=looks / (counted.at - settled.at),
        cpu_a_look=1000 * (counted.cpu - settled.cpu) / max(1, looks),
        rss_a_wait=(counted.rss - begun.rss) / 1024 / load.count,
        rss=counted.rss / 1024**2,
        lag=Spread.of(1000 * seconds for seconds in over.late),
        gap=Spread.of(each / load.interval for each in gathered.gaps(settled.at, window.undisturbed)),
        noticed=Spread.of(each / load.interval for each in gathered.noticed()),
        log_ins=counters["POST log_in"],
        connections=counters["connections"],
        look_ups=over.look_ups,
        peak=max(gathered.requests_a_second(begun.at, window.undisturbed)),
        succeeded=over.ends.get("success", 0),
    )


def measure(loads: Sequence[Load]) -> list[Figures]:
    """Run these at the same time, each on a cloud of its own."""
    home = Path(tempfile.mkdtemp(prefix="airflow-ims-bench-"))
    parts: list[Part] = []
    try:
        with ExitStack() as clouds:
            gathered = [clouds.enter_context(crowd(load.count)) for load in loads]
            for number, (load, each) in enumerate(zip(loads, gathered, strict=True)):
                folder = home / str(number)
                parts.append(_begin(folder, replace(load, job_ids=each.job_ids, connection=each.connection)))
            windows = _wait(loads, gathered, parts)
            seen = zip(loads, gathered, windows, strict=True)
            return [figures(load, each, window, each.cloud.counters) for load, each, window in seen]
    finally:
        stop(parts)
        for folder in home.iterdir():
            forget(folder)
        shutil.rmtree(home, ignore_errors=True)


def _begin(folder: Path, load: Load) -> Part:
    folder.mkdir()
    wish = folder / "load.json"
    wish.write_text(json.dumps(asdict(load)))
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    direct = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    env = kept | direct | {"AIRFLOW_HOME": str(folder), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "tests.bench.waiting", str(wish)]
    return Part(f"{load.kind} {load.count}", command, env, folder / "marks")


def _wait(loads: Sequence[Load], gathered: Sequence[Crowd], parts: Sequence[Part]) -> list[Window]:
    """Let each one's jobs end when its window is over, and wait until its process has."""
    counting = dict(zip(parts, zip(loads, gathered, strict=True), strict=True))
    until = (
        time.monotonic() + 120 + max(load.window + load.settles_within + 4 * load.first_looks_within for load in loads)
    )
    while any(part.process.poll() is None for part in parts):
        pause(0.2)
        for part in [part for part in counting if "counted" in read_marks(part.output())]:
            load, each = counting.pop(part)
            each.end_jobs(ENDS_WITHIN * load.interval)
        if time.monotonic() > until:
            raise StackError(f"{', '.join(part.name for part in parts)}: still waiting.\n{parts[0].last_lines()}")
    for part in parts:
        part.wait(0)
    return [Window.of(read_marks(part.output())) for part in parts]
