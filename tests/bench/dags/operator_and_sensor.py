"""Copies with the operator, and a sensor that waits for them.

The sensors' ``weight_rule`` lets them begin before the copies that are still to be begun, for they hold no slot. The
HTTP provider's would: with ``mode=poke`` no copy could begin for them, with ``mode=reschedule`` each look is a process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, task, task_group

from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.sensors import JobSensor

PARAMS = {"image_ids": Param([], type="array"), "conn_id": "cloud", "domain_name": "", "project_id": ""}
COMMON: dict[str, Any] = {"ims_conn_id": "{{ params.conn_id }}", "retries": 2, "retry_delay": 1}


@task
def plan(**context: Any) -> list[dict[str, str]]:
    images = context["params"]["image_ids"]
    return [{"image_id": image, "name": f"copy-{number}"} for number, image in enumerate(images)]


with DAG(Path(__file__).stem, schedule=None, params=PARAMS):

    @task_group
    def each(image_id: str, name: str) -> None:
        copy = CopyImageOperator(task_id="copy_image", image_id=image_id, name=name, **COMMON)
        JobSensor(task_id="wait_for_copy", job_id=copy.output, poke_interval=5, weight_rule="upstream", **COMMON)

    each.expand_kwargs(plan())
