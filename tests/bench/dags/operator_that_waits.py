"""Copies with the operator that waits; where the file's name says so, they end in the triggerer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_ims.operators import CopyImageOperator

WAY = Path(__file__).stem
PARAMS = {"image_ids": Param([], type="array"), "conn_id": "cloud", "domain_name": "", "project_id": ""}


@task
def plan(**context: Any) -> list[dict[str, str]]:
    images = context["params"]["image_ids"]
    return [{"image_id": image, "name": f"copy-{number}"} for number, image in enumerate(images)]


with DAG(WAY, schedule=None, params=PARAMS):
    CopyImageOperator.partial(
        task_id="copy_image",
        ims_conn_id="{{ params.conn_id }}",
        wait_for_completion=True,
        end_in_triggerer=WAY == "ends_in_triggerer",
        poll_interval=5,
        retries=2,
        retry_delay=1,
    ).expand_kwargs(plan())
