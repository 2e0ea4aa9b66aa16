"""All that differs from ``docker/compose.yaml`` where its services are processes of one machine.

Addresses and paths of this machine; times after which a loss is noticed; arguments that two hosts on one machine need.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.compose import COMPOSE_FILE

DAGS = Path(__file__).parent / "dags"
SOON = {
    "CELERY__WORKER_CONCURRENCY": 6,
    "CORE__PARALLELISM": 16,
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 5,
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": 20,
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 30,
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 5,
    "SCHEDULER__TASK_QUEUED_TIMEOUT": 60,
    "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": 10,
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": 20,
}
"""Settings with which a loss is noticed within a minute, and two cores carry it all."""

MORE_ARGUMENTS = {
    "scheduler": ["--skip-serve-logs"],
    "simulator": ["--host", "127.0.0.1", "--port", "{simulator}"],
    "triggerer": ["--skip-serve-logs"],
    "worker": ["--skip-serve-logs", "--celery-hostname", "{host}"],
}
"""Airflow's log servers listen on all addresses; Celery knows a worker by the name of its host."""


def places(home: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """What stands in the file for something that is elsewhere here. ``home``: the cluster's."""
    address = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    return {
        "/run/ims/secrets": str(home / "secrets"),
        "/opt/ims": str(home / "opt"),
        "docker-entrypoint.sh ": "",
        "dir /data": f"dir {home / 'redis'}\nbind 127.0.0.1\nport {ports['redis']}",
        "postgres:5432/airflow": f"{address['postgres']}/postgres",
        "redis:6379": address["redis"],
        "api-server:8080": address["api-server"],
        "simulator:8080": address["simulator"],
    }


def put(text: str, places: Mapping[str, str]) -> str:
    """The text with each of the places as it is here."""
    for there, here in places.items():
        text = text.replace(there, here)
    return text


def copy_files(folder: Path, places: Mapping[str, str]) -> None:
    """Put the scripts and documents of the image into a folder."""
    folder.mkdir()
    for path in COMPOSE_FILE.parent.glob("*.*"):
        (folder / path.name).write_text(put(path.read_text(), places))


def environment(home: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """What makes a process one of the host with this home: nothing of the user's Airflow, no proxy to loopback."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # each task would compile its imports again
    options = {
        "API__BASE_URL": f"http://127.0.0.1:{ports['api-server']}",
        "API__HOST": "127.0.0.1",
        "API__PORT": ports["api-server"],
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": False,
        "CORE__DAGS_FOLDER": DAGS,
        "SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST": "127.0.0.1",
        "SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": ports["scheduler"],
        "SCHEDULER__USE_JOB_SCHEDULE": False,  # a run begins when the plan starts it
        "USAGE_DATA_COLLECTION__ENABLED": False,
        **SOON,
    }
    return kept | {
        **{f"AIRFLOW__{name}": str(value) for name, value in options.items()},
        "AIRFLOW_HOME": str(home),
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
    }
