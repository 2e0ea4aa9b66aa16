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
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_ims.operators import CopyImageOperator

PARAMS = {"deaths": [""], "victim": "process", "ims_conn_id": "ims_default"}
RECORD = Path(os.environ.get("AIRFLOW_HOME", ".")) / "points"
REQUESTS = {"/v3/auth/tokens": "log-in", "/copy$": "copy", "/jobs/": "job", "/v2/images/": "image", "cloudimages": "list"}
MESSAGES = {
    "DeferTask": "defer",
    "GetConnection": "connection",
    "GetTaskStateStore": "read of notes",
    "SetTaskStateStore": "write of notes",
    "SucceedTask": "success",
}
UNINTERESTING = {"MaskSecret"}
BEGINNINGS = {None: "begin", "submit_again": "again", "execute_complete": "end"}


def die_where_told(context: Any) -> None:
    """Write down each point from now on, and die at the one that is meant for this task's map index."""
    import requests
    from airflow.sdk.execution_time.comms import CommsDecoder

    ti, params = context["ti"], context["params"]
    process = BEGINNINGS[ti._ti_context_from_server.next_method]
    death = params["deaths"][ti.map_index] if ti.try_number == 1 else ""
    victim = os.getppid() if params["victim"] == "supervisor" else os.getpid()
    record, passed = RECORD / params["ims_conn_id"], Counter[str]()

    def write(what: str) -> None:
        record.parent.mkdir(exist_ok=True)
        with record.open("a") as file:
            file.write(f"{ti.map_index} {ti.try_number} {what}\n")

    def reach(what: str, when: str) -> None:
        if what in UNINTERESTING:
            return
        count = f" {passed[what]}" if passed[what] > 1 else ""
        write(point := f"{process} {when} {what}{count}")
        if point == death:
            write("dies")
            os.kill(victim, signal.SIGKILL)

    def with_points(name: Callable[[Any], str], call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(self: Any, sent: Any = None, **more: Any) -> Any:
            what = name(more["msg"] if sent is None else sent)
            passed[what] += 1
            reach(what, "before")
            try:
                return call(self, more.pop("msg") if sent is None else sent, **more)
            finally:
                reach(what, "after")

        return watched

    write(f"{process} starts {os.getpid()}")
    requests.Session.send = with_points(_request, requests.Session.send)  # type: ignore[method-assign]
    CommsDecoder.send = with_points(_message, CommsDecoder.send)  # type: ignore[method-assign]


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
            submit_grace=4,
            retries=retries,
            retry_delay=retries // 10,
            pre_execute=die_where_told,
        ).expand_kwargs(plan())
