"""A small world for the core's tests: a simulated cloud without a socket, and a clock that moves only when told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from airflow_provider_ims.auth import Client, Conversation
from airflow_provider_ims.errors import ConnectError, ResponseLostError
from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.settings import Settings
from airflow_provider_ims.simulator.cloud import Cloud
from airflow_provider_ims.simulator.settings import Settings as CloudSettings
from airflow_provider_ims.token_store import TokenStore
from airflow_provider_ims.transport import run, run_async

T = TypeVar("T")

ADDRESS = "https://cloud.invalid"


class World:
    """Cloud, clock and client; ``perform`` carries a conversation out in a thread or on a loop; pauses move the clock."""

    def __init__(self, *, on_loop: bool = False, directory: Path | None = None, **cloud: Any) -> None:
        self.now = datetime(2026, 1, 31, 23, 0, tzinfo=UTC)
        self.cloud = Cloud(CloudSettings(**cloud), lambda: self.now)
        self.on_loop = on_loop
        self.reachable = True
        self.pauses: list[float] = []
        self.requests: list[Request] = []
        self.client = self.another_client(directory)

    def another_client(self, directory: Path | None = None, **fields: Any) -> Client:
        """The client of another process: nothing shared but the cloud, the clock and the files in ``directory``."""
        cloud = self.cloud.settings
        extra = {"region": cloud.region, "domain_name": cloud.domain_name, "iam_endpoint": f"{ADDRESS}/v3"}
        connection = {"login": cloud.user_name, "password": cloud.password, "host": ADDRESS, "extra": extra} | fields
        return Client(Settings.of("ims_default", **connection), TokenStore(directory), lambda: self.now)

    def perform(self, conversation: Conversation[T], patience: float = 0.0) -> T:
        if self.on_loop:
            return asyncio.run(run_async(conversation, self._send_async, patience, self._sleep_async))
        return run(conversation, self._send, patience, self._sleep)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

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
        return reply.response

    async def _send_async(self, request: Request) -> Response:
        return self._send(request)

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.wait(seconds)

    async def _sleep_async(self, seconds: float) -> None:
        self._sleep(seconds)
