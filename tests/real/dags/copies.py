"""One or many copies, with any connection, on each way of waiting: for tests."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.sensors import JobSensor

PARAMS = {"image_ids": ["465076de-dc36-4aec-80f5-ef9d8009428f"], "ims_conn_id": "ims_default"}
COMMON: dict[str, Any] = {"ims_conn_id": "{{ params.ims_conn_id }}", "retries": 2, "retry_delay": 1}
WAYS: dict[str, dict[str, Any]] = {
    "deferred": {"deferrable": True},
    "in_worker": {"deferrable": False},
    "ending": {"end_in_triggerer": True},
}
IMPATIENT: dict[str, Any] = {"impatient": {"timeout": 20, "retries": 0}}


@task
def plan(**context: Any) -> list[dict[str, str]]:
    images = context["params"]["image_ids"]
    return [{"image_id": image, "name": f"copy-{number}-of-{image[-4:]}"} for number, image in enumerate(images)]


for way, how in (WAYS | IMPATIENT).items():
    with DAG(f"copies_{way}", schedule=None, params=PARAMS):
        arguments = COMMON | how | {"wait_for_completion": True, "poll_interval": 2}
        CopyImageOperator.partial(task_id="copy_image", **arguments).expand_kwargs(plan())

for way, how in WAYS.items():
    with DAG(f"copies_and_sensors_{way}", schedule=None, params=PARAMS):
        copies = CopyImageOperator.partial(task_id="copy_image", **COMMON).expand_kwargs(plan())
        arguments = COMMON | how | {"poke_interval": 2}
        JobSensor.partial(task_id="wait_for_copy", **arguments).expand(job_id=copies.output)
