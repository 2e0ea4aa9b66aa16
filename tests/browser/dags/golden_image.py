"""A copy that tells an asset, and a DAG that runs when it does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from airflow.sdk import DAG, Asset, get_current_context, task

from airflow_provider_ims.operators import CopyImageOperator

# A URI that no example has: under another name there, one of the two would not be active.
golden = Asset(name="golden-debian", uri="ims://eu-de/eu-de_images/golden-debian")

with DAG("publish_golden_image", schedule=None):
    CopyImageOperator(
        task_id="copy_image",
        image_id="465076de-dc36-4aec-80f5-ef9d8009428f",
        name="golden-{{ dag_run.run_after | ds_nodash }}",
        wait_for_completion=True,
        poll_interval=10,
        retries=2,
        retry_delay=timedelta(seconds=1),  # Airflow fails a task now and then that comes back soon
        outlets=[golden],
    )

with DAG("use_golden_image", schedule=golden):

    @task(inlets=[golden])
    def read_image_id() -> str:
        events = get_current_context()["inlet_events"]
        return str(cast("Any", events[golden][-1].extra)["image_id"])

    read_image_id()
