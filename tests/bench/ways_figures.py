"""The figures of one way of waiting, each with its definition."""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_ims.simulator import Cloud
from tests.bench.measuring import Slot
from tests.real.rest import Run


@dataclass(frozen=True, slots=True)
class Figures:
    """One run of one way. Times are seconds; ``noticed`` and ``over`` have one value a copy."""

    way: str
    copies: int
    state: str
    task_processes: int
    held_half_way: float
    """Worker slots held for a copy at the instant half-way between its begin and its end in the cloud: the mean."""
    slot_seconds: float
    """All seconds for which worker slots were held, those of ``plan`` and of log-ins included."""
    log_ins: int
    requests: int
    connections: int
    cpu: dict[str, float]
    """CPU seconds, user and system, of each part from the run's start until all task processes were gone."""
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


def of_run(way: str, run: Run, cloud: Cloud, cost: Cost) -> Figures:
    """Put together what the parties to a run have seen of it."""
    counters, tasks = cloud.counters, run.tasks
    spans = {_index(job.image_name): (job.submitted_at, job.ends_at) for job in cloud.jobs}
    return Figures(
        way=way,
        copies=len(cloud.jobs),
        state=run.state,
        task_processes=cost.task_processes,
        held_half_way=_held_half_way(cost.slots, spans),
        slot_seconds=sum(slot.seconds for slot in cost.slots),
        log_ins=counters["POST log_in"],
        requests=sum(count for name, count in counters.items() if " " in name),
        connections=counters["connections"],
        cpu=cost.cpu,
        cpu_window=cost.cpu_window,
        wall=run.seconds,
        noticed=_noticed(cloud),
        over=_over(tasks, {index: ended for index, (_, ended) in spans.items()}),
        false_failures=sum(task["try_number"] - 1 + (task["state"] != "success") for task in tasks),
    )


def _index(image_name: str) -> int:
    return int(image_name.removeprefix("copy-"))


def _held_half_way(slots: list[Slot], spans: dict[int, tuple[datetime, datetime]]) -> float:
    held = 0
    for index, (begun, ended) in spans.items():
        half_way = begun + (ended - begun) / 2
        held += sum(slot.map_index == index and slot.begun <= half_way < slot.ended for slot in slots)
    return held / len(spans)


def _noticed(cloud: Cloud) -> list[float]:
    looks = [(arrival.path.rpartition("/")[2], arrival.instant) for arrival in cloud.requests("job")]
    first: dict[str, timedelta] = {}
    for job in cloud.jobs:
        after = [instant - job.ends_at for job_id, instant in looks if job_id == job.id and instant >= job.ends_at]
        if after:
            first[job.id] = min(after)
    return sorted(delay.total_seconds() for delay in first.values())


def _over(tasks: list[dict[str, Any]], ends: dict[int, datetime]) -> list[float]:
    last: dict[int, datetime] = {}
    for task in tasks:
        if task["map_index"] >= 0 and task["end_date"]:
            ended = datetime.fromisoformat(re.sub("Z$", "+00:00", task["end_date"]))
            last[task["map_index"]] = max(ended, last.get(task["map_index"], ended))
    return sorted((last[index] - ended).total_seconds() for index, ended in ends.items() if index in last)
