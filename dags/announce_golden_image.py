"""Use each new golden image: a run begins when ``nightly_golden_image`` has made one, and is told its id."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, Variable, task
from airflow.sdk.exceptions import AirflowSkipException

with DAG(
    "announce_golden_image",
    description="Keep the newest golden image's id where other DAGs find it",
    schedule=[Asset("ims://eu-de/eu-de_images/golden-ubuntu")],
    doc_md=__doc__,
    tags=["ims", "example"],
    default_args={"retries": 2},
) as dag:

    @task
    def announce(**context: Any) -> str:
        """The newest image's id, from now on also ``{{ var.value.golden_image_id }}``."""
        events = [event for found in context["triggering_asset_events"].values() for event in found]
        events = [event for event in events if "image_id" in event.extra]  # an event made by hand tells of none
        if not events:
            raise AirflowSkipException("No event tells of an image.")
        newest = max(events, key=lambda event: event.timestamp)
        image_id = str(newest.extra["image_id"])
        Variable.set("golden_image_id", image_id, description=newest.extra.get("image_name"))
        return image_id

    announce()
