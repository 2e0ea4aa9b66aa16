"""A real triggerer, started cold with all its triggers at once; later the cloud throttles everything for a while."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from tests.bench.crowd import Crowd, crowd
from tests.bench.loads import Figures, Window, figures
from tests.bench.marks import Mark, read_marks
from tests.bench.postgres import database
from tests.bench.storm_figures import Storm, storm_of
from tests.bench.waiting import LONG, Load
from tests.real.processes import StackError, pause
from tests.real.rest import OVER, Run
from tests.real.stack import PROJECT, Stack

DAGS = {"crowd.py": (Path(__file__).parent / "crowd_dags" / "crowd.py").read_text()}
IN_TRIGGERER = "tests.bench.in_triggerer"
ASLEEP = 15.0
"""Seconds for which a triggerer is watched whose triggers sleep."""

ENDS_A_SECOND = 8.0
"""Jobs that end: a triggerer writes the end of each task to the database, and stands still where that is too many."""

PATIENCE = 600.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RealTriggerer:
    """What was seen of one.

    ``asleep_cpu``: CPU seconds a second of its process while all its triggers sleep. ``poller_cpu_a_look``:
    milliseconds of the hand-tuned poller in that process, beside these triggers, and without what they take.
    """

    airflow: str
    database: str
    asleep_cpu: float
    poller_cpu_a_look: float
    figures: Figures
    storm: Storm

    @property
    def cpu_a_look(self) -> float:
        """Milliseconds, without what the triggerer takes for triggers that sleep."""
        return self.figures.cpu_a_look - 1000 * self.asleep_cpu / self.figures.looks_a_second


@dataclass
class Course:
    """A stack with a triggerer and a crowd of jobs, and the marks that its probe takes."""

    stack: Stack
    gathered: Crowd
    load: Load
    marks: dict[str, Mark] = field(default_factory=dict)

    @property
    def _folder(self) -> Path:
        return self.stack.home / "probe"

    def defer(self, dag_id: str, trigger: str, kwargs: list[dict[str, Any]]) -> Run:
        """A new run of this DAG, whose tasks all wait in the triggerer."""
        run = self.stack.api.start(dag_id)
        self.stack.api.wait_for("tasks to defer", lambda: self.tasks(run, "scheduled") == len(kwargs), PATIENCE)
        command = [sys.executable, "-m", "tests.bench.deferring", dag_id, f"{IN_TRIGGERER}.{trigger}"]
        done = subprocess.run(
            command, input=json.dumps(kwargs), env=self.stack.env, cwd=PROJECT, capture_output=True, text=True
        )
        if done.returncode:
            raise StackError(done.stderr[-2000:])
        return run

    def tasks(self, run: Run, state: str) -> int:
        """How many tasks of this run are in this state."""
        path = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances"
        return int(self.stack.api.get(path, state=state, limit=1)["total_entries"])

    def probe(self, phase: str) -> Run:
        """A probe that will start in this phase."""
        self._folder.mkdir(exist_ok=True)
        (self._folder / "marks").write_text("")
        (self._folder / "phase").write_text(phase)
        self.marks = {}
        return self.defer("probe", "ProbeTrigger", [{"folder": str(self._folder)}])

    def phase(self, phase: str) -> Mark:
        """Have the probe begin a phase; returns its mark."""
        (self._folder / "phase").write_text(phase)
        return self.await_mark(phase)

    def await_mark(self, phase: str) -> Mark:
        def is_taken() -> bool:
            self.marks = read_marks((self._folder / "marks").read_text())
            return phase in self.marks

        self.stack.api.wait_for(f"the probe in phase {phase}", is_taken, PATIENCE)
        return self.marks[phase]

    def all_looked_since(self, instant: float) -> bool:
        return len({each.job_id for each in self.gathered.looks(instant, time.time())}) == self.load.count


@cache
def measure(load: Load, throttled_for: float, say: Say) -> RealTriggerer:
    """The whole course, once for all who ask."""
    env = {
        "AIRFLOW__TRIGGERER__CAPACITY": str(load.count + 10),
        "AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": str(load.count + 10),  # else they come 50 at a time
        "IMS_BENCH_WAITS": str(load.count),
        "PYTHONPATH": str(PROJECT),
    }
    with (
        crowd(load.count) as gathered,
        database() as kept_in,
        Stack(dag_files=DAGS, env=env | kept_in.env) as stack,
    ):
        stack.api.post("/pools", {"name": "closed", "slots": 0})
        extra = json.dumps(gathered.connection["extra"])
        stack.api.post("/connections", gathered.connection | {"connection_id": "ims_0", "extra": extra})
        version = stack.api.get("/version")["version"]
        say(f"Airflow {version} on {kept_in.name}")
        course = Course(stack, gathered, load)
        begun, asleep_cpu, poller_cpu_a_look = asleep(course, say)
        say(f"{load.count} triggers at once, cold")
        found, storm = run_course(course, begun, throttled_for, say)
        return RealTriggerer(version, kept_in.name, asleep_cpu, poller_cpu_a_look, found, storm)


def asleep(course: Course, say: Say) -> tuple[Mark, float, float]:
    """A triggerer whose triggers only sleep.

    Its mark before it had them, its CPU seconds a second with them, and what a look of the poller costs beside them.
    """
    probe = course.probe("idle")
    before = course.await_mark("idle")
    run = defer_all(course, first_pause=LONG / 2)
    begin = course.phase("asleep 0")
    while begin.tasks < course.load.count:
        pause(1)
        begin = course.phase(f"asleep {len(course.marks)}")
    say(f"{course.load.count} triggers sleep")
    pause(ASLEEP)
    end = course.phase("asleep at last")
    asleep_cpu = (end.cpu - begin.cpu) / (end.at - begin.at)
    poller_cpu = poller_beside(course, asleep_cpu, say)
    course.stack.api.call("PATCH", f"/dags/{run.dag_id}/dagRuns/{run.run_id}", json={"state": "failed"})
    course.phase("over")
    probe.wait()  # or the next triggerer would run it too
    course.stack.kill("triggerer")
    return before, asleep_cpu, poller_cpu


def poller_beside(course: Course, asleep_cpu: float, say: Say) -> float:
    """CPU milliseconds a look of the hand-tuned poller in the triggerer, on as many jobs of another cloud."""
    with crowd(course.load.count) as gathered:
        kwargs = {"connection": gathered.connection, "job_ids": gathered.job_ids, "interval": course.load.interval}
        run = course.defer("poller", "PollerTrigger", [kwargs])
        course.stack.api.wait_for("the poller", lambda: bool(gathered.looks(0.0, time.time())), PATIENCE)
        say("the hand-tuned poller beside them")
        begin = course.phase("asleep, the poller is not")
        pause(course.load.window)
        end = course.phase("asleep, the poller was not")
        looks = len(gathered.looks(begin.at, end.at))
        course.stack.api.call("PATCH", f"/dags/poller/dagRuns/{run.run_id}", json={"state": "failed"})
        return 1000 * (end.cpu - begin.cpu - asleep_cpu * (end.at - begin.at)) / looks


def run_course(course: Course, begun: Mark, throttled_for: float, say: Say) -> tuple[Figures, Storm]:
    """From the start of the triggerer to the end of all tasks."""
    course.probe("storm")
    run = defer_all(course, None)
    started = time.time()
    course.stack.begin("triggerer")
    course.await_mark("storm")
    as_usual(course, say)
    throttled, counters = course.phase("throttled"), course.gathered.cloud.counters.copy()
    say(f"the cloud throttles everything for {throttled_for:.0f} s")
    after = throttle(course, throttled_for)
    say("all have looked again; now the jobs end")
    course.gathered.end_jobs(course.load.count / ENDS_A_SECOND)
    course.stack.api.wait_for("the end of all tasks", lambda: run.state in OVER, PATIENCE)
    over = course.phase("over")
    late = [*throttled.late, *over.late]  # not those of the time in which nothing was asked
    over = replace(over, late=late, ends={"success": course.tasks(run, "success")})
    window = Window(begun, course.marks["settled"], course.marks["counted"], over, throttled.at)
    return figures(course.load, course.gathered, window, counters), storm_of(
        course.load, course.gathered, started, window, after.at
    )


def as_usual(course: Course, say: Say) -> None:
    """Until all have looked, then a time in which CPU is counted, and another one in which the loop is watched."""
    course.stack.api.wait_for("all to look", lambda: course.all_looked_since(0.0), PATIENCE)
    course.phase("settled")
    say("all have looked; now what a look costs")
    pause(course.load.window)
    course.phase("counted")
    pause(course.load.window)


def throttle(course: Course, seconds: float) -> Mark:
    """Throttle, and wait until all have looked again; returns the mark of the end of the throttling."""
    course.gathered.throttle()
    pause(seconds)
    course.gathered.cloud.faults.clear()
    after = course.phase("after")
    course.stack.api.wait_for("all to look again", lambda: course.all_looked_since(after.at), PATIENCE)
    return after


def defer_all(course: Course, first_pause: float | None) -> Run:
    """All triggers; they end in the triggerer, for a thousand workers would be another bench."""
    common = {"ims_conn_id": "ims_0", "poll_interval": course.load.interval, "deadline": _in(LONG)}
    common |= {"first_pause": first_pause, "xcoms": {}}
    return course.defer("crowd", "JobTrigger", [{"job_id": job_id, **common} for job_id in course.gathered.job_ids])


def _in(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
