"""An ``ImageTrigger`` in a simulated triggerer: one look, with what is kept of earlier ones."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from airflow_provider_ims.hooks import ImsAsyncHook
from airflow_provider_ims.triggers import ImageTrigger
from tests.model.triggerer import Hook
from tests.model.worker import SkewedWorld


class AssetStore:
    """Airflow's asset state store; ``kept`` is what is in it."""

    def __init__(self, kept: dict[str, Any]) -> None:
        self.kept = kept
        self.has_answered = False

    async def aget(self, key: str) -> Any:
        if self.has_answered:
            raise asyncio.CancelledError
        self.has_answered = True
        return self.kept.get(key)

    async def aset(self, key: str, value: Any) -> None:
        self.kept[key] = value


async def first_look(world: SkewedWorld, kept: dict[str, Any], kwargs: dict[str, Any]) -> list[dict[str, Any]]:
    """What it fires at its first look after a start."""

    class Watching(ImageTrigger):
        looks = 0

        def get_hook(self) -> ImsAsyncHook:
            type(self).looks += 1
            if self.looks > 1:
                raise asyncio.CancelledError
            return Hook(world, 1)

    trigger = Watching(**kwargs | {"poll_interval": 0.01})
    told: list[dict[str, Any]] = []
    with suppress(asyncio.CancelledError):
        async for payload, image_id in trigger.create_shared_stream_producer(trigger.serialize()[1]).open_stream():
            if image_id is None:
                payload.set_result(AssetStore(kept))
            else:
                told.append(payload)
    return told
