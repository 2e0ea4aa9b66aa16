"""Copies with a task of one's own: log in, copy, look until the job is over."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseHook, Param, task
from airflow.sdk.exceptions import AirflowFailException

PARAMS = {"image_ids": Param([], type="array"), "conn_id": "cloud", "domain_name": "", "project_id": ""}


@task
def plan(**context: Any) -> list[dict[str, str]]:
    images = context["params"]["image_ids"]
    return [{"image_id": image, "name": f"copy-{number}"} for number, image in enumerate(images)]


@task
def copy_image(image_id: str, name: str, **context: Any) -> str:
    import requests

    project_id = context["params"]["project_id"]
    cloud = BaseHook.get_connection(context["params"]["conn_id"])
    user = {"name": cloud.login, "password": cloud.password, "domain": {"name": context["params"]["domain_name"]}}
    identity = {"methods": ["password"], "password": {"user": user}}
    url = f"{cloud.host}:{cloud.port}"
    with requests.Session() as session:
        log_in = {"auth": {"identity": identity, "scope": {"project": {"id": project_id}}}}
        answer = session.post(f"{url}/v3/auth/tokens", json=log_in, timeout=30)
        answer.raise_for_status()
        session.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
        answer = session.post(f"{url}/v1/cloudimages/{image_id}/copy", json={"name": name}, timeout=30)
        answer.raise_for_status()
        job_id = answer.json()["job_id"]
        while True:
            answer = session.get(f"{url}/v1/{project_id}/jobs/{job_id}", timeout=30)
            answer.raise_for_status()
            job = answer.json()
            if job["status"] == "FAIL":
                raise AirflowFailException(job["fail_reason"])
            if job["status"] == "SUCCESS":
                return str(job["entities"]["image_id"])
            time.sleep(5)


with DAG(Path(__file__).stem, schedule=None, params=PARAMS):
    copy_image.expand_kwargs(plan())
