"""``JobTrigger`` waits for a job, ``SlotTrigger`` for another try at a copy."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from airflow_provider_ims.arguments import check_job_id, check_seconds
from airflow_provider_ims.errors import ConnectionLookUpError, ImsError, LoginRefusedError
from airflow_provider_ims.models import CLOCK_SKEW
from airflow_provider_ims.triggers.ending import ends_here
from airflow_provider_ims.versions import DEFERRAL, check_version, stored_version

if TYPE_CHECKING:
    from airflow_provider_ims.hooks import ImsAsyncHook
    from airflow_provider_ims.models import Image
    from airflow_provider_ims.waiting import Watch

DEFAULT_TIMEOUT = 7200.0

SOONEST_RETURN = 6.0
"""Seconds before which a task must not come back to a worker: Airflow takes one that does for a failed one."""

TOLERATED_LOOK_UPS = 3
"""So many look-ups of the connection are tried, a poll interval apart, before a wait ends because of it."""

LONGEST_PUSH = 30.0
"""Seconds that an XCom may take to be written; after that the end is left to a worker."""

KILLED = "The task does not wait any more. %s"


class JobTrigger(BaseTrigger):
    """Fires once: when the job is over, or was not over at the deadline.

    The event is ``{"version", "status": "success", "job_id", "image_id", "image_name", ...}`` with what else an asset's
    event has (``assets.FACTS``), or ``{"version", "status": "error", "job_id", "error", "args"}``, from which
    ``ImsError.from_event`` makes the error again.

    :param job_id: the job to wait for.
    :param ims_conn_id: id of the Airflow connection; no secret is stored with the trigger.
    :param poll_interval: seconds between looks.
    :param deadline: the instant of the last look, in ISO format with an offset (default: in two hours).
    :param first_pause: seconds from its start until it looks (default: 6 or somewhat more, another number each time
        that a triggerer starts it, because that starts many together), but not beyond the deadline.
    :param order: the fields of the ``idempotency.Order`` that the job carries out; with them the last look also sees
        whether the image is as ordered and the only one, and the event has ``copy_key``.
    :param xcoms: where given, even if empty, a success ends the task without a worker, after these XComs were pushed;
        ``{image_id}`` in their values stands for the image's id.
    """

    def __init__(
        self,
        job_id: str,
        ims_conn_id: str = "ims_default",
        poll_interval: float = 30.0,
        deadline: str | None = None,
        first_pause: float | None = None,
        order: dict[str, Any] | None = None,
        xcoms: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if (version := stored_version("JobTrigger", kwargs)) is None:  # what was stored has been checked before
            check_job_id(job_id)
            check_seconds("poll_interval", poll_interval)
        self.version = version or DEFERRAL
        self.job_id = job_id
        self.ims_conn_id = ims_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline or _in(DEFAULT_TIMEOUT)
        self.first_pause = first_pause
        self.order = order
        self.xcoms = xcoms

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What Airflow stores of it: no secrets."""
        kwargs = ("version", "job_id", "ims_conn_id", "poll_interval", "deadline", "first_pause", "order", "xcoms")
        return "airflow_provider_ims.triggers.JobTrigger", {name: getattr(self, name) for name in kwargs}

    def get_hook(self) -> ImsAsyncHook:
        """The hook that it looks with; a subclass may bring its own."""
        from airflow_provider_ims.hooks import ImsAsyncHook

        return ImsAsyncHook(self.ims_conn_id, patience=0)  # what fails for a moment, the next look repeats

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the job is over, and yield one event: ``status`` (``success``, ``error``) and what is known."""
        has_pushed = False
        with nullcontext() if self.xcoms is None else ends_here().expected():
            await self.get_hook().sleep(self._rest())
            try:
                check_version(f"The wait for job {self.job_id}", self.version, DEFERRAL)
                # in a task: outside the greenlets that Airflow has a trigger run in
                made = await asyncio.create_task(self._wait())
            except ImsError as error:
                event = {"status": "error", **error.to_event()}
            else:
                event = {"status": "success", **made}
                has_pushed = await self._has_pushed(made["image_id"])
        if has_pushed:
            await ends_here().together()
            yield TaskSuccessEvent()
            return
        key = {"copy_key": self.order["key"]} if self.order else {}
        yield TriggerEvent({"version": DEFERRAL, "job_id": self.job_id, **key, **event})

    async def on_kill(self) -> None:
        """Say what goes on when a user marks or clears the waiting task (called since Airflow 3.3)."""
        from airflow_provider_ims.idempotency import account

        order = self.order or {}
        self.log.warning(KILLED, account(order.get("key") if order.get("marked") else None, self.job_id))

    def _rest(self) -> float:
        """Seconds before it may look; a triggerer that starts again has it wait anew, but not beyond its deadline."""
        if self.first_pause is None or self.version != DEFERRAL:
            return SOONEST_RETURN
        return min(self.first_pause, max(SOONEST_RETURN, _seconds_until(self.deadline)))

    async def _wait(self) -> dict[str, Any]:
        from airflow_provider_ims.idempotency import Order
        from airflow_provider_ims.waiting import Watch

        deadline, order = datetime.fromisoformat(self.deadline), Order.of(self.order) if self.order else None
        async with AsyncExitStack() as stack:
            hook = await self._open(stack)
            await hook.sleep(self._spread(hook))
            watch = Watch(hook.client, self.job_id, self.poll_interval, deadline, order)
            while (image := await self._look(hook, watch)) is None:
                await hook.sleep(watch.until_next_look())
                watch.client = await hook.refresh()
        return watch.made(image)

    async def _open(self, stack: AsyncExitStack) -> ImsAsyncHook:
        """Get a hook that has looked its connection up; Airflow also denies one where it could not ask for it."""
        for left in reversed(range(TOLERATED_LOOK_UPS)):
            hook = self.get_hook()
            try:
                return await stack.enter_async_context(hook)
            except ConnectionLookUpError as error:
                if not left:
                    raise
                self.log.warning("The connection is looked up again in %.0f s: %s", self.poll_interval, error)
                await hook.sleep(max(0.0, min(self.poll_interval, _seconds_until(self.deadline))))
        raise AssertionError("the last one raises")

    def _spread(self, hook: ImsAsyncHook) -> float:
        """Seconds more until the first look: many are deferred, and started, and wait for a look-up, together."""
        if self.first_pause is not None:
            return 0.0
        left = (datetime.fromisoformat(self.deadline) - hook.client.now()).total_seconds()
        within = min(left, max(SOONEST_RETURN, self.poll_interval - SOONEST_RETURN))
        return random.uniform(0.0, max(0.0, within))  # noqa: S311 - no secret

    async def _look(self, hook: ImsAsyncHook, watch: Watch) -> Image | None:
        try:
            return await hook.perform(watch.look())
        except LoginRefusedError:  # the password may have been changed, and the connection after it
            if not (renewed := await hook.renewed(watch.client)):
                raise
            watch.client = renewed
        return None

    async def _has_pushed(self, image_id: str) -> bool:
        """Whether the task may end here: that was asked for, and its XComs are written."""
        ti = self.task_instance
        if self.xcoms is None or ti is None:  # `dag.test()` runs a trigger without its task
            return False
        from airflow.sdk.execution_time.xcom import XCom

        index = -1 if ti.map_index is None else ti.map_index
        push = partial(XCom.set, dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=index)
        try:
            for key, value in self.xcoms.items():
                async with asyncio.timeout(LONGEST_PUSH):
                    await asyncio.to_thread(
                        push, key, value.replace("{image_id}", image_id)
                    )  # a backend of the user's own may block
        except Exception as problem:  # ... or raise what it likes
            self.log.warning("The task ends in a worker, for XCom '%s' cannot be written: %r", key, problem)
            return False
        return True


class SlotTrigger(BaseTrigger):
    """Fires when it is time to send a copy again for which the cloud had no free slot.

    The event is ``{"version", "deadline"}``.

    :param until: the instant at which it fires, in ISO format with an offset, by the clock of the host that says so.
    :param pause: seconds from the deferral to that instant.
    :param deadline: the instant after which no slot is waited for any more, likewise.
    :param known: what is known of the copy, for whoever kills the task.
    """

    def __init__(self, until: str, pause: float, deadline: str, known: str = "", **kwargs: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.version = stored_version("SlotTrigger", kwargs) or DEFERRAL
        self.until = until
        self.pause = pause
        self.deadline = deadline
        self.known = known

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What Airflow stores of it: no secrets."""
        kwargs = {name: getattr(self, name) for name in ("version", "until", "pause", "deadline", "known")}
        return "airflow_provider_ims.triggers.SlotTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep, and yield one event: the ``deadline``."""
        await asyncio.sleep(self.rest(datetime.now(UTC)))
        yield TriggerEvent({"version": self.version, "deadline": self.deadline})

    def rest(self, now: datetime) -> float:
        """Seconds until it fires: never sooner than said, whatever this host's clock; later after a restart at most."""
        left = datetime.fromisoformat(self.until) - now + CLOCK_SKEW
        return max(0.0, min(self.pause, left.total_seconds()))

    async def on_kill(self) -> None:
        """As ``JobTrigger.on_kill``."""
        self.log.warning(KILLED, self.known)


def _in(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def _seconds_until(instant: str) -> float:
    return (datetime.fromisoformat(instant) - datetime.now(UTC)).total_seconds()
