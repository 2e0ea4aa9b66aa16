"""Copy each new golden image encrypted: Airflow watches for images of that name, and a run begins when there is one.

An event may come twice, and then the second finds the copy of the first: ``copy_key`` is the source image's id, and one
run at a time begins copies. The copies' names do not match what is watched for.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, Param, task

from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.triggers import ImageTrigger

NEW_IMAGES = Asset(
    "ims://eu-de/eu-de_images/golden-sources",
    watchers=[AssetWatcher(name="golden-sources", trigger=ImageTrigger(name="golden-source-*"))],
)

with DAG(
    "encrypt_new_images",
    description="An encrypted copy of each golden image that is published",
    schedule=[NEW_IMAGES],
    max_active_runs=1,
    doc_md=__doc__,
    tags=["ims", "example"],
    default_args={"retries": 2},
    params={
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
        """One copy an image that the run's events tell of; there may be several, and one may be told of twice."""
        events = [event for found in context["triggering_asset_events"].values() for event in found]
        told = [event.extra.get("payload", {}) for event in events]  # nothing, by an event made by hand
        images = sorted({payload["image_id"] for payload in told if "image_id" in payload})
        return [{"image_id": image, "name": f"encrypted-{image[-12:]}", "copy_key": image} for image in images]

    CopyImageOperator.partial(
        task_id="copy_image",
        cmk_id="{{ params.cmk_id }}",
        wait_for_completion=True,
        map_index_template="{{ task.name }}",
    ).expand_kwargs(plan())
