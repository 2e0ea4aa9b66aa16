"""One task played to its end in a cloud of its own, while something goes wrong there: what becomes of it."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import asdict, dataclass
from typing import Any

from airflow.sdk.exceptions import AirflowException

from airflow_provider_ims.errors import ImsError, ImsTransientError
from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.sensors import JobSensor
from airflow_provider_ims.simulator.cloud import Cloud
from airflow_provider_ims.simulator.connection import connection_to
from airflow_provider_ims.simulator.images import status_of
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from airflow_provider_ims.simulator.server import running
from airflow_provider_ims.simulator.settings import Settings
from tests.faults.driver import run_to_the_end
from tests.faults.troubles import ROUTES, TROUBLES, Times
from tests.shells import Run, StateStore, TaskInstance
from tests.simulator.visitor import Visitor, read

PATIENT, IMPATIENT = 3.0, 1.0
"""Seconds in which a connection has to answer; the fewer where it never does."""

SUBMIT_GRACE = 0.3
INTERVAL = 0.05
LONG = 7200.0
TRANSIENT = "transient"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Play:
    """``kind``: operator or sensor. ``deferrable``: else the operator waits in its worker, the sensor reschedules."""

    trouble: str
    endpoint: str
    times: Times
    kind: str
    deferrable: bool

    @property
    def timeout(self) -> float:
        """Of the task: short where only the deadline may end it. Pauses for a slot cost no time, but count."""
        if self.times or self.kind in TROUBLES[self.trouble].harmless:
            return LONG
        comes_late = self.endpoint in ("image", "list at the end")
        return 60.0 if self.endpoint == "copy" else 10.0 if comes_late else 4.0


def outcome(play: Play) -> str:
    """Play it, and say in words what came of it. Whatever comes, there is at most one image, and no green without.

    After a transient failure of the operator the fault is over, and another try has to make the one image.
    """
    number = next(_numbers)
    conn_id = f"ims_{number}"  # and a user of its own, or it would find the token of one whose port it has
    usual: dict[str, Any] = {"user_name": conn_id, "copy_seconds": 0.2, "active_lag": 0.1, "image_appears": "submit"}
    settings = Settings(**usual | dict(TROUBLES[play.trouble].settings))
    with running(Cloud(settings)) as server:
        connection = connection_to(server.url, settings)
        connection["extra"] |= {"timeout": IMPATIENT if play.trouble.startswith("hang") else PATIENT, "verify": False}
        os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(connection)
        return _play(play, server.cloud, conn_id)


def _play(play: Play, cloud: Cloud, conn_id: str) -> str:
    job_id, store = _begun(cloud) if play.kind == "sensor" else "", StateStore()
    if play.kind == "sensor" and play.endpoint == "image":
        cloud.end_job(job_id)  # so that the first look comes that far
    usual = asdict(cloud.settings)
    TROUBLES[play.trouble].begin(cloud, play.endpoint, play.times)
    try:
        run = run_to_the_end(_task(play, conn_id, job_id, play.timeout), store=store)
    except (ImsError, AirflowException) as error:
        words = _failure(play, error, cloud)
    else:
        words = _success(play, run, cloud)
    _assert_that_it_struck(play, cloud)
    if play.kind == "operator" and TRANSIENT in words:
        cloud.faults.clear()
        cloud.on_arrival = lambda arrival: None
        cloud.change(**usual)
        again = run_to_the_end(_task(play, conn_id, job_id, LONG), TaskInstance(try_number=2), store)
        assert "success" in _success(play, again, cloud)
    return words


def _assert_that_it_struck(play: Play, cloud: Cloud) -> None:
    arrivals = cloud.requests(ROUTES[play.endpoint])
    assert arrivals
    if play.times:
        assert len(cloud.faults) == 0
    if play.trouble == "second page missing":
        assert any(arrival.status == 503 and "marker" in arrival.query for arrival in arrivals)


def _begun(cloud: Cloud) -> str:
    visitor = Visitor()
    visitor.cloud = cloud
    assert visitor.log_in(name=cloud.settings.user_name, domain={"name": cloud.settings.domain_name}).status == 201
    return str(read(visitor.copy("golden"))["job_id"])


def _task(play: Play, conn_id: str, job_id: str, timeout: float) -> Any:
    common: dict[str, Any] = {
        "task_id": "a_task",
        "ims_conn_id": conn_id,
        "deferrable": play.deferrable,
        "timeout": timeout,
    }
    if play.kind == "sensor":
        return JobSensor(job_id=job_id, poke_interval=INTERVAL, **common)
    return CopyImageOperator(
        image_id=PLAIN_IMAGE,
        name="golden",
        wait_for_completion=True,
        poll_interval=INTERVAL,
        submit_grace=SUBMIT_GRACE,
        **common,
    )


def _success(play: Play, run: Run, cloud: Cloud) -> str:
    (job,) = cloud.jobs
    image_id = run.returned if play.kind == "sensor" else run.xcom["image_id"]
    assert image_id == job.image_id
    assert status_of(cloud.state.images[image_id], cloud.state) == "active"
    if play.kind == "sensor" or run.returned == job.id:
        return "success"
    assert run.returned == f"image:{image_id}"
    return "success, adopted"


def _failure(play: Play, error: Exception, cloud: Cloud) -> str:
    cause = error if isinstance(error, ImsError) else error.__cause__
    assert isinstance(cause, ImsError), f"a failure that is not ours: {error!r}"
    kind = TRANSIENT if isinstance(error, ImsTransientError) else "permanent"
    words = f"fails: {type(error).__name__} ({kind})"
    if play.kind == "sensor":
        return words
    assert len(cloud.jobs) <= 1
    return f"{words}, {'one image' if cloud.jobs else 'no image'}"
