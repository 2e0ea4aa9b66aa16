"""One task of one run as Airflow keeps it: tries, clears, notes that outlive a process, deferrals, and their ends.

What must hold whenever a task ends is asserted here: see ``_follows_what_is_noted`` and ``_succeed``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, TaskDeferred

from airflow_provider_ims.errors import ImsPermanentError
from airflow_provider_ims.models import IMAGE_JOB
from airflow_provider_ims.simulator.images import status_of
from airflow_provider_ims.simulator.nouns import StoredImage
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.model.triggerer import fire
from tests.model.worker import Operator, Process, SkewedWorld, Store, Troubles
from tests.shells import DagRun, TaskInstance

NAME, RETRIES = "golden", 50
TO_THE_END = 100_000


@dataclass(frozen=True)
class Deferral:
    """What the database keeps of a task that waits in the triggerer."""

    path: str
    kwargs: dict[str, Any]
    method: str


class Task:
    """One task of one run. ``state`` is Airflow's word; ``has_store``: Airflow 3.3. ``arguments``: the operator's."""

    def __init__(self, world: SkewedWorld, run_id: str, has_store: bool, **arguments: Any) -> None:
        self.world, self.run_id, self.has_store = world, run_id, has_store
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
        self.is_reading = False

    # What the scheduler does.

    def start(self) -> None:
        """A try begins, or goes on after a reschedule."""
        if self.state == "up_for_reschedule":
            assert self.returns_at is not None
            self.world.wait_until(self.returns_at.isoformat())
            self.ti.first_reschedule = self.ti.first_reschedule or self.ti.start_date
            self.ti.start_date = self.world.clock()
        else:
            self.try_number += 1
            self.ti = self._task_instance()
        self._work("execute")

    def resume(self, event: dict[str, Any]) -> None:
        """An event has come, whosever it is."""
        assert self.deferral
        known, method = self.deferral.kwargs, self.deferral.method
        is_mine = event.get("copy_key") == (known.get("order") or {}).get("key")
        self._work(method, event=event)
        self.is_reading = method == "execute_complete" and is_mine

    def give_up_waiting(self) -> None:
        """Airflow's own time-out."""
        assert self.deferral is not None
        self.orphans.append(self.deferral)
        self._work("__fail__", error="Trigger timeout")
        self.is_reading = True

    def clear(self) -> None:
        """A user clears the task, whatever it does."""
        self.max_tries = self.max_tries + 1 if self.state == "running" else self.try_number + RETRIES
        self.kill()
        if self.deferral:
            self.orphans.append(self.deferral)
        self.deferral, self.state = None, "scheduled"
        self.older = set(self.world.cloud.state.images)

    def _task_instance(self) -> TaskInstance:
        numbers: Any = {"try_number": self.try_number, "max_tries": self.max_tries}
        return TaskInstance(start_date=self.world.clock(), run_id=self.run_id, **numbers)

    # What becomes of a process.

    def go(self, until: str = "the end") -> None:
        """Let the process go on until it stands there. What it sends is noted before."""
        while self.process is not None:
            self.process.go()
            if self.process.at is None:
                process, self.process = self.process, None
                self._end(process)
            elif self.process.at == "before copy" and self.has_store:
                assert json.loads(self.kept.get("copy", "{}")).get("sent"), "it is not noted"
            if self.process and self.process.at == until:
                return

    def kill(self) -> None:
        """SIGKILL; what is left is a try that failed."""
        if self.process:
            self.process.kill()
            self.process, self.state = None, "scheduled"

    def pause(self) -> None:
        """The process sleeps until its try is given up; it may outlive that."""
        assert self.process is not None
        self.process.is_fenced = True
        self.paused.append(self.process)
        self.process, self.state = None, "scheduled"

    def wake(self) -> None:
        """One that outlived its try goes on to its end; it sends nothing that was not noted while it was on."""
        process, before = self.paused.pop(), set(self.world.cloud.state.images)
        sent, was_noted = len(process.sent), process.at == "after note"
        while process.at is not None:
            process.go()
        assert was_noted or "copy" not in process.sent[sent:]
        if process.clearing != self.max_tries:
            self.older |= set(self.world.cloud.state.images) - before

    # What the triggerer does.

    def event(self, deferral: Deferral, looks: int = TO_THE_END) -> dict[str, Any] | None:
        """What a trigger tells, if it does within so many looks."""
        event = fire(self.world, deferral.path, deferral.kwargs, looks)
        if event and event.get("status") == "success":
            assert self.status_of(event["image_id"]) == "active"
        return event

    def go_on_waiting(self, looks: int = TO_THE_END) -> None:
        assert self.deferral is not None
        if event := self.event(self.deferral, looks):
            self.resume(event)

    # How a process ends.

    def _work(self, method: str, **kwargs: Any) -> None:
        task = Operator(task_id="task", retries=RETRIES, **self.arguments)
        context: Any = {"ti": self.ti, "dag_run": DagRun(), "task_reschedule_count": 0}

        def work(process: Process) -> Any:
            if self.has_store:
                context["task_state_store"] = Store(process, self.kept, self.troubles)
            if method == "execute":
                return task.execute(context)
            return task.resume_execution(method, kwargs, context)

        self.process = task.process = Process(self.world, self.max_tries, work)
        self.state, self.deferral, self.is_reading = "running", None, False
        self.noted = self._noted_job()

    def _end(self, process: Process) -> None:
        error = process.error
        assert not (self.is_reading and process.sent), process.sent
        if isinstance(error, TaskDeferred):
            path, kwargs = json.loads(json.dumps(error.trigger.serialize()))
            self.deferral, self.state = Deferral(path, kwargs, error.method_name), "deferred"
            self._follows_what_is_noted(kwargs.get("job_id"))
        elif isinstance(error, AirflowRescheduleException):
            self.state, self.returns_at = "up_for_reschedule", error.reschedule_date
        elif error:
            self._fail(error)
        else:
            self.state = "success"
            self._follows_what_is_noted(process.returned)
            self._succeed(process)

    def _fail(self, error: BaseException) -> None:
        """For good only where log-ins are refused, or somebody has deleted an image."""
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
            assert image.deleted_at or self.status_of(image.id) == "active"

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
