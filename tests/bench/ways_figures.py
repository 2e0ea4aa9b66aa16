"""The figures of one way of waiting, each with its definition."""

from __future__ import annotations

import itertools
import re
import statistics
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_ims.simulator import Cloud
from tests.bench.measuring import Slot
from tests.real.rest import Run


@dataclass(frozen=True, slots=True)
class Figures:
    """One run of one way. Times are seconds; ``noticed`` and ``over`` have one value a copy."""

    way: str
    copies: int
    """Those that were asked for."""
    begun: int
    """Those that the cloud was asked for: jobs."""
    state: str
    task_processes: int
    held_while_waiting: float | None
    """The part of the time between two looks at a job that was not over, for which one slot was held from the first
    to the second; None where no job was looked at twice."""
    slot_seconds: float
    """All seconds for which worker slots were held, those of ``plan`` and of log-ins included."""
    log_ins: int
    requests: int
    connections: int
    cpu: dict[str, float]
    """CPU seconds, user and system, of each part from the run's start until ``ways.AFTERMATH`` after its end."""
    cpu_window: float
    """Seconds from the run's start until then."""
    wall: float
    """From the run's start to its end, as Airflow has it."""
    noticed: list[float]
    """From a job's end to when the first look after that arrived at the cloud."""
    over: list[float]
    """From a job's end to the end of the last task of that copy."""
    false_failures: int
    """Tries that failed: nothing ever fails in this cloud."""

    @property
    def airflow_cpu(self) -> float:
        """Of Airflow's parts and tasks, without the database."""
        return sum(seconds for name, seconds in self.cpu.items() if name != "database")

    @property
    def database_cpu(self) -> float:
        """Of a database that has processes."""
        return self.cpu.get("database", 0.0)

    @property
    def noticed_median(self) -> float:
        return statistics.median(self.noticed)

    @property
    def over_median(self) -> float:
        return statistics.median(self.over)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run has taken of Airflow: fields as in ``Figures``."""

    task_processes: int
    slots: list[Slot]
    cpu: dict[str, float]
    cpu_window: float


def of_run(way: str, copies: int, run: Run, cloud: Cloud, cost: Cost) -> Figures:
    """Put together what the parties to a run have seen of it."""
    counters, tasks = cloud.counters, run.tasks
    return Figures(
        way=way,
        copies=copies,
        begun=len(cloud.jobs),
        state=run.state,
        task_processes=cost.task_processes,
        held_while_waiting=_held_while_waiting(cloud, cost.slots),
        slot_seconds=sum(slot.seconds for slot in cost.slots),
        log_ins=counters["POST log_in"],
        requests=sum(count for name, count in counters.items() if " " in name),
        connections=counters["connections"],
        cpu=cost.cpu,
        cpu_window=cost.cpu_window,
        wall=run.seconds,
        noticed=_noticed(cloud),
        over=_over(tasks, {_index(job.image_name): job.ends_at for job in cloud.jobs}),
        false_failures=sum(task["try_number"] - 1 + (task["state"] != "success") for task in tasks),
    )


def _index(image_name: str) -> int:
    return int(image_name.removeprefix("copy-"))


def _looks(cloud: Cloud) -> dict[str, list[datetime]]:
    """When each job was looked at, up to the first look at which it was over."""
    looks: dict[str, list[datetime]] = {job.id: [] for job in cloud.jobs}
    ends = {job.id: job.ends_at for job in cloud.jobs}
    for arrival in cloud.requests("job"):
        job_id = arrival.path.rpartition("/")[2]
        if not looks[job_id] or looks[job_id][-1] < ends[job_id]:
            looks[job_id].append(arrival.instant)
    return looks


def _held_while_waiting(cloud: Cloud, slots: list[Slot]) -> float | None:
    of_copy: dict[int, list[Slot]] = {}
    for slot in slots:
        of_copy.setdefault(slot.map_index, []).append(slot)
    looks, waited, held = _looks(cloud), 0.0, 0.0
    for job in cloud.jobs:
        for look, next_look in itertools.pairwise(looks[job.id]):
            gap = (next_look - look).total_seconds()
            waited += gap
            if any(each.begun <= look and next_look <= each.ended for each in of_copy.get(_index(job.image_name), [])):
                held += gap
    return held / waited if waited else None


def _noticed(cloud: Cloud) -> list[float]:
    looks = _looks(cloud)
    delays = [(looks[job.id][-1] - job.ends_at).total_seconds() for job in cloud.jobs if looks[job.id]]
    return sorted(delay for delay in delays if delay >= 0)


def _over(tasks: list[dict[str, Any]], ends: dict[int, datetime]) -> list[float]:
    last: dict[int, datetime] = {}
    for task in tasks:
        if task["map_index"] >= 0 and task["end_date"]:
            ended = datetime.fromisoformat(re.sub("Z$", "+00:00", task["end_date"]))
            last[task["map_index"]] = max(ended, last.get(task["map_index"], ended))
    return sorted((last[index] - ended).total_seconds() for index, ended in ends.items() if index in last)
