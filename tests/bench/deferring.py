"""Defers all tasks of a run at once: ``python -m tests.bench.deferring DAG_ID CLASS_PATH``, their kwargs on stdin.

It writes what the API server writes when a worker defers its task. A thousand workers would take minutes for it, and
a DAG that starts from triggers would go whole to the triggerer with each of its thousand tasks.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import select


def defer(dag_id: str, class_path: str, kwargs: list[dict[str, Any]]) -> None:
    """The tasks that wait for a slot, in any order."""
    waiting = select(TaskInstance).where(TaskInstance.dag_id == dag_id, TaskInstance.state == "scheduled")
    with create_session() as session:
        for task, arguments in zip(session.scalars(waiting).all(), kwargs, strict=True):
            trigger = Trigger(class_path, arguments)
            session.add(trigger)
            session.flush()
            task.state, task.trigger_id = TaskInstanceState.DEFERRED, trigger.id
            task.next_method, task.next_kwargs, task.try_number = "execute_complete", {}, 1


if __name__ == "__main__":
    defer(sys.argv[1], sys.argv[2], json.load(sys.stdin))
