"""A chain that nobody starts: an image is published, it is copied, and another DAG is told of the copy; for tests."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.triggers import ImageTrigger

WATCHER = AssetWatcher(name="watched", trigger=ImageTrigger(name="watched-*", poll_interval=1))
WATCHED = Asset("ims://eu-de/eu-de_images/watched", watchers=[WATCHER])
COPIED = Asset("ims://eu-de/eu-de_images/copied")


def extras(context: Any) -> list[dict[str, Any]]:
    return [event.extra for events in context["triggering_asset_events"].values() for event in events]


with DAG("copies_of_watched", schedule=[WATCHED], max_active_runs=1):

    @task
    def plan(**context: Any) -> list[dict[str, str]]:
        images = sorted({extra["payload"]["image_id"] for extra in extras(context)})
        return [{"image_id": image, "name": f"copy-{image[-12:]}", "copy_key": image} for image in images]

    CopyImageOperator.partial(
        task_id="copy_image",
        wait_for_completion=True,
        poll_interval=2,
        retries=2,
        retry_delay=1,
        outlets=[COPIED],
    ).expand_kwargs(plan())

with DAG("after_copies", schedule=[COPIED]):

    @task
    def tell(**context: Any) -> list[dict[str, Any]]:
        return extras(context)

    tell()
