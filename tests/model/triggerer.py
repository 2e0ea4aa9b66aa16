"""A simulated triggerer: it makes triggers from what the database keeps of them, and can be ended after any look."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Any, Self

from airflow.triggers.base import BaseTrigger

from airflow_provider_ims.client import Client
from airflow_provider_ims.hooks import ImsAsyncHook
from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.triggers import JobTrigger, SlotTrigger
from tests.model.worker import SkewedWorld
from tests.world import loop


class Hook(ImsAsyncHook):
    """A hook for so many looks; at the next sleep its triggerer is ended."""

    def __init__(self, world: SkewedWorld, looks: int) -> None:
        super().__init__(patience=0)
        self.world, self.looks = world, looks
        self._client, self._has_looked = world.client_on("triggerer"), False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    @property
    def client(self) -> Client:
        return self._client

    async def refresh(self, max_age: float = 0.0) -> Client:
        return self.client

    async def send(self, request: Request) -> Response:
        self._has_looked = True
        response: Response = self.world.carry_out(request)
        return response

    async def sleep(self, seconds: float) -> None:
        self.world.wait(seconds)
        self.looks -= self._has_looked
        if self.looks < 0:
            raise asyncio.CancelledError


class Trigger(JobTrigger):
    """The trigger with that hook."""

    hook: Hook

    def get_hook(self) -> ImsAsyncHook:
        return self.hook


def fire(world: SkewedWorld, path: str, kwargs: dict[str, Any], looks: int) -> dict[str, Any] | None:
    """The event of a trigger, or None where it is ended before it has one. Sees to it that it only reads."""
    before = len(world.requests)
    event: dict[str, Any] | None = None
    with suppress(asyncio.CancelledError):
        event = loop().run(_first_event(_made(world, path, kwargs, looks)))
    assert {each.method for each in world.requests[before:] if "/auth/" not in each.url} <= {"GET"}
    return event


def _made(world: SkewedWorld, path: str, kwargs: dict[str, Any], looks: int) -> BaseTrigger:
    if path == "airflow_provider_ims.triggers.SlotTrigger":
        world.wait(SlotTrigger(**kwargs).rest(world.clock("triggerer")))
        return SlotTrigger(**kwargs | {"pause": 0.0})
    assert path == "airflow_provider_ims.triggers.JobTrigger"
    trigger = Trigger(**kwargs)
    trigger.hook = Hook(world, looks)
    return trigger


async def _first_event(trigger: BaseTrigger) -> Any:
    async with aclosing(trigger.run()) as events:  # type: ignore[type-var]
        async for event in events:
            return json.loads(json.dumps(event.payload))
