"""What the operator and the sensor share: the deadline of a try, the way into the triggerer, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_ims.errors import ImsError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from airflow_provider_ims.waiting import Watch

SOONEST_RETURN = 6.0
"""Seconds before which a task must not come back to a worker: Airflow takes one that does for a failed one."""

DEFERRAL_MARGIN = timedelta(minutes=5)
"""Airflow's own time-out comes so much later than the deadline, so that the last look happens and the error is ours."""


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
