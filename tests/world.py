"""A small world for the core's tests: a simulated cloud without a socket, and a clock that moves only when told."""

from __future__ import annotations

import asyncio
import atexit
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from airflow_provider_ims import protocol
from airflow_provider_ims.auth import Conversation, Pause, Step
from airflow_provider_ims.client import Client
from airflow_provider_ims.errors import ConnectError, ImsError, ResponseLostError
from airflow_provider_ims.models import Image, Request, Response, Service
from airflow_provider_ims.protocol import Call
from airflow_provider_ims.settings import Settings
from airflow_provider_ims.shelves import Files, Shelf
from airflow_provider_ims.simulator.cloud import Cloud
from airflow_provider_ims.simulator.connection import connection_to
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from airflow_provider_ims.simulator.settings import Settings as CloudSettings
from airflow_provider_ims.token_store import TokenStore
from airflow_provider_ims.transport import run, run_async

T = TypeVar("T")

ADDRESS = "https://cloud.invalid"
COPY: Callable[[Service], Call[str]] = partial(protocol.copy_image, image_id=PLAIN_IMAGE, name="copy")
LOOK: Callable[[Service], Call[Image]] = partial(protocol.get_image, image_id=PLAIN_IMAGE)
WAYS = ("password", "aksk", "token", "agency")
"""All the ways to log in."""

both_drivers = pytest.mark.parametrize("world", ["thread", "loop"], indirect=True)
"""For what a driver could spoil, once in a thread and once on a loop: the conversations are the same ones in both."""


def token_store(directory: Path | None = None, *beyond: Shelf) -> TokenStore:
    """A token store whose keys are derived at once: a thousandth of the cost, and nobody to guess at the password."""
    return TokenStore(*([Files(directory)] if directory else []), *beyond, cost=2**4)


@cache
def loop() -> asyncio.Runner:
    """One event loop for all worlds: a new one for each conversation would take most of a test's time."""
    runner = asyncio.Runner()
    atexit.register(runner.close)
    return runner


