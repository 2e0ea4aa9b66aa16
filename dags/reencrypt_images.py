"""Re-encrypt a list of images: a copy of each with another key, five at a time, which is what a tenant may run.

Needs the pool ``ims_copies``: 5 slots, deferred tasks counted.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_ims.operators import CopyImageOperator

with DAG(
    "reencrypt_images",
    description="Copy a list of images with another key",
    schedule=None,
    doc_md=__doc__,
    tags=["ims", "example"],
    default_args={"retries": 2},
    params={
        "image_ids": Param(
            ["465076de-dc36-4aec-80f5-ef9d8009428f", "5eed0000-0000-4000-8000-0000000000a1"],
            type="array",
            items={"type": "string", "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"},
            minItems=1,
            uniqueItems=True,
            title="Images",
            description="The ids of the images to copy, one a line.",
        ),
        "cmk_id": Param(
            "5eed0000-0000-4000-8000-0000000000c1",
            type="string",
            minLength=1,
            title="Encryption key ID",
            description="The id of the KMS key to encrypt the copies with.",
        ),
    },
) as dag:

    @task
    def plan(**context: Any) -> list[dict[str, str]]:
        """One copy an image, its name from the image and the day."""
        day = f"{context['dag_run'].run_after:%Y%m%d}"
        images = context["params"]["image_ids"]
        return [{"image_id": image, "name": f"encrypted-{image[-12:]}-{day}"} for image in images]

    CopyImageOperator.partial(
        task_id="copy_image",
        cmk_id="{{ params.cmk_id }}",
        wait_for_completion=True,
        pool="ims_copies",
        map_index_template="{{ task.name }}",
    ).expand_kwargs(plan())
