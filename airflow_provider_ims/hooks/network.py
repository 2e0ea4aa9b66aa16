"""HTTP in a thread, on httpcore: Airflow has loaded that in each task's process already, requests would be loaded anew.

An answer is held in bounds where the library does not: the time that it takes in all, and its bytes on the wire. It
waits so long for each piece that comes, however many come, be they of the head or of the body.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore

from airflow_provider_ims.hooks.connection import (
    LARGEST_BODY,
    USER_AGENT,
    WHOLE_ANSWER,
    Body,
    lost,
    malformed,
    not_sent,
    untrusted,
)
from airflow_provider_ims.models import Request, Response

MOST_BYTES = 2 * LARGEST_BODY
"""Of an answer, head and body, as they come; what the library may have in memory before ``Body`` sees it."""

ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    ValueError,
    TypeError,
)
"""What may come out of ``exchange`` beside our own."""

logging.getLogger("httpcore.http11").addFilter(lambda record: "response_headers" not in record.getMessage())
"""It would write them with DEBUG, and in those of a log-in is the token."""


def pool(tls: ssl.SSLContext | None, proxy: str | None) -> httpcore.ConnectionPool:
    """Connections that are kept alive, through a proxy or not: no redirect is followed, no cookie kept, none repeated.

    ``tls``: what certificates are checked with, the proxy's as well; none where no address begins with ``https:``.
    """
    return httpcore.ConnectionPool(ssl_context=tls, proxy=_proxy(proxy, tls), network_backend=_Network())


def _proxy(address: str | None, tls: ssl.SSLContext | None) -> httpcore.Proxy | None:
    if address is None:
        return None
    parts = urlsplit(address)
    user = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    without_user = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return httpcore.Proxy(without_user, auth=user, ssl_context=tls if parts.scheme == "https" else None)


def exchange(way: httpcore.ConnectionPool, request: Request, part: float) -> Response:
    """Send one request, once, and read its answer; raises ``MalformedResponseError`` and ``ERRORS``.

    ``part``: seconds within which a connection, and each piece of the answer, must be there.
    """
    sent = {"host": urlsplit(request.url).netloc, "accept-encoding": "identity"}
    sent |= {name.lower(): value for name, value in (*USER_AGENT.items(), *request.headers.items())}
    with way.stream(
        request.method,
        request.url,
        headers=[(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
        content=request.body or None,
        extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), part)},
    ) as answer:
        told = _headers(answer.headers)
        if told.get("content-encoding", "identity").lower() != "identity":
            raise httpcore.RemoteProtocolError("it is packed, which it was asked not to be")
        body = Body(request)
        for piece in answer.iter_stream():
            body.take(piece)
        return Response(answer.status, told, body.whole())


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def error_of(request: Request, problem: Exception) -> Exception:
    """Ours for one of ``ERRORS``: the difference that matters is whether anything was sent."""
    if "CERTIFICATE_VERIFY_FAILED" in str(problem):
        return untrusted(request, problem)
    if isinstance(
        problem, httpcore.ConnectError | httpcore.ConnectTimeout | httpcore.ProxyError | httpcore.PoolTimeout
    ):
        return not_sent(request, problem)
    if isinstance(problem, httpcore.LocalProtocolError | httpcore.UnsupportedProtocol | ValueError | TypeError):
        return malformed(request, problem)
    words = str(problem).partition("bytearray(")[0]  # what follows is of the answer, and may be a piece of the token
    return lost(request, Exception(words.rstrip(" :") or type(problem).__name__))


class _Network(httpcore.SyncBackend):
    def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Answers(super().connect_tcp(*args, **kwargs))


class _Answers(httpcore.NetworkStream):
    """What comes over a connection. Each piece has the time-out that is asked for, or what is left of all."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream, self._until, self._left = stream, 0.0, MOST_BYTES

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the answer does not end")
        piece = self._stream.read(max_bytes, left if timeout is None else min(timeout, left))
        self._left -= len(piece)
        if self._left < 0:
            raise httpcore.ReadError(f"more than {MOST_BYTES / 1024**2:.0f} MiB")
        return piece

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._until, self._left = time.monotonic() + WHOLE_ANSWER * (timeout or 0.0), MOST_BYTES
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Answers(self._stream.start_tls(*args, **kwargs))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
