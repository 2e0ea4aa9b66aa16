"""Tasks that nobody runs: the bench defers them, and only their triggers ever live."""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, BaseOperator


class Waits(BaseOperator):
    """A task in a pool without slots."""

    def execute(self, context: Any) -> None:
        raise AssertionError("nobody runs it")


for dag_id, count in (("crowd", int(os.environ["IMS_BENCH_WAITS"])), ("probe", 1), ("poller", 1)):
    with DAG(dag_id, schedule=None):
        for number in range(count):
            Waits(task_id=f"wait_{number}", pool="closed")
