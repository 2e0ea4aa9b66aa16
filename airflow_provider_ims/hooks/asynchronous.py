"""``ImsAsyncHook``: the image service from an event loop, on aiohttp."""

from __future__ import annotations

import asyncio
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.sdk.exceptions import AirflowNotFoundException
from yarl import URL

from airflow_provider_ims import protocol
from airflow_provider_ims.arguments import check_image_id, check_job_id
from airflow_provider_ims.auth import Conversation
from airflow_provider_ims.errors import ImsError
from airflow_provider_ims.hooks.connection import (
    PATIENCE,
    USER_AGENT,
    client_of,
    lost,
    malformed,
    no_connection,
    not_sent,
    proxy_of,
    tls_of,
    untrusted,
)
from airflow_provider_ims.models import Image, Job, Request, Response
from airflow_provider_ims.transport import run_async

T = TypeVar("T")

LONGEST_HEADER = 65_536
"""Bytes: what the other hook's library takes. A token with a large catalog has more than aiohttp's 8,190."""


class ImsAsyncHook:
    """``ImsHook`` for an event loop: the same calls as coroutines, in an ``async with``.

    :param ims_conn_id: id of the Airflow connection.
    :param patience: seconds for which what may be repeated is repeated.
    """

    def __init__(self, ims_conn_id: str = "ims_default", patience: float = PATIENCE) -> None:
        self.ims_conn_id = ims_conn_id
        self.patience = patience

    async def __aenter__(self) -> Self:
        try:
            connection = await get_async_connection(self.ims_conn_id)
        except AirflowNotFoundException:
            raise no_connection(self.ims_conn_id) from None
        self.client = client_of(connection, await get_async_extra_dejson(connection))
        part = self.client.settings.timeout
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls_of(self.client.settings)),
            timeout=aiohttp.ClientTimeout(total=None, connect=part, sock_connect=part, sock_read=part),
            trust_env=False,  # or it would send what .netrc holds
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=USER_AGENT,
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def get_job(self, job_id: str) -> Job:
        """How far an asynchronous job has come."""
        check_job_id(job_id)
        return await self.perform(self.client.ask(partial(protocol.get_job, job_id=job_id)))

    async def get_image(self, image_id: str) -> Image:
        """One image; raises ``NotFoundError``."""
        check_image_id(image_id)
        return await self.perform(self.client.ask(partial(protocol.get_image, image_id=image_id)))

    async def perform(self, conversation: Conversation[T]) -> T:
        """Carry out what ``client`` wants to say."""
        return await run_async(conversation, self.send, self.patience, self.sleep)

    async def sleep(self, seconds: float) -> None:
        """Wait; a hook on a clock of its own does it otherwise."""
        await asyncio.sleep(seconds)

    async def send(self, request: Request) -> Response:
        """Send one request, once; raises ``ConnectError``, ``ResponseLostError``, ``SettingsError``."""
        try:
            async with self._http.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body or None,
                proxy=proxy_of(self.client.settings, request.url),
                allow_redirects=False,
            ) as answer:
                return Response(answer.status, answer.headers, await answer.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as problem:
            error = _error(request, problem)
        raise error  # out here, or the library's error would go along, and in it the request with its secrets


def _error(request: Request, problem: Exception) -> ImsError:
    """Ours for an error of aiohttp: the difference that matters is whether anything was sent."""
    if "CERTIFICATE_VERIFY_FAILED" in str(problem):
        return untrusted(request, problem)
    if isinstance(
        problem, aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError | aiohttp.ConnectionTimeoutError
    ):
        return not_sent(request, problem)
    if isinstance(problem, aiohttp.ClientResponseError):
        return lost(request, Exception(type(problem).__name__))  # its words may hold a piece of the token
    return (malformed if isinstance(problem, ValueError) else lost)(request, problem)
