"""What the operator and the sensor share: the deadline of a try, the way into the triggerer and back, and notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_provider_ims.errors import ImsError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from airflow_provider_ims.waiting import Watch

SOONEST_RETURN = 6.0
"""Seconds before which a task must not come back to a worker: Airflow takes one that does for a failed one."""

DEFERRAL_MARGIN = timedelta(minutes=5)
"""Airflow's own time-out comes so much later than the deadline, so that the last look happens and the error is ours."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What a task's process leaves to the next one under ``key``, in Airflow's task state store.

    A store belongs to one task of one run, mapped index included; tries share it. Airflow below 3.3 has none: there
    nothing is kept. Both methods raise ``AirflowRuntimeError`` where Airflow refuses.
    """

    store: Any
    key: str

    VERSION: ClassVar[int] = 1

    @classmethod
    def of(cls, context: Context, key: str) -> Notes:
        return cls(context.get("task_state_store"), key)

    def read(self) -> dict[str, Any]:
        """What was written last; empty where nothing was, or in a form of another version."""
        kept = self.store.get(self.key) if self.store is not None else None
        return kept if isinstance(kept, dict) and kept.get("version") == self.VERSION else {}

    def write(self, **facts: Any) -> None:
        """Put these, all of them JSON, in the place of what was there."""
        if self.store is not None:
            self.store.set(self.key, {"version": self.VERSION, **facts})


def is_known_at_parsing(value: object) -> bool:
    """Whether an argument holds no template and no other task's output, so that it can be checked at once."""
    return value is None or (isinstance(value, str) and "{{" not in value and "{%" not in value)


def deadline(context: Context, timeout: float) -> datetime:
    """``timeout`` seconds after this try first started, in whichever process that was."""
    ti: Any = context["ti"]
    started: datetime = ti.get_first_reschedule_date(context) or ti.start_date or datetime.now(UTC)
    return started + timedelta(seconds=timeout)


def defer_until_over(operator: BaseOperator, ims_conn_id: str, watch: Watch) -> NoReturn:
    """Give the wait to the triggerer; raises ``JobTimeoutError`` where the deadline has passed."""
    from airflow_provider_ims.triggers import JobTrigger

    pause, now = watch.until_next_look(), watch.client.now()
    trigger = JobTrigger(
        job_id=watch.job_id,
        ims_conn_id=ims_conn_id,
        poll_interval=watch.poll_interval,
        deadline=watch.deadline.isoformat(),
        first_look=(now + timedelta(seconds=max(SOONEST_RETURN, pause))).isoformat(),
    )
    until = f"{watch.deadline:%Y-%m-%d %H:%M} UTC"
    operator.log.info("Waiting for job %s in the triggerer until %s", watch.job_id, until)
    patience = max(watch.deadline - now, timedelta(0)) + DEFERRAL_MARGIN
    operator.defer(trigger=trigger, method_name="execute_complete", timeout=patience)


def success(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event of a trigger that saw the job end well; raises the ``ImsError`` of any other."""
    if event["status"] != "success":
        raise ImsError.from_event(event)
    return event
