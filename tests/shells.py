"""Both hooks behind one face, and a task instance's part in running an operator: for tests of what knows Airflow."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_provider_ims import protocol
from airflow_provider_ims.errors import ImsPermanentError
from airflow_provider_ims.failures import HAS_RETRY_POLICIES
from airflow_provider_ims.hooks import ImsAsyncHook, ImsHook
from airflow_provider_ims.models import CLOCK_SKEW, Image, Service
from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.protocol import Call
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE

T = TypeVar("T")
Ask = Callable[[Callable[[Service], Call[T]]], T]

GET_IMAGE: Callable[[Service], Call[Image]] = partial(protocol.get_image, image_id=PLAIN_IMAGE)


def ask_in_thread(make: Callable[[Service], Call[T]], patience: float = 0.0) -> T:
    with ImsHook(patience=patience) as hook:
        return hook.perform(hook.client.ask(make))


def ask_on_loop(make: Callable[[Service], Call[T]], patience: float = 0.0) -> T:
    async def ask() -> T:
        async with ImsAsyncHook(patience=patience) as hook:
            return await hook.perform(hook.client.ask(make))

    return asyncio.run(ask())


def connect(monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any], **extra: Any) -> None:
    """Have ``ims_default`` be this connection, with this in its extra too."""
    whole = connection | {"extra": connection["extra"] | extra}
    monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", json.dumps(whole))


def fails_with(kind: type[Exception], match: str | None = None) -> AbstractContextManager[Any]:
    """Expect a task to fail with this error; before Airflow 3.3 a permanent one is an ``AirflowFailException``."""
    permanent = issubclass(kind, ImsPermanentError) and not HAS_RETRY_POLICIES
    return pytest.raises(AirflowFailException if permanent else kind, match=match)


def operator(**arguments: Any) -> CopyImageOperator:
    """A task that copies an image."""
    return CopyImageOperator(task_id="copy_image", **{"image_id": PLAIN_IMAGE, "name": "golden"} | arguments)


def waiting(**arguments: Any) -> CopyImageOperator:
    """One that waits for it too."""
    return operator(**{"wait_for_completion": True, "poll_interval": 0.1} | arguments)


def started(seconds: float, *, is_judged_elsewhere: bool = True) -> datetime:
    """The start of a try whose time is over, but for that which is left for another host's clock."""
    return datetime.now(UTC) - timedelta(seconds=seconds) - (CLOCK_SKEW if is_judged_elsewhere else timedelta(0))


@dataclass
class TaskInstance:
    """As much of Airflow's task instance as an operator asks for."""

    start_date: datetime = field(default_factory=lambda: datetime.now(UTC))
    dag_id: str = "a_dag"
    run_id: str = "a_run"
    task_id: str = "a_task"
    map_index: int = -1
    max_tries: int = 0
    first_reschedule: datetime | None = None
    xcom: dict[str, Any] = field(default_factory=dict)
    try_number: int = 1

    def get_first_reschedule_date(self, context: Any) -> datetime | None:
        return self.first_reschedule

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcom[key] = value


@dataclass
class DagRun:
    """As much of Airflow's DAG run as an operator asks for."""

    start_date: datetime | None = datetime(2026, 1, 31, 23, tzinfo=UTC)


class StateStore:
    """As much of Airflow's task state store as a task asks for."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str) -> Any:
        return json.loads(self.kept[key]) if key in self.kept else None

    def set(self, key: str, value: Any) -> None:
        self.kept[key] = json.dumps(value)


@dataclass
class Run:
    """A task run to its end: what it returned and pushed, and the trigger that it waited with, if it did.

    ``links``: the addresses of its links, by name, as its processes have told them.
    """

    returned: Any
    xcom: dict[str, Any]
    trigger: tuple[str, dict[str, Any]] | None = None
    links: dict[str, str] = field(default_factory=dict)


def links_of(task: Any) -> dict[str, str]:
    """The links that Airflow stores when a process of the task ends."""
    return {link.name: link.get_link(task, ti_key=None) for link in task.operator_extra_links}


def run_task(task: Any, ti: TaskInstance | None = None, **context: Any) -> Run:
    """Execute a task; what it defers is run from what the database would keep, without the wait for the first look."""
    ti = ti or TaskInstance()
    context = {"ti": ti, "task_reschedule_count": 0, "dag_run": DagRun()} | context
    try:
        return Run(task.execute(context), ti.xcom, links=links_of(task))
    except TaskDeferred as deferred:
        path, kwargs = json.loads(json.dumps(deferred.trigger.serialize()))
        event = json.loads(json.dumps(run_trigger(path, kwargs | {"first_pause": 0.0})))
        links = links_of(task)
        returned = task.resume_execution(deferred.method_name, {**(deferred.kwargs or {}), "event": event}, context)
        return Run(returned, ti.xcom, (path, kwargs), links | links_of(task))


def run_trigger(path: str, kwargs: dict[str, Any]) -> Any:
    async def first_event() -> Any:
        module, _, name = path.rpartition(".")
        async for event in getattr(importlib.import_module(module), name)(**kwargs).run():
            return event.payload

    return asyncio.run(first_event())
