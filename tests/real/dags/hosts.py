"""Tasks that each believe to be on one of four hosts, with a home of its own; for tests."""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_ims.operators import CopyImageOperator

PARAMS = {"homes": ["/nowhere"], "image_id": "465076de-dc36-4aec-80f5-ef9d8009428f", "ims_conn_id": "ims_default"}


class CopyOnAnotherHost(CopyImageOperator):
    """Begins its copy on the first host; its trigger, and its end, are elsewhere."""

    def execute(self, context: Any) -> Any:
        os.environ["AIRFLOW_HOME"] = context["params"]["homes"][0]
        return super().execute(context)


@task
def homes(**context: Any) -> list[str]:
    return list(context["params"]["homes"]) * 5


@task
def look(home: str, **context: Any) -> str:
    from airflow_provider_ims.hooks import ImsHook

    os.environ["AIRFLOW_HOME"] = home
    with ImsHook(context["params"]["ims_conn_id"]) as hook:
        return hook.get_image(context["params"]["image_id"]).id


with DAG("hosts", schedule=None, params=PARAMS):
    copy = CopyOnAnotherHost(
        task_id="copy_image",
        image_id="{{ params.image_id }}",
        name="from host to host",
        ims_conn_id="{{ params.ims_conn_id }}",
        wait_for_completion=True,
        poll_interval=2,
    )
    look.expand(home=homes()) >> copy
