"""What the bench's triggerer runs: the product's trigger, and a probe beside it that takes the marks of the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from airflow_provider_ims import idempotency, triggers, waiting
from airflow_provider_ims.hooks import asynchronous
from tests.bench.marks import Meter
from tests.bench.poller import Poller

QUIET = ("idle", "asleep", "settled")
"""Begins of phases in which the probe looks at its file twice a second, and does nothing else."""

USED = (asynchronous, idempotency, waiting)
"""What a look needs, imported here so that it counts for no trigger."""

meter = Meter()


class JobTrigger(triggers.JobTrigger):
    """The product's, in a module that counts look-ups of connections from the first one on."""


class PollerTrigger(BaseTrigger):
    """The hand-tuned poller in the same event loop: what a look costs there at least."""

    def __init__(self, connection: dict[str, Any], job_ids: list[str], interval: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kwargs: dict[str, Any] = {"connection": connection, "job_ids": job_ids, "interval": interval}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.PollerTrigger", self.kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await Poller(**self.kwargs).run()
        yield TaskSuccessEvent()


class ProbeTrigger(BaseTrigger):
    """Takes a mark with each new content of the file ``phase``, which is the mark's name, and adds it to ``marks``.

    In phases that do not begin with one of ``QUIET`` it watches how late the loop is; phase ``over`` ends it.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.folder = folder

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.ProbeTrigger", {"folder": self.folder}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        known, folder = "", Path(self.folder)
        while known != "over":
            phase = (folder / "phase").read_text()
            if phase != known:
                known = phase
                with (folder / "marks").open("a") as marks:
                    marks.write(meter.mark(phase).line)
            await (asyncio.sleep(0.5) if phase.startswith(QUIET) else meter.watch(0.5))
        yield TaskSuccessEvent()
