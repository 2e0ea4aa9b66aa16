"""A ``JobSensor`` in the simulated world: as it is deferred, resumed, and rescheduled."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred

from airflow_provider_ims.hooks.base import ImsBaseHook
from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.sensors import JobSensor
from tests.model.worker import SkewedWorld
from tests.shells import StateStore, TaskInstance


class Hook(ImsBaseHook):
    """A hook of a worker."""

    def __init__(self, world: SkewedWorld) -> None:
        super().__init__(patience=0)
        self.world, self.client = world, world.client_on("worker")

    def send(self, request: Request) -> Response:
        response: Response = self.world.carry_out(request)
        return response


def sensor(world: SkewedWorld, job_id: str, **arguments: Any) -> JobSensor:
    class Sensor(JobSensor):
        def get_hook(self) -> ImsBaseHook:
            return Hook(world)

    return Sensor(task_id="a_task", job_id=job_id, **arguments)


def context_of(world: SkewedWorld, store: StateStore | None = None, looks: int = 0) -> Any:
    ti = TaskInstance(start_date=world.clock("worker"))
    return {"ti": ti, "task_state_store": store or StateStore(), "task_reschedule_count": looks}


def deferred(world: SkewedWorld, job_id: str) -> dict[str, Any]:
    """What a sensor leaves in the database that waits in the triggerer."""
    with pytest.raises(TaskDeferred) as waits:
        sensor(world, job_id).execute(context_of(world))
    path, kwargs = waits.value.trigger.serialize()
    method, next_kwargs = waits.value.method_name, waits.value.kwargs or {}
    stored = {"path": path, "kwargs": kwargs, "method": method, "next_kwargs": next_kwargs}
    return {"deferral": json.loads(json.dumps(stored))}


def rescheduled(world: SkewedWorld, job_id: str) -> dict[str, Any]:
    """What one look leaves to the next."""
    store = StateStore()
    with pytest.raises(AirflowRescheduleException):
        sensor(world, job_id, deferrable=False).execute(context_of(world, store))
    return {key: json.loads(value) for key, value in store.kept.items()}
