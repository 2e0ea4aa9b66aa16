"""Many processes on a few hosts that all begin at once: each makes one call with ``ImsHook``, as a task does.

    python -m tests.real.hosts FOLDER HOSTS PROCESSES

A host is a home of its own below the folder (``AIRFLOW_HOME``, ``HOME``, ``TMPDIR``). The processes are forks of one
that has imported everything: a hundred that import by themselves would start within minutes, not within a second. They
read the connection in the environment; with ``EXECUTION_API`` and ``EXECUTION_TOKEN`` in it they reach Airflow's
Variables, as a task's supervisor does. Prints JSON: the instants at which they began, none of
which had asked before the last one, and how many ended well.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from airflow.sdk.api.client import Client
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import DeleteVariable, GetVariable, PutVariable, VariableResult

from airflow_provider_ims.hooks import ImsHook
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE


class Supervisor:
    """What stands between a task's process and Airflow's API: of its messages those about Variables."""

    def __init__(self) -> None:
        self._variables = Client(base_url=os.environ["EXECUTION_API"], token=os.environ["EXECUTION_TOKEN"]).variables

    def send(self, message: Any) -> Any:
        match message:
            case GetVariable():
                found = self._variables.get(message.key)
                return VariableResult.from_variable_response(found) if hasattr(found, "value") else found
            case PutVariable():
                return self._variables.set(message.key, message.value, message.description)
            case DeleteVariable():
                return self._variables.delete(message.key)
        return None


def work(home: Path, begin: int, told: int) -> None:
    """Wait until all have begun, then ask with them; in a process of its own."""
    home.mkdir(parents=True, exist_ok=True)
    os.environ |= dict.fromkeys(("AIRFLOW_HOME", "HOME", "TMPDIR"), str(home))
    began = time.time()
    os.read(begin, 1)
    if "EXECUTION_API" in os.environ:
        vars(task_runner)["SUPERVISOR_COMMS"] = Supervisor()
    with ImsHook() as hook:
        found = hook.get_image(PLAIN_IMAGE).id == PLAIN_IMAGE
    os.write(told, f"{began} {int(found)}\n".encode())


def main(folder: str, hosts: int, processes: int) -> None:
    """Let them all begin, and tell what came of them."""
    ImsHook.get_connection("ims_default")  # so that what it imports is there
    begin, all_begin = os.pipe()
    heard, told = os.pipe()
    children = []
    for number in range(processes):
        if (child := os.fork()) == 0:
            os.close(all_begin)
            status = 1
            try:
                work(Path(folder) / f"host{number % hosts}", begin, told)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        children.append(child)
    os.close(told)
    os.close(all_begin)
    with os.fdopen(heard) as lines:
        ends = [line.split() for line in lines]
    ended = [os.waitpid(child, 0)[1] for child in children]
    print(json.dumps({"began": [float(at) for at, _ in ends], "ended_well": ended.count(0)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
