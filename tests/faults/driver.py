"""A task driven through all its deferrals and reschedules, as Airflow does it, without the time between."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred

from tests.shells import DagRun, Run, StateStore, TaskInstance, run_trigger

MOST_RETURNS = 500


def run_to_the_end(task: Any, ti: TaskInstance | None = None, store: StateStore | None = None) -> Run:
    """Run one try of a task; each part of it is another process's, which knows what Airflow keeps and nothing else.

    The time for which a task leaves its worker passes at once: the try started so much earlier.
    """
    ti = ti or TaskInstance()
    kept = {"ti": ti, "task_state_store": store or StateStore(), "dag_run": DagRun()}
    trigger, resume = None, None
    for count in range(MOST_RETURNS):
        part, context = copy.copy(task), {**kept, "task_reschedule_count": count if resume is None else 0}
        try:
            if resume is None:
                return Run(part.execute(context), ti.xcom, trigger)
            return Run(part.resume_execution(*resume, context), ti.xcom, trigger)
        except TaskDeferred as deferred:
            trigger = json.loads(json.dumps(deferred.trigger.serialize()))
            event = json.loads(json.dumps(run_trigger(trigger[0], _at_once(trigger[1]))))
            resume = deferred.method_name, {**(deferred.kwargs or {}), "event": event}
        except AirflowRescheduleException as rescheduled:
            resume, started = None, ti.first_reschedule or ti.start_date
            ti.first_reschedule = started - (rescheduled.reschedule_date - datetime.now(UTC))
    raise AssertionError("never over")


def _at_once(kwargs: dict[str, Any]) -> dict[str, Any]:
    """A trigger's arguments without the wait at its beginning; what it waits for a slot comes off the deadline."""
    if "until" not in kwargs:
        return kwargs | {"first_pause": 0.0}
    deadline = datetime.fromisoformat(kwargs["deadline"]) - timedelta(seconds=kwargs["pause"])
    return kwargs | {"pause": 0.0, "deadline": deadline.isoformat()}
