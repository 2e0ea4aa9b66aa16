"""Copies with the HTTP provider's operator and sensor: log in, copy, look until the job is over.

The file's name ends with the sensor's mode.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.http.sensors.http import HttpSensor
from airflow.sdk import DAG, Param, task, task_group
from airflow.sdk.exceptions import AirflowFailException

WAY = Path(__file__).stem
PARAMS = {"image_ids": Param([], type="array"), "conn_id": "cloud", "domain_name": "", "project_id": ""}
CONN = "{{ params.conn_id }}"
USER = {"name": "{{ conn.get(params.conn_id).login }}", "password": "{{ conn.get(params.conn_id).password }}"}
PASSWORD = {"user": {**USER, "domain": {"name": "{{ params.domain_name }}"}}}
IDENTITY = {"methods": ["password"], "password": PASSWORD}
LOG_IN = {"identity": IDENTITY, "scope": {"project": {"id": "{{ params.project_id }}"}}}
JSON = {"Content-Type": "application/json"}
TOKEN = {"X-Auth-Token": "{{ ti.xcom_pull(task_ids='log_in') }}"}
JOB = "/v1/{{ params.project_id }}/jobs/{{ ti.xcom_pull(task_ids='each.copy_image', map_indexes=ti.map_index) }}"


@task
def plan(**context: Any) -> list[dict[str, str]]:
    images = context["params"]["image_ids"]
    return [
        {"endpoint": f"/v1/cloudimages/{image}/copy", "data": json.dumps({"name": f"copy-{number}"})}
        for number, image in enumerate(images)
    ]


def is_over(response: Any) -> bool:
    job = response.json()
    if job["status"] == "FAIL":
        raise AirflowFailException(job["fail_reason"])
    return bool(job["status"] == "SUCCESS")


with DAG(WAY, schedule=None, params=PARAMS):
    log_in = HttpOperator(
        task_id="log_in",
        http_conn_id=CONN,
        endpoint="/v3/auth/tokens",
        data=json.dumps({"auth": LOG_IN}),
        headers=JSON,
        response_filter=lambda response: response.headers["X-Subject-Token"],
    )

    @task_group
    def each(endpoint: str, data: str) -> None:
        copy = HttpOperator(
            task_id="copy_image",
            http_conn_id=CONN,
            endpoint=endpoint,
            data=data,
            headers=TOKEN | JSON,
            response_filter=lambda response: response.json()["job_id"],
        )
        wait = HttpSensor(
            task_id="wait_for_copy",
            http_conn_id=CONN,
            endpoint=JOB,
            headers=TOKEN,
            response_check=is_over,
            mode=WAY.rpartition("_")[2],
            poke_interval=5,
            retries=5,
            retry_delay=1,
        )
        copy >> wait

    log_in >> each.expand_kwargs(plan())