class World:
    """Cloud, clock and client; ``perform`` carries out in a thread or on a loop, and pauses move the clock."""

    def __init__(self, *, on_loop: bool = False, directory: Path | None = None, **cloud: Any) -> None:
        self.now = datetime(2026, 1, 31, 23, 0, tzinfo=UTC)
        self.elapsed = 0.0
        self.cloud = Cloud(CloudSettings(**cloud), lambda: self.now)
        self.on_loop = on_loop
        self.reachable = True
        self.foreign_owner = ""  # of the newest image in each list, where the cloud does not heed the filter
        self.pauses: list[float] = []
        self.requests: list[Request] = []
        self.client = self.another_client(directory)

    def another_client(
        self, directory: Path | None = None, *beyond: Shelf, auth: str = "password", **fields: Any
    ) -> Client:
        """The client of another process: it shares cloud, clock, the host's ``directory`` and what is ``beyond``."""
        tokens = token_store(directory, *beyond)
        return Client(self.connected(auth, **fields), tokens, lambda: self.now, lambda: self.elapsed)

    def connected(self, auth: str = "password", **fields: Any) -> Settings:
        """A connection that logs in this way; ``more`` goes into its extra."""
        token = self.given_token if auth == "token" else ""
        connection = connection_to(ADDRESS, self.cloud.settings, auth, token)
        del connection["conn_type"]
        connection["extra"] |= fields.pop("more", {})
        return Settings.of("ims_default", **connection | fields)

    @cached_property
    def given_token(self) -> str:
        """One that somebody else has got."""
        return self.cloud.issue_token()

    def perform(self, conversation: Conversation[T], patience: float = 0.0) -> T:
        if self.on_loop:
            return loop().run(run_async(conversation, self._send_async, patience, self._sleep_async))
        return run(conversation, self._send, patience, self._sleep)

    def ask(self, make: Callable[[Service], Call[T]], patience: float = 0.0) -> T:
        """Make one call with the first client."""
        return self.perform(self.client.ask(make), patience)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.elapsed += seconds

    @property
    def log_ins(self) -> int:
        """How many log-ins the cloud has seen, good and bad."""
        return self.counted("POST log_in")

    def counted(self, name: str) -> int:
        return self.cloud.counters[name]

    def _send(self, request: Request) -> Response:
        self.requests.append(request)
        if not self.reachable:
            raise ConnectError(f"No connection to {ADDRESS}.")
        reply = self.cloud.respond(request)
        self.wait(reply.delay)
        if reply.connection not in ("kept", "slow") or reply.response is None:
            raise ResponseLostError(f"No complete answer from {ADDRESS}.")
        return self._with_a_foreign_image(request, reply.response)

    def _with_a_foreign_image(self, request: Request, response: Response) -> Response:
        if not self.foreign_owner or "/v2/cloudimages?" not in request.url:
            return response
        document = json.loads(response.body)
        document["images"][0]["owner"] = self.foreign_owner
        return Response(response.status, response.headers, json.dumps(document).encode())

    async def _send_async(self, request: Request) -> Response:
        return self._send(request)

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.wait(seconds)

    async def _sleep_async(self, seconds: float) -> None:
        self._sleep(seconds)

    def answer(self, request: Request) -> Response:
        """What the cloud answers, for a conversation that is stepped by hand."""
        response = self.cloud.respond(request).response
        assert response is not None
        return response

    def in_turns(self, conversations: list[Conversation[Any]]) -> list[Any]:
        """Carry all out at the same time, one step of each in turns; what they returned or raised."""
        ends: dict[int, Any] = {}
        replies: dict[int, Any] = {}
        while len(ends) < len(conversations):
            for number in set(range(len(conversations))) - set(ends):
                try:
                    replies[number] = self.carry_out(conversations[number].send(replies.get(number)))
                except StopIteration as end:
                    ends[number] = end.value
                except ImsError as error:
                    ends[number] = error
        return [ends[number] for number in range(len(conversations))]

    def carry_out(self, step: Step) -> Any:
        """Do what one step of a conversation asks for."""
        match step:
            case Request():
                return self._send(step.as_sent())
            case Pause():
                return self._sleep(step.seconds)
            case _:
                return step()


class Walk:
    """A conversation carried out one step at a time: ``step`` is what comes next, None when it is over."""

    def __init__(self, world: World, conversation: Conversation[Any]) -> None:
        self._world, self.conversation = world, conversation
        self.result: Any = None
        self.error: ImsError | None = None
        self.step: Step | None = None
        self._advance(lambda: conversation.send(None))

    def go(self) -> None:
        """Carry the step out, and go on to the next one."""
        assert self.step is not None
        try:
            reply = self._world.carry_out(self.step)
        except ImsError as error:
            problem = error  # the name of an exception does not outlive its block
            self._advance(lambda: self.conversation.throw(problem))
        else:
            self._advance(lambda: self.conversation.send(reply))

    def until_post(self) -> Walk:
        """Go on to where the copy is to be sent."""
        while not (isinstance(self.step, Request) and self.step.method == "POST"):
            self.go()
        return self

    def to_the_end(self) -> Any:
        """What the conversation returns; raises what it raises."""
        while self.step is not None:
            self.go()
        if self.error:
            raise self.error
        return self.result

    def _advance(self, advance: Callable[[], Step]) -> None:
        try:
            self.step = advance()
        except StopIteration as end:
            self.step, self.result = None, end.value
        except ImsError as error:
            self.step, self.error = None, error


def stop(conversation: Conversation[Any], reply: object = None) -> Any:
    """Go on to the next request or pause and stop there, or return the result."""
    try:
        step = conversation.send(reply)
        while not isinstance(step, Request | Pause):
            step = conversation.send(step())
    except StopIteration as end:
        return end.value
    return step
