"""A task's process on a simulated worker: it stops at every boundary, and goes on, or never does, as it is told.

The operator and its hook are the real ones but for the socket, the clock and the sleep. A process is a greenlet: where
it stops, whoever plays the world goes on, and may end it there (SIGKILL), or leave it until long after its try.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

from airflow.sdk.exceptions import TaskDeferred
from greenlet import GreenletExit, greenlet
from msgspec.structs import replace

from airflow_provider_ims.client import Client
from airflow_provider_ims.hooks.base import ImsBaseHook
from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.simulator.nouns import StoredImage
from airflow_provider_ims.simulator.routes import find_route
from tests.world import World

Host = Literal["scheduler", "triggerer", "worker", "other worker"]


class SkewedWorld(World):
    """A world of four hosts, whose clocks can be set, apart from the cloud's and from the one that nobody can set.

    ``clocks_are_off``: all of them, ``ahead``: in seconds, one of them beside that.
    """

    def __init__(self, **cloud: Any) -> None:
        super().__init__(**cloud)
        self.clocks_are_off = timedelta(0)
        self.ahead: dict[Host, float] = {}
        self.perform(self.client_on("scheduler").token())

    def client_on(self, host: Host) -> Client:
        """The client of a process there."""
        return replace(self.client, now=partial(self.clock, host))

    def clock(self, host: Host) -> datetime:
        return self.now + self.clocks_are_off + timedelta(seconds=self.ahead.get(host, 0.0))

    def usable_copies(self) -> list[StoredImage]:
        """The images that copies have made, or are making, and that are or may become usable."""
        made = [image for image in self.cloud.state.images.values() if image.job and image.deleted_at is None]
        return [image for image in made if image.job and image.job.phase(self.now) != "FAIL"]


class Process:
    """One process. ``at``: where it stands, such as ``before copy`` or ``after note``; None once it is over.

    ``host``: where. ``began``: when, by the cloud's clock. ``clearing``: the ``max_tries`` it knows. ``is_fenced``:
    Airflow gave its try up, and takes no notes of it. ``sent``: the names of its requests.
    """

    def __init__(self, world: SkewedWorld, host: Host, clearing: int, work: Callable[[Process], Any]) -> None:
        self.world, self.client, self.clearing = world, world.client_on(host), clearing
        self.began = world.now
        self.is_fenced = self.is_dead = False
        self.sent: list[str] = []
        self.returned: Any = None
        self.error: BaseException | None = None
        self.at: str | None = "start"
        self._work = work
        self._greenlet = greenlet(self._run)

    def go(self) -> None:
        """Go on to the next boundary."""
        self.at = self._greenlet.switch()

    def kill(self) -> None:
        """End it where it stands: whatever it still does on its way out reaches nobody."""
        self.is_dead, self.at = True, None
        self._greenlet.throw()

    def stop(self, at: str) -> None:
        """From within: stand here until it is told to go on."""
        if not self.is_dead:
            self._greenlet.parent.switch(at)
        if self.is_dead:
            raise GreenletExit

    def send(self, request: Request) -> Response:
        route, _ = find_route(request.method, urlsplit(request.url).path)
        assert route is not None
        self.stop(f"before {route.name}")
        self.sent.append(route.name)
        try:
            response: Response = self.world.carry_out(request)
            return response
        finally:
            self.stop(f"after {route.name}")

    def sleep(self, seconds: float) -> None:
        self.stop("asleep")
        self.world.wait(seconds)

    def _run(self) -> None:
        try:
            self.returned = self._work(self)
        except (Exception, TaskDeferred) as error:
            self.error = error


class Operator(CopyImageOperator):
    """The operator of one process."""

    process: Process

    def get_hook(self) -> ImsBaseHook:
        return Hook(self.process)


class Hook(ImsBaseHook):
    """The hook of one process."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self.client, self._process = process.client, process

    def send(self, request: Request) -> Response:
        return self._process.send(request)

    def sleep(self, seconds: float) -> None:
        self._process.sleep(seconds)


class Store:
    """Airflow's task state store as one process sees it; ``kept`` and ``troubles`` are shared by all tries."""

    def __init__(self, process: Process, kept: dict[str, str], troubles: Troubles) -> None:
        self._process, self._kept, self._troubles = process, kept, troubles

    def get(self, key: str) -> Any:
        self._fence()
        return json.loads(self._kept[key]) if key in self._kept else None

    def set(self, key: str, value: Any) -> None:
        self._process.stop("before note")
        self._fence()
        trouble = self._troubles.pop(0) if self._troubles else None
        if trouble != "before":
            self._kept[key] = json.dumps(value)
        self._process.stop("after note")
        if trouble:
            raise ConnectionError("The API server does not answer.")

    def _fence(self) -> None:
        if self._process.is_fenced:
            raise PermissionError("The task instance is not running.")


Troubles = list[str]
"""What becomes of the next notes: not taken (``before``), or taken and not confirmed (``after``)."""
