"""One copy beside a task that keeps the run from ending until it is allowed to: for tests of clears."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_ims.operators import CopyImageOperator

PARAMS = {"ims_conn_id": "ims_default"}
COPY: dict[str, Any] = {
    "task_id": "copy_image",
    "image_id": "465076de-dc36-4aec-80f5-ef9d8009428f",
    "name": "cleared",
    "ims_conn_id": "{{ params.ims_conn_id }}",
    "wait_for_completion": True,
    "poll_interval": 1,
    "submit_grace": 9,
    "retries": 1,
    "retry_delay": 0,
}


@task
def keep_the_run_going(**context: Any) -> None:
    permission = Path(os.environ["AIRFLOW_HOME"]) / f"end-of-{context['params']['ims_conn_id']}"
    while not permission.exists():
        time.sleep(0.3)


for way, deferrable in {"deferred": True, "in_worker": False}.items():
    with DAG(f"clearing_{way}", schedule=None, params=PARAMS):
        keep_the_run_going()
        CopyImageOperator(deferrable=deferrable, **COPY)
