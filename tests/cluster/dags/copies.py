"""Many mapped copies: for tests."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_ims.operators import CopyImageOperator

with DAG(
    "many_copies",
    schedule=None,
    params={"names": "copy", "copies": 100},
    default_args={"retries": 3, "retry_delay": 5},
):

    @task
    def plan(**context: Any) -> list[dict[str, str]]:
        names, copies = context["params"]["names"], context["params"]["copies"]
        return [{"name": f"{names} {number}"} for number in range(copies)]

    CopyImageOperator.partial(
        task_id="copy_image",
        image_id="465076de-dc36-4aec-80f5-ef9d8009428f",
        wait_for_completion=True,
        poll_interval=10,
        submit_grace=20,
    ).expand_kwargs(plan())
