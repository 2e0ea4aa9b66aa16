"""Copies whose process kills itself, or its supervisor, at the point that the run names, in its first try: for tests.

A point lies before or after something that leaves the process: an HTTP request, or a message to its supervisor, by
which Airflow notes, pushes, defers and ends. Each process writes down which of them it has passed.
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_ims.operators import CopyImageOperator

PARAMS = {"deaths": [""], "victim": "process", "ims_conn_id": "ims_default"}
RECORD = Path(os.environ.get("AIRFLOW_HOME", ".")) / "points"
REQUESTS = {
    "/v3/auth/tokens": "log-in",
    "/copy$": "copy",
    "/jobs/": "job",
    "/v2/images/": "image",
    "cloudimages": "list",
}
MESSAGES = {
    "DeferTask": "defer",
    "GetConnection": "connection",
    "GetTaskStateStore": "read of notes",
    "SetTaskStateStore": "write of notes",
    "SucceedTask": "success",
}
UNINTERESTING = {"MaskSecret"}
BEGINNINGS = {None: "begin", "submit_again": "again", "execute_complete": "end"}


@dataclass
class Process:
    """One process of a copy's task. ``task``: map index and try; ``name``: which part of the try it is."""

    task: str
    name: str
    death: str
    victim: int
    record: Path
    passed: Counter[str] = field(default_factory=Counter)

    def write(self, what: str) -> None:
        """Write down what happens now."""
        self.record.parent.mkdir(exist_ok=True)
        with self.record.open("a") as file:
            file.write(f"{self.task} {what}\n")

    def reach(self, when: str, what: str) -> None:
        """Be at a point, and die there if it is the one."""
        if what in UNINTERESTING:
            return
        count = f" {self.passed[what]}" if self.passed[what] > 1 else ""
        self.write(point := f"{self.name} {when} {what}{count}")
        if point == self.death:
            self.write("dies")
            os.kill(self.victim, signal.SIGKILL)

    def watched(self, call: Callable[..., Any], name_of: Callable[[Any], str]) -> Callable[..., Any]:
        """The same call, with a point on either side."""

        def send(sender: Any, *sent: Any, **more: Any) -> Any:
            what = name_of(sent[0] if sent else more["msg"])
            self.passed[what] += 1
            self.reach("before", what)
            try:
                return call(sender, *sent, **more)
            finally:
                self.reach("after", what)

        return send


def die_where_told(context: Any) -> None:
    """Write down each point from now on, and die at the one that is meant for this task's map index."""
    from airflow.sdk.execution_time.comms import CommsDecoder

    from airflow_provider_ims.hooks.base import ImsBaseHook

    ti, params = context["ti"], context["params"]
    process = Process(
        task=f"{ti.map_index} {ti.try_number}",
        name=BEGINNINGS[ti._ti_context_from_server.next_method],
        death=params["deaths"][ti.map_index] if ti.try_number == 1 else "",
        victim=os.getppid() if params["victim"] == "supervisor" else os.getpid(),
        record=RECORD / params["ims_conn_id"],
    )
    process.write(f"{process.name} starts {os.getpid()}")
    ImsBaseHook.send = process.watched(ImsBaseHook.send, _request)  # type: ignore[method-assign]
    CommsDecoder.send = process.watched(CommsDecoder.send, _message)  # type: ignore[method-assign]


def _request(request: Any) -> str:
    return next(name for pattern, name in REQUESTS.items() if re.search(pattern, request.url))


def _message(message: Any) -> str:
    name = type(message).__name__
    return f"push of {message.key}" if name == "SetXCom" else MESSAGES.get(name, name)


@task
def plan(**context: Any) -> list[dict[str, str]]:
    return [{"name": death or "nothing"} for death in context["params"]["deaths"]]


for dag_id, retries in {"deaths": 5, "many_copies": 20}.items():
    with DAG(dag_id, schedule=None, params=PARAMS):
        CopyImageOperator.partial(
            task_id="copy_image",
            image_id="465076de-dc36-4aec-80f5-ef9d8009428f",
            ims_conn_id="{{ params.ims_conn_id }}",
            wait_for_completion=True,
            poll_interval=1,
            submit_grace=22,
            retries=retries,
            retry_delay=retries // 10,
            pre_execute=die_where_told,
        ).expand_kwargs(plan())
