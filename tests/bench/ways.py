"""Part ``ways``: the same copies on each way of waiting, those of today and ours, on one real Airflow."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from airflow_provider_ims.simulator import Cloud, Settings, SimulatorThread, connection_to, running
from airflow_provider_ims.simulator.seeds import numbered_image
from tests.bench.measuring import ExecutorLog, cpu_of
from tests.bench.postgres import Database, database
from tests.bench.ways_figures import Cost, Figures, of_run
from tests.real.processes import StackError, pause
from tests.real.rest import OVER
from tests.real.stack import Stack

SLOTS = 16
INTERVAL = 5.0
"""Seconds between looks, in each of the DAGs."""

SHORT, ROUNDS = 50, 3
"""Fewer copies than these are over so soon that runs differ by more than they should: each way runs so often."""

PATIENCE = 1200.0
"""Seconds that one run may take."""

AFTERMATH = 10.0
"""Seconds for which Airflow is still measured after a run: it has DAG files parsed for ends in the triggerer."""

IDLE = 30.0
"""Seconds for which Airflow is watched while it has nothing to do."""

UNLIMITED: dict[str, Any] = {"quota": 100_000, "concurrent_copies": 100_000}
COPIES: dict[str, Any] = {"copy_seconds": 20.0, "copy_spread": 20.0}
WARM_UP: dict[str, Any] = {"copy_seconds": 8.0}
ENVIRONMENT = {"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "86400"}
"""DAG files are parsed once; parsing them again costs the same on each way, and at other times."""


@dataclass(frozen=True, slots=True)
class Way:
    """A DAG whose tasks copy a param ``image_ids`` of images, the kind of its connection, and its file in ``dags``.

    The file is installed with the DAG's id as its name: each way has a file of its own, as DAGs of users have.
    """

    dag_id: str
    title: str
    connection: Literal["http", "ims"]
    file: str

    @property
    def is_ours(self) -> bool:
        return self.connection == "ims"


RESCHEDULE = Way(
    "http_sensor_reschedule",
    "`HttpOperator` and `HttpSensor`, `mode=reschedule`",
    "http",
    "http_operator_and_sensor.py",
)
POKE = Way("http_sensor_poke", "the same, `mode=poke`", "http", "http_operator_and_sensor.py")
OWN_TASK = Way("own_task", "own `@task`, requests in a loop", "http", "own_task.py")
OPERATOR = Way("operator_waits", "`CopyImageOperator` that waits", "ims", "operator_that_waits.py")
SENSOR = Way("operator_and_sensor", "`CopyImageOperator` and `JobSensor`", "ims", "operator_and_sensor.py")
TRIGGERER = Way(
    "ends_in_triggerer", "`CopyImageOperator` that waits, `end_in_triggerer=True`", "ims", "operator_that_waits.py"
)
WAYS = [RESCHEDULE, POKE, OWN_TASK, OPERATOR, SENSOR, TRIGGERER]
DAGS = {f"{way.dag_id}.py": (Path(__file__).parent / "dags" / way.file).read_text() for way in WAYS}


@dataclass(frozen=True, slots=True)
class Results:
    """All of it: the runs of each way for each number of copies, and what an idle Airflow costs a second."""

    database: str
    airflow: str
    idle_cpu: float
    figures: Sequence[Figures]

    def runs(self, way: Way, copies: int) -> list[Figures]:
        return [each for each in self.figures if (each.way, each.copies) == (way.dag_id, copies)]

    def of(self, way: Way, copies: int) -> Figures:
        """The run with the median CPU."""
        runs = sorted(self.runs(way, copies), key=lambda each: each.airflow_cpu)
        return runs[len(runs) // 2]


def measure(numbers: Sequence[int], say: Any) -> Results:
    """Run each way with each number of copies, in turns, each once with a single copy before."""
    with database() as kept_in, Stack(dag_files=DAGS, env=ENVIRONMENT | kept_in.env, parallelism=SLOTS) as stack:
        version = stack.api.get("/version")["version"]
        say(f"Airflow {version} on {kept_in.name}, LocalExecutor, {SLOTS} slots")
        for way in WAYS:
            say(f"{way.dag_id}: one copy to warm up")
            run_once(stack, kept_in, way, 1, WARM_UP)
        idle_cpu = idle(stack)
        say(f"idle: {idle_cpu:.3f} CPU s a second")
        found = []
        for copies in numbers:
            for way in WAYS * (ROUNDS if copies < SHORT else 1):
                found.append(run_once(stack, kept_in, way, copies, COPIES))
                say(summary(found[-1]))
        return Results(kept_in.name, version, idle_cpu, found)


def summary(figures: Figures) -> str:
    """A line for whoever waits."""
    return (
        f"{figures.way}: {figures.copies} copies, {figures.state}, {figures.wall:.0f} s, "
        f"{figures.airflow_cpu:.1f} CPU s, {figures.task_processes} task processes, "
        f"noticed after {figures.noticed_median:.1f} s, {figures.false_failures} false failures"
    )


def idle(stack: Stack) -> float:
    """CPU seconds a second of an Airflow that has nothing to do."""
    before, began = cpu_of(stack, None), time.monotonic()
    pause(IDLE)
    return (cpu_of(stack, None) - before).total() / (time.monotonic() - began)


def run_once(stack: Stack, kept_in: Database, way: Way, copies: int, settings: dict[str, Any]) -> Figures:
    """So many copies on one way, in a cloud of its own; returns what it took."""
    stack.api.wait_for(f"the DAG {way.dag_id}", lambda: stack.api.has_dag(way.dag_id), 60)
    with cloud(stack, way, settings) as simulated:
        wish = {
            "image_ids": [numbered_image(1 + number % simulated.settings.images) for number in range(copies)],
            "conn_id": way.dag_id,
            "domain_name": simulated.settings.domain_name,
            "project_id": simulated.settings.project_id,
        }
        log, before, began = ExecutorLog(stack), cpu_of(stack, kept_in.pid), time.monotonic()
        run = stack.api.start(way.dag_id, wish)
        until = began + PATIENCE
        while (run.state not in OVER or not log.all_ended()) and time.monotonic() < until:
            stack.check()
            pause(2)
        pause(AFTERMATH)
        spent: Counter[str] = cpu_of(stack, kept_in.pid) - before
        if not simulated.jobs:
            raise StackError(f"{way.dag_id}: the run is {run.state}, and no copy was begun")
        cost = Cost(log.task_processes(), log.slots(), dict(spent), time.monotonic() - began)
        return of_run(way.dag_id, copies, run, simulated, cost)


@contextmanager
def cloud(stack: Stack, way: Way, settings: dict[str, Any]) -> Iterator[Cloud]:
    """A cloud without limits, in this process, and the way's connection to it."""
    with running(Cloud(Settings(**UNLIMITED, **settings))) as server:
        stack.api.post("/connections", connection(way, server))
        try:
            yield server.cloud
        finally:
            stack.api.call("DELETE", f"/connections/{way.dag_id}")


def connection(way: Way, server: SimulatorThread) -> dict[str, Any]:
    """The connection as the REST API takes it: ours, or one of type http."""
    ours = connection_to(server.url, server.cloud.settings)
    if way.is_ours:
        return ours | {"connection_id": way.dag_id, "extra": json.dumps(ours["extra"])}
    host, _, port = server.url.rpartition(":")
    user = {key: ours[key] for key in ("login", "password")}
    return {"connection_id": way.dag_id, "conn_type": "http", "host": host, "port": int(port), **user}


def raw(results: Results) -> dict[str, Any]:
    """Everything that was measured, as JSON."""
    return asdict(results)
