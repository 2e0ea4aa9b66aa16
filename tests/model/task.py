"""One task of one run: how it is tried, killed, paused, cleared and resumed, as Airflow does it."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_ims.triggers import SOONEST_RETURN
from tests.model.kept import RETRIES, ROUNDED, Deferral, Kept
from tests.model.triggerer import fire
from tests.model.worker import Operator, Process, Store
from tests.shells import DagRun

TO_THE_END = 100_000


class Task(Kept):
    """One task, driven."""

    # What the scheduler does.

    def start(self) -> None:
        """A try begins, or goes on after a reschedule."""
        self.host = "other worker" if self.host == "worker" else "worker"
        if self.state == "up_for_reschedule":
            assert self.returns_at is not None
            self.world.wait(max(0.0, (self.returns_at - self.world.clock("scheduler")).total_seconds()))
            self.ti.first_reschedule = self.ti.first_reschedule or self.ti.start_date
            self.ti.start_date = self.world.clock(self.host)
        else:
            self.try_number += 1
            self.ti = self._task_instance()
            self.tried_at, self.is_clock_set = self.world.elapsed, False
        self._work("execute")

    def resume(self, event: dict[str, Any]) -> None:
        """An event has come, whosever it is."""
        assert self.deferral
        self.host = "other worker" if self.host == "worker" else "worker"
        known, method = self.deferral.kwargs, self.deferral.method
        is_mine = event.get("copy_key") == (known.get("order") or {}).get("key")
        self._work(method, event=event, **self.deferral.next_kwargs)
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
        assert not event or self.world.elapsed - deferral.at >= SOONEST_RETURN - ROUNDED
        if event and event.get("status") == "success":
            assert self.status_of(event["image_id"]) == "active"
        return event

    def go_on_waiting(self, looks: int = TO_THE_END) -> None:
        assert self.deferral is not None
        if event := self.event(self.deferral, looks):
            self.resume(event)

    def _work(self, method: str, **kwargs: Any) -> None:
        task = Operator(task_id="task", retries=RETRIES, **self.arguments)
        context: Any = {"ti": self.ti, "dag_run": DagRun(), "task_reschedule_count": 0}

        def work(process: Process) -> Any:
            if self.has_store:
                context["task_state_store"] = Store(process, self.kept, self.troubles)
            if method == "execute":
                return task.execute(context)
            return task.resume_execution(method, kwargs, context)

        self.process = task.process = Process(self.world, self.host, self.max_tries, work)
        self.state, self.deferral, self.is_reading = "running", None, False
        self.noted = self._noted_job()
