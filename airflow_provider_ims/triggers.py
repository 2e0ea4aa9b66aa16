"""What waits in the triggerer, and only reads: ``JobTrigger`` for a job, ``SlotTrigger`` for another try at a copy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_ims.errors import ImsError

if TYPE_CHECKING:
    from airflow_provider_ims.hooks import ImsAsyncHook

DEFAULT_TIMEOUT = 7200.0
KILLED = "The task does not wait any more. %s"


class JobTrigger(BaseTrigger):
    """Fires once: when the job is over, or was not over at the deadline.

    The event is ``{"status": "success", "job_id", "image_id", "image_name"}``, or ``{"status": "error", "job_id",
    "error", "args"}``, from which ``ImsError.from_event`` makes the error again.

    :param job_id: the job to wait for.
    :param ims_conn_id: id of the Airflow connection; no secret is stored with the trigger.
    :param poll_interval: seconds between looks.
    :param deadline: the instant of the last look, in ISO format with an offset (default: in two hours).
    :param first_look: the instant before which it does not look, likewise (default: at once).
    :param order: the fields of the ``idempotency.Order`` that the job carries out; with them the last look also sees
        whether the image is as ordered and the only one, and the event has ``copy_key``.
    """

    def __init__(
        self,
        job_id: str,
        ims_conn_id: str = "ims_default",
        poll_interval: float = 30.0,
        deadline: str | None = None,
        first_look: str | None = None,
        order: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.job_id = job_id
        self.ims_conn_id = ims_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline or (datetime.now(UTC) + timedelta(seconds=DEFAULT_TIMEOUT)).isoformat()
        self.first_look = first_look
        self.order = order

    def serialize(self) -> tuple[str, dict[str, Any]]:
        kwargs = ("job_id", "ims_conn_id", "poll_interval", "deadline", "first_look", "order")
        return "airflow_provider_ims.triggers.JobTrigger", {name: getattr(self, name) for name in kwargs}

    def get_hook(self) -> ImsAsyncHook:
        """The hook that it looks with; a subclass may bring its own."""
        from airflow_provider_ims.hooks import ImsAsyncHook

        return ImsAsyncHook(self.ims_conn_id, patience=0)  # what fails for a moment, the next look repeats

    async def run(self) -> AsyncIterator[TriggerEvent]:
        if self.first_look:  # before anything that could fail, and so come back too soon
            await _sleep_until(self.first_look)
        try:
            event = await self._wait()
        except ImsError as error:
            event = {"status": "error", **error.to_event()}
        key = {"copy_key": self.order["key"]} if self.order else {}
        yield TriggerEvent({"job_id": self.job_id, **key, **event})

    async def on_kill(self) -> None:
        """Say what goes on when a user marks or clears the waiting task (called since Airflow 3.3)."""
        from airflow_provider_ims.idempotency import account

        order = self.order or {}
        self.log.warning(KILLED, account(order.get("key") if order.get("marked") else None, self.job_id))

    async def _wait(self) -> dict[str, Any]:
        from airflow_provider_ims.arguments import check_job_id, check_seconds
        from airflow_provider_ims.idempotency import Order
        from airflow_provider_ims.waiting import Watch

        check_job_id(self.job_id)
        check_seconds("poll_interval", self.poll_interval)
        async with self.get_hook() as hook:
            deadline, order = datetime.fromisoformat(self.deadline), self.order and Order(**self.order)
            watch = Watch(hook.client, self.job_id, self.poll_interval, deadline, order or None)
            image = await hook.perform(watch.wait())
        return {"status": "success", "image_id": image.id, "image_name": image.name}


class SlotTrigger(BaseTrigger):
    """Fires when it is time to send a copy again for which the cloud had no free slot.

    The event is ``{"deadline"}``.

    :param until: the instant at which it fires, in ISO format with an offset.
    :param deadline: the instant after which no slot is waited for any more, likewise.
    :param known: what is known of the copy, for whoever kills the task.
    """

    def __init__(self, until: str, deadline: str, known: str = "") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.until = until
        self.deadline = deadline
        self.known = known

    def serialize(self) -> tuple[str, dict[str, Any]]:
        kwargs = {name: getattr(self, name) for name in ("until", "deadline", "known")}
        return "airflow_provider_ims.triggers.SlotTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await _sleep_until(self.until)
        yield TriggerEvent({"deadline": self.deadline})

    async def on_kill(self) -> None:
        """As ``JobTrigger.on_kill``."""
        self.log.warning(KILLED, self.known)


async def _sleep_until(instant: str) -> None:
    early = datetime.fromisoformat(instant) - datetime.now(UTC)
    await asyncio.sleep(max(0.0, early.total_seconds()))
