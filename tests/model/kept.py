"""What Airflow keeps of one task of one run, what the end of a process makes of it, and what must hold then.

See ``_follows_what_is_noted``, ``_fail`` and ``_succeed``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRescheduleException, TaskDeferred

from airflow_provider_ims.errors import ImsError, ImsPermanentError, JobTimeoutError
from airflow_provider_ims.models import IMAGE_JOB
from airflow_provider_ims.simulator.images import status_of
from airflow_provider_ims.simulator.nouns import StoredImage
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.model.worker import Host, Process, SkewedWorld, Troubles
from tests.shells import TaskInstance

NAME, RETRIES = "golden", 50
ROUNDED = 0.001
"""Seconds that an instant may be off because it counts microseconds."""


@dataclass(frozen=True)
class Deferral:
    """What the database keeps of a task that waits in the triggerer."""

    path: str
    kwargs: dict[str, Any]
    method: str
    next_kwargs: dict[str, Any]
    at: float
    """When, by the clock that nobody can set."""
    STORED: ClassVar[tuple[str, ...]] = ("path", "kwargs", "method", "next_kwargs")


class Kept:
    """One task of one run. ``state`` is Airflow's word; ``has_store``: Airflow 3.3. ``arguments``: the operator's."""

    def __init__(self, world: SkewedWorld, run_id: str, has_store: bool, **arguments: Any) -> None:
        self.world, self.run_id, self.has_store = world, run_id, has_store
        self.host: Host = "worker"
        self.tried_at, self.is_clock_set = world.elapsed, False
        self.arguments: dict[str, Any] = {
            "image_id": PLAIN_IMAGE,
            "name": NAME,
            "poll_interval": 30,
            "timeout": 3600,
        } | arguments
        self.state: Literal["scheduled", "running", "deferred", "up_for_reschedule", "success", "failed"] = "scheduled"
        self.try_number, self.max_tries = 0, RETRIES
        self.kept: dict[str, str] = {}
        self.troubles: Troubles = []
        self.ti = self._task_instance()
        self.process: Process | None = None
        self.paused: list[Process] = []
        self.deferral: Deferral | None = None
        self.orphans: list[Deferral] = []
        self.returns_at: datetime | None = None
        self.older: set[str] = set()
        self.noted: str | None = None
        self.is_reading = False

    def _task_instance(self) -> TaskInstance:
        numbers: Any = {"try_number": self.try_number, "max_tries": self.max_tries}
        return TaskInstance(start_date=self.world.clock(self.host), run_id=self.run_id, **numbers)

    def _end(self, process: Process) -> None:
        error = process.error
        assert not (self.is_reading and process.sent), process.sent
        if isinstance(error, TaskDeferred):
            self.deferral, self.state = self._deferral(error), "deferred"
            self._follows_what_is_noted(self.deferral.kwargs.get("job_id"))
        elif isinstance(error, AirflowRescheduleException):
            self.state, self.returns_at = "up_for_reschedule", error.reschedule_date
        elif error:
            self._fail(error)
        else:
            self.state = "success"
            self._follows_what_is_noted(process.returned)
            self._succeed(process)

    def _deferral(self, deferred: TaskDeferred) -> Deferral:
        path, kwargs = json.loads(json.dumps(deferred.trigger.serialize()))
        next_kwargs = json.loads(json.dumps(deferred.kwargs or {}))
        return Deferral(path, kwargs, deferred.method_name, next_kwargs, self.world.elapsed)

    def _fail(self, error: BaseException) -> None:
        """With an error of ours or Airflow's; for good only where log-ins are refused, or somebody deleted an image.

        Waiting is given up no sooner than asked for, unless somebody has set the clocks meanwhile.
        """
        assert isinstance(error, ImsError | AirflowException), error
        if isinstance(error, JobTimeoutError) and not self.is_clock_set:
            assert self.world.elapsed - self.tried_at >= self.arguments["timeout"] - ROUNDED, error
        is_permanent = isinstance(error, ImsPermanentError | AirflowFailException)
        self.state = "failed" if is_permanent else "scheduled"
        is_refused = getattr(error.__cause__ or error, "status", None) == 401
        is_deleted = any(image.deleted_at for image in self.world.cloud.state.images.values())
        assert not is_permanent or is_refused or is_deleted, error

    def _noted_job(self) -> str | None:
        """The job that an earlier try of this clearing has noted."""
        noted = json.loads(self.kept.get("copy", "{}"))
        is_mine = "copy_key" in self.arguments or noted.get("max_tries") == self.max_tries
        return noted.get("job_id") if is_mine else None

    def _follows_what_is_noted(self, job_id: str | None) -> None:
        """Who found a job noted that is well follows it, and no other."""
        noted = self.world.cloud.state.jobs.get(self.noted or "")
        if job_id and noted and not noted.fail_code and not self.world.cloud.state.images[noted.image_id].deleted_at:
            assert job_id == noted.id

    def _succeed(self, process: Process) -> None:
        """The image is of this clearing, is as asked, and is there, unless somebody has just deleted it."""
        image = self.image_of(process.returned)
        assert image.name == NAME
        assert image.id not in self.older or "copy_key" in self.arguments
        if self.arguments["wait_for_completion"]:
            assert self.ti.xcom["image_id"] == image.id
            is_just_deleted = image.deleted_at and image.deleted_at >= process.began
            assert is_just_deleted or self.status_of(image.id) == "active"

    def image_of(self, job_id: str) -> StoredImage:
        state = self.world.cloud.state
        is_known_by_image = job_id.startswith(IMAGE_JOB)
        return state.images[job_id.removeprefix(IMAGE_JOB) if is_known_by_image else state.jobs[job_id].image_id]

    def copies(self) -> list[StoredImage]:
        """The usable images of the clearing that is on."""
        copies = self.world.usable_copies()
        return [image for image in copies if image.id not in self.older or "copy_key" in self.arguments]

    def status_of(self, image_id: str) -> str | None:
        state = self.world.cloud.state
        return status_of(state.images[image_id], state)
