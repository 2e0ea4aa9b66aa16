"""What a process that waits for many jobs tells of itself: CPU, memory, how late its loop is. One JSON line each."""

from __future__ import annotations

import asyncio
import json
import os
import time
from array import array
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil
from airflow.sdk import BaseHook

EVERY = 0.01
"""Seconds for which the probe sleeps."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An instant in the life of a process.

    ``at``: seconds since 1970; ``cpu``: seconds, user and system, so far; ``rss``: bytes; ``look_ups``: how often
    Airflow was asked for a connection; ``tasks``: how many live on the event loop; ``late``: seconds by which the probe
    woke too late, since the last mark; ``ends``: how many waits have ended how.
    """

    name: str
    at: float
    cpu: float
    rss: int
    look_ups: int
    tasks: int
    late: list[float] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)

    @property
    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


def read_marks(text: str) -> dict[str, Mark]:
    """The marks among these lines, by name."""
    lines = [line for line in text.splitlines(keepends=True) if line.startswith('{"name"') and line.endswith("}\n")]
    return {mark.name: mark for mark in (Mark(**json.loads(line)) for line in lines)}


class Meter:
    """Takes the marks of this process; made before anything is measured, for it counts look-ups of connections."""

    def __init__(self) -> None:
        self._look_ups = 0
        self._late = array("d")
        self._process = psutil.Process(os.getpid())
        look_up = BaseHook.aget_connection

        async def counted(conn_id: str) -> Any:
            self._look_ups += 1
            return await look_up(conn_id)

        BaseHook.aget_connection = counted  # type: ignore[method-assign]

    def mark(self, name: str, ends: dict[str, int] | None = None) -> Mark:
        rss, late, self._late = self._process.memory_info().rss, list(self._late), array("d")
        tasks = len(asyncio.all_tasks())
        return Mark(name, time.time(), time.process_time(), rss, self._look_ups, tasks, late, ends or {})

    async def watch(self, seconds: float) -> None:
        """Note for so long by how much this coroutine wakes too late."""
        until = time.monotonic() + seconds
        while (before := time.monotonic()) < until:
            await asyncio.sleep(EVERY)
            self._late.append(time.monotonic() - before - EVERY)
