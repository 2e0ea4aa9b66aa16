"""What Airflow's processes have cost: CPU as the kernel counts it, task processes as the executor logs them."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import psutil

from tests.real.stack import AIRFLOW_PARTS, Stack

_STARTED = "Secrets backends loaded for worker"
_FAILED = "Workload execution failed"
_ID = r"([0-9a-f-]{36})"
_FINISHED = re.compile(
    rf"(\d{{4}}-\d\d-\d\dT[\d:.]+Z) [^\n]{{1,20}} Workload finished .*?duration=(\S+) .*?workload_id={_ID}"
)
_TASK = re.compile(rf"Worker startup parse complete .*?map_index=(-?\d+) .*?ti_id={_ID}")


def cpu_of_processes(leaders: dict[int, str]) -> Counter[str]:
    """CPU seconds, user and system, of each of these processes (id -> name), their sessions and their children.

    A process that has ended is counted in its parent once that has seen its end, until then as a zombie.
    """
    seconds: Counter[str] = Counter()
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            name = leaders.get(os.getsid(process.pid)) or leaders.get(process.ppid())  # PostgreSQL's open their own
            if name is not None:
                times = process.cpu_times()
                seconds[name] += times.user + times.system + times.children_user + times.children_system
    return seconds


def cpu_of(stack: Stack, database: int | None) -> Counter[str]:
    """CPU seconds so far of Airflow's four parts, tasks included in ``scheduler``, and of ``database``."""
    leaders = {stack.pid(name): name for name in AIRFLOW_PARTS}
    return cpu_of_processes(leaders | ({database: "database"} if database else {}))


@dataclass(frozen=True, slots=True)
class Slot:
    """A worker slot that was held, from when the executor started a task's process until it saw the end of it."""

    map_index: int
    begun: datetime
    ended: datetime

    @property
    def seconds(self) -> float:
        return (self.ended - self.begun).total_seconds()


@dataclass
class ExecutorLog:
    """What the executor, which lives in the scheduler, has written since this was made."""

    stack: Stack
    _skipped: int = field(init=False)

    def __post_init__(self) -> None:
        self._skipped = len(self._text())

    def _text(self) -> str:
        return (self.stack.home / "output" / "scheduler.log").read_text(errors="replace")

    def read(self) -> str:
        return self._text()[self._skipped :]

    def task_processes(self) -> int:
        """How many processes of tasks were started, those included that Airflow refused to let run."""
        return self.read().count(_STARTED)

    def all_ended(self) -> bool:
        """Whether the executor has seen the end of each process that it started."""
        text = self.read()
        return text.count(_STARTED) == len(_FINISHED.findall(text)) + text.count(_FAILED)

    def slots(self) -> list[Slot]:
        """The slots that were held, but for those of processes that Airflow refused, which end at once."""
        text = self.read()
        indexes = {task_id: int(index) for index, task_id in _TASK.findall(text)}
        return [
            Slot(indexes[task_id], ended - timedelta(seconds=float(seconds)), ended)
            for ended, seconds, task_id in (
                (datetime.fromisoformat(at), seconds, task_id) for at, seconds, task_id in _FINISHED.findall(text)
            )
            if task_id in indexes
        ]
