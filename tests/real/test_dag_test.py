"""``dag.test()``, which runs triggers in a loop of their own each: copies end well there, and nothing is left open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator

DAG_FILE = """
from airflow.sdk import DAG
from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.sensors import JobSensor

IMAGE = "465076de-dc36-4aec-80f5-ef9d8009428f"

with DAG("copies", schedule=None) as dag:
    waiting = {"image_id": IMAGE, "wait_for_completion": True, "poll_interval": 1}
    CopyImageOperator(task_id="waits", name="waits", **waiting)
    CopyImageOperator(task_id="ends", name="ends", end_in_triggerer=True, **waiting)
    begun = CopyImageOperator(task_id="begins", name="begins", image_id=IMAGE)
    JobSensor(task_id="is_waited_for", job_id=begun.output, poke_interval=1)
"""


def airflow(home: Path, *arguments: str) -> str:
    options = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags")}
    command = [sys.executable, "-X", "dev", "-m", "airflow", *arguments]
    done = subprocess.run(command, env=os.environ | options, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_copies_end_well_and_leave_nothing_open(airflow_home: Path, ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(copy_seconds=6.5)
    (airflow_home / "dags").mkdir()
    (airflow_home / "dags" / "copies.py").write_text(DAG_FILE)
    airflow(airflow_home, "db", "migrate")
    airflow(airflow_home, "dags", "reserialize")
    shown = airflow(airflow_home, "dags", "test", "copies")
    assert {image["name"]: image["status"] for image in ims_simulator.cloud.copies()} == {
        "waits": "active",
        "ends": "active",
        "begins": "active",
    }
    assert shown.count("Trigger completed") >= 2  # the sensor may find its job over
    assert "Unclosed" not in shown  # as aiohttp says of what it finds open
