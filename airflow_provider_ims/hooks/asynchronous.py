"""``ImsAsyncHook``: the image service from an event loop, on aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
from yarl import URL

from airflow_provider_ims import protocol
from airflow_provider_ims.arguments import check_image_id, check_job_id
from airflow_provider_ims.auth import Conversation
from airflow_provider_ims.client import Client
from airflow_provider_ims.errors import ImsError, LoginRefusedError
from airflow_provider_ims.hooks.connection import (
    PATIENCE,
    PIECE,
    Body,
    as_ascii,
    lost,
    malformed,
    not_sent,
    untrusted,
)
from airflow_provider_ims.hooks.sharing import BELIEVED, KEPT, join, leave
from airflow_provider_ims.models import Image, Job, Request, Response, Service
from airflow_provider_ims.protocol import Call
from airflow_provider_ims.transport import run_async

T = TypeVar("T")


class ImsAsyncHook:
    """``ImsHook`` for an event loop: the same calls as coroutines, in an ``async with``.

    All hooks of one connection on a loop share a session, the look-up of the connection, and the cloud's pace.

    :param ims_conn_id: id of the Airflow connection.
    :param patience: seconds for which what may be repeated is repeated.
    """

    def __init__(self, ims_conn_id: str = "ims_default", patience: float = PATIENCE) -> None:
        self.ims_conn_id = ims_conn_id
        self.patience = patience

    async def __aenter__(self) -> Self:
        self._line = join(self.ims_conn_id)
        try:
            await self.refresh()
        except BaseException:
            await leave(self._line)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await leave(self._line)

    async def refresh(self, max_age: float = KEPT) -> Client:
        """``client`` as the Airflow connection describes it now, or did ``max_age`` seconds ago."""
        self._access = await self._line.access(max_age)
        return self.client

    @property
    def client(self) -> Client:
        """Who asks which cloud."""
        return self._access.client

    async def renewed(self, refused: Client) -> Client | None:
        """The client of a connection that has been changed since this one was refused; None where it has not."""
        client = await self.refresh(BELIEVED)
        return client if client.settings != refused.settings else None

    async def get_job(self, job_id: str) -> Job:
        """How far an asynchronous job has come."""
        check_job_id(job_id)
        return await self._ask(partial(protocol.get_job, job_id=job_id))

    async def get_image(self, image_id: str) -> Image:
        """One image; raises ``NotFoundError``."""
        check_image_id(image_id)
        return await self._ask(partial(protocol.get_image, image_id=image_id))

    async def _ask(self, make: Callable[[Service], Call[T]]) -> T:
        client = await self.refresh()
        try:
            return await self.perform(client.ask(make))
        except LoginRefusedError:
            if not (renewed := await self.renewed(client)):
                raise
        return await self.perform(renewed.ask(make))

    async def perform(self, conversation: Conversation[T]) -> T:
        """Carry out what ``client`` wants to say."""
        return await run_async(conversation, self.send, self.patience, self.sleep)

    async def sleep(self, seconds: float) -> None:
        """Wait; a hook on a clock of its own does it otherwise."""
        await asyncio.sleep(seconds)

    async def send(self, request: Request) -> Response:
        """Send one request, once; raises ``ConnectError``, ``ResponseLostError``, ``SettingsError``.

        Where the cloud has just refused another one for flow control, the answer is that refusal, and nothing is sent.
        """
        await self._line.wait_for_turn(self.client.settings.timeout)
        try:
            if refusal := self._line.pace.refusal():
                return refusal
            sent = self._line.pace.clock()
            response = await self._send(request)
        finally:
            self._line.in_flight.release()
        self._line.pace.heed(response, sent)
        return response

    async def _send(self, request: Request) -> Response:
        try:
            async with self._line.http.request(
                request.method,
                URL(as_ascii(request.url), encoded=True),
                headers=request.headers,
                data=request.body or None,
                ssl=self._access.tls,
                timeout=self._access.timeout,
                proxy=self._access.proxy(request.url),
                allow_redirects=False,
            ) as answer:
                body = Body(request)
                async for piece in answer.content.iter_chunked(PIECE):
                    body.take(piece)
                return Response(answer.status, answer.headers, body.whole())
        except (aiohttp.ClientError, TimeoutError, ValueError) as problem:
            error = _error(request, problem)
        raise error  # out here, or the library's error would go along, and in it the request with its secrets


def _error(request: Request, problem: Exception) -> ImsError:
    """Ours for an error of aiohttp: the difference that matters is whether anything was sent."""
    if isinstance(problem, aiohttp.ClientConnectorError) and "CERTIFICATE_VERIFY_FAILED" in str(problem):
        return untrusted(request, problem)
    if isinstance(
        problem, aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError | aiohttp.ConnectionTimeoutError
    ):
        return not_sent(request, problem)
    if isinstance(problem, aiohttp.ClientResponseError):
        return lost(request, Exception(type(problem).__name__))  # its words may hold a piece of the token
    return (malformed if isinstance(problem, ValueError) else lost)(request, problem)
