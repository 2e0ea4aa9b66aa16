"""Many waits on one event loop, as in a triggerer: for tests of what they share."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from airflow_provider_ims.hooks import ImsAsyncHook, ImsHook
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from airflow_provider_ims.triggers import JobTrigger

T = TypeVar("T")

MANY = 40


def copying(simulator: ImsSimulator, seconds: float) -> str:
    simulator.cloud.change(copy_seconds=seconds)
    with ImsHook() as hook:
        return hook.copy_image(PLAIN_IMAGE, name="golden")


def trigger(job_id: str, **arguments: Any) -> JobTrigger:
    return JobTrigger(job_id, **{"poll_interval": 0.2, "first_pause": 0.0, **arguments})


class Hook(ImsAsyncHook):
    """A hook whose clock is ten times as fast."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 10)


class Started(JobTrigger):
    """A trigger that a triggerer starts, with that hook."""

    def get_hook(self) -> ImsAsyncHook:
        return Hook(self.ims_conn_id, patience=0)


async def event_of(waiting: JobTrigger) -> dict[str, Any]:
    return dict((await anext(aiter(waiting.run()))).payload)


async def events_of(job_id: str, count: int = MANY, **arguments: Any) -> list[dict[str, Any]]:
    return await asyncio.gather(*(event_of(trigger(job_id, **arguments)) for _ in range(count)))


def strictly(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run this on a loop of its own; what it leaves open is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        result = asyncio.run(work())
        gc.collect()
    return result
