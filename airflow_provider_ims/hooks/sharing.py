"""What all ``ImsAsyncHook`` of one Airflow connection share on an event loop, however many there are.

One session of few connections, one look-up, one pace. The first hook opens it, the last one closes it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from typing import ClassVar
from urllib.parse import urlsplit

import aiohttp
from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.sdk.exceptions import AirflowNotFoundException
from msgspec import field
from msgspec.structs import replace

from airflow_provider_ims.client import Client
from airflow_provider_ims.errors import ConnectError, ConnectionLookUpError
from airflow_provider_ims.hooks.connection import (
    USER_AGENT,
    WHOLE_ANSWER,
    ca_stamp,
    client_of,
    no_connection,
    proxy_of,
    tls_of,
)
from airflow_provider_ims.transport import Pace
from airflow_provider_ims.values import Value

log = logging.getLogger(__name__)

MOST_IN_FLIGHT = 8
"""Requests at a time, and so connections to the cloud."""

KEPT = 300.0
"""Seconds for which a connection that was looked up is not looked up again."""

BELIEVED = 1.0
"""... and for which it is taken to be as it was although its log-in is refused."""

LONGEST_LOOK_UP = 30.0
"""Seconds for which the first look-up is waited for; a later one has the connection's ``timeout``."""

LONGEST_IDLE = 60.0
"""Seconds for which a connection to the cloud is kept open for the next request."""

LONGEST_HEADER = 65_536
"""Bytes. A token with a large catalog has more than the 8,190 that aiohttp would take."""


class Access(Value, frozen=True):
    """An Airflow connection, looked up at ``read_at`` (on a clock that nobody can set), with what follows from it."""

    unprinted: ClassVar[frozenset[str]] = frozenset({"_proxies"})

    client: Client
    tls: ssl.SSLContext
    ca_stamp: float | None
    timeout: aiohttp.ClientTimeout
    read_at: float
    _proxies: dict[str, str | None] = field(default_factory=dict)

    def proxy(self, url: str) -> str | None:
        """The proxy on the way to this address."""
        host = urlsplit(url).netloc
        if host not in self._proxies:
            self._proxies[host] = proxy_of(self.client.settings, url)
        return self._proxies[host]


class Line:
    """The way to the cloud of one Airflow connection on one event loop."""

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self.users = 0
        self.pace = Pace()
        self.in_flight = asyncio.Semaphore(MOST_IN_FLIGHT)
        self.http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MOST_IN_FLIGHT, keepalive_timeout=LONGEST_IDLE),
            trust_env=False,  # or it would send what .netrc holds
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=USER_AGENT,
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
        )
        self._looking_up: asyncio.Task[Access] | None = None
        self._access: Access | None = None

    async def access(self, max_age: float = KEPT) -> Access:
        """The connection, looked up once for all who ask meanwhile, and again where that was ``max_age`` seconds ago.

        Raises ``ConnectionLookUpError``, ``SettingsError``. Where it cannot be looked up again, what was known before
        is used for longer.
        """
        if self._access and time.monotonic() - self._access.read_at < max_age:
            return self._access
        if self._looking_up is None:
            self._looking_up = asyncio.create_task(self._look_up())
            self._looking_up.add_done_callback(self._looked_up)
        within = self._access.client.settings.timeout if self._access else LONGEST_LOOK_UP
        try:
            async with asyncio.timeout(within):
                return await asyncio.shield(self._looking_up)
        except TimeoutError:
            if self._access:
                return self._access
            raise ConnectionLookUpError(f"Airflow does not answer what connection '{self.conn_id}' is.") from None

    async def wait_for_turn(self, seconds: float) -> None:
        """Acquire ``in_flight``; raises ``ConnectError`` where those before are not answered within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self.in_flight.acquire()
        except TimeoutError:
            raise ConnectError(f"Nothing was sent: the requests before were not answered in {seconds:.0f} s.") from None

    async def close(self) -> None:
        """End the session; nobody uses the line any more."""
        if self._looking_up:
            self._looking_up.cancel()
        await self.http.close()

    async def _look_up(self) -> Access:
        try:
            return await self._read()
        except Exception as problem:
            if not self._access:
                raise
            log.warning("Connection '%s' cannot be looked up again, what it was is used: %s", self.conn_id, problem)
            return replace(self._access, read_at=time.monotonic())

    async def _read(self) -> Access:
        try:
            connection = await get_async_connection(self.conn_id)
        except AirflowNotFoundException:
            raise no_connection(self.conn_id) from None
        except Exception as problem:  # a secrets backend of the user's own raises what it likes
            reason = f"{type(problem).__name__}: it cannot be looked up"
            raise ConnectionLookUpError(f"Connection '{self.conn_id}': {reason}; see the triggerer's log.") from problem
        client = client_of(connection, await get_async_extra_dejson(connection))
        stamp = ca_stamp(client.settings)
        if self._access and (client.settings, stamp) == (self._access.client.settings, self._access.ca_stamp):
            return replace(self._access, read_at=time.monotonic())
        tls = await asyncio.to_thread(tls_of, client.settings)
        part = client.settings.timeout
        timeout = aiohttp.ClientTimeout(total=WHOLE_ANSWER * part, connect=part, sock_connect=part, sock_read=part)
        return Access(client, tls, stamp, timeout, time.monotonic())

    def _looked_up(self, task: asyncio.Task[Access]) -> None:
        self._looking_up = None
        if not task.cancelled() and not task.exception():
            self._access = task.result()


_lines: dict[tuple[asyncio.AbstractEventLoop, str], Line] = {}


def join(conn_id: str) -> Line:
    """The running loop's line of this connection, for one user more; each leaves it in the end."""
    key = asyncio.get_running_loop(), conn_id
    line = _lines.get(key) or _lines.setdefault(key, Line(conn_id))
    line.users += 1
    return line


async def leave(line: Line) -> None:
    """The opposite of ``join``: the last one closes the line."""
    line.users -= 1
    if line.users == 0:
        del _lines[asyncio.get_running_loop(), line.conn_id]
        await line.close()
