"""The simulated cloud on a port: moves requests and replies, and does to sockets what a reply says. Decides nothing.

IAM, IMS and the control surface share one port. ``running`` puts the server into a thread of its own.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from weakref import WeakSet

import aiohttp
from aiohttp import web

from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.simulator import errors
from airflow_provider_ims.simulator.cloud import Cloud
from airflow_provider_ims.simulator.control import PREFIX, control
from airflow_provider_ims.simulator.other_iam import describe_token
from airflow_provider_ims.simulator.wire import Reply

BODY_LIMIT = 16 * 1024**2
LOOPBACK = "127.0.0.1"


class Server:
    """One listening socket for a cloud, inside the loop that is running."""

    def __init__(self, cloud: Cloud, ssl_context: ssl.SSLContext | None = None) -> None:
        self._cloud = cloud
        self._ssl_context = ssl_context
        self._stopping = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._connections: WeakSet[asyncio.Transport] = WeakSet()

    async def start(self, host: str = LOOPBACK, port: int = 0) -> str:
        """Listen, and return the URL. Port 0 takes a free one. Raises OSError."""
        application = web.Application(client_max_size=BODY_LIMIT)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=1.0, max_field_size=65_536
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=self._ssl_context).start()
        except OSError:
            await self.stop()
            raise
        scheme, bound = ("https" if self._ssl_context else "http"), self._runner.addresses[0][1]
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{bound}"

    async def stop(self) -> None:
        """Let go of what hangs, close every connection, and stop listening."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, incoming: web.Request) -> web.StreamResponse:
        body = await incoming.read()
        request = Request(incoming.method, str(incoming.url), dict(incoming.headers), body)
        if incoming.path.startswith(PREFIX):
            return _whole(control(self._cloud, request))
        self._count(incoming.transport)
        return await self._send(incoming, await self._respond(incoming, request))

    async def _respond(self, incoming: web.Request, request: Request) -> Reply:
        iam_url, token = self._cloud.settings.iam_url, incoming.headers.get("X-Auth-Token")
        if iam_url and token:
            try:
                self._cloud.take_token(token, await describe_token(iam_url, token))
            except (aiohttp.ClientError, TimeoutError, LookupError, TypeError, ValueError):
                return Reply(errors.render(errors.gateway("APIGW.0613"), "", self._cloud.settings))
        return self._cloud.respond(request)

    def _count(self, connection: asyncio.Transport | None) -> None:
        if connection is not None and connection not in self._connections:
            self._connections.add(connection)
            self._cloud.count("connections")

    async def _send(self, incoming: web.Request, reply: Reply) -> web.StreamResponse:
        if reply.connection == "hang":
            await self._stopping.wait()
        elif reply.connection != "slow":
            await self._pause(reply.delay)
        if reply.response is None:
            return _cut(incoming)
        if reply.connection in ("truncated", "slow"):
            return await self._in_halves(incoming, reply, reply.response)
        return _whole(reply.response)

    async def _in_halves(self, incoming: web.Request, reply: Reply, response: Response) -> web.StreamResponse:
        outgoing = web.StreamResponse(status=response.status, headers=dict(response.headers))
        outgoing.content_length = len(response.body)
        await outgoing.prepare(incoming)
        half = len(response.body) // 2
        await outgoing.write(response.body[:half])
        if reply.connection == "truncated":
            if incoming.transport is not None:
                incoming.transport.close()
            return outgoing
        await self._pause(reply.delay)
        await outgoing.write(response.body[half:])
        return outgoing

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than the server lives."""
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)


def _whole(response: Response) -> web.Response:
    return web.Response(status=response.status, headers=dict(response.headers), body=response.body or None)


def _cut(incoming: web.Request) -> web.Response:
    """Close the connection without a word; what is returned has nowhere to go."""
    if incoming.transport is not None:
        incoming.transport.abort()
    return web.Response()


class SimulatorThread:
    """A server in a thread of its own, with its own loop. ``url`` is known once it has started."""

    def __init__(
        self, cloud: Cloud, host: str = LOOPBACK, port: int = 0, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self.cloud = cloud
        self.url = ""
        self._address = (host, port)
        self._ssl_context = ssl_context
        self._started: Future[str] = Future()
        self._thread = threading.Thread(target=self._run, name="ims-simulator", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def start(self) -> None:
        """Start and wait until it listens. Raises OSError."""
        self._thread.start()
        try:
            self.url = self._started.result()
        except BaseException:
            self._thread.join()
            raise

    def stop(self) -> None:
        """Stop, and wait until socket, loop and thread are gone."""
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _live(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = Server(self.cloud, self._ssl_context)
        self._started.set_result(await server.start(*self._address))
        await self._stop.wait()
        await server.stop()


@contextmanager
def running(
    cloud: Cloud, host: str = LOOPBACK, port: int = 0, ssl_context: ssl.SSLContext | None = None
) -> Iterator[SimulatorThread]:
    """A server in a thread, as long as the block lasts; ``url`` of what it yields says where."""
    thread = SimulatorThread(cloud, host, port, ssl_context)
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()
