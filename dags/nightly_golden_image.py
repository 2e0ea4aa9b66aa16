"""Keep a dated golden image: each night, find the one image of a name, copy it, and wait for the copy.

Then ``announce_golden_image`` runs, for the sensor tells of the image in an event of its asset.
"""

from __future__ import annotations

from airflow.sdk import DAG, Asset, Param, task

from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.sensors import JobSensor

with DAG(
    "nightly_golden_image",
    description="Each night: a dated copy of the golden source",
    schedule="30 2 * * *",
    doc_md=__doc__,
    tags=["ims", "example"],
    default_args={"retries": 2},
    params={
        "source_name": Param(
            "golden-source-ubuntu-24.04",
            type="string",
            title="Source image",
            description="The exact name of the image to copy. None of that name, or several, is an error.",
        )
    },
) as dag:

    @task
    def find_source(name: str) -> str:
        """The id of the one active image of that name."""
        from airflow_provider_ims.hooks import ImsHook

        with ImsHook() as hook:
            found = [image.id for image in hook.list_images(name=name, status="active")]
        if len(found) != 1:
            raise ValueError(f"{len(found)} active images are named {name!r}, there must be one: {found}")
        return found[0]

    copy = CopyImageOperator(
        task_id="copy_image",
        image_id=find_source("{{ params.source_name }}"),
        name="golden-{{ dag_run.run_after | ds_nodash }}",
    )
    JobSensor(task_id="wait_for_copy", job_id=copy.output, outlets=[Asset("ims://eu-de/eu-de_images/golden-ubuntu")])
