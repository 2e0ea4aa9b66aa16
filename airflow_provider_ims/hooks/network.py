"""HTTP in a thread, on httpcore: Airflow has loaded that in each task's process already, requests would be loaded anew.

An answer is held in bounds where the library does not: ``Body`` counts its bytes, and all of it must come in time. The
library waits so long for each piece, however many come, be they of the head or of the body.
"""

from __future__ import annotations

import logging
import ssl
import time
import zlib
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore
from msgspec import Struct

from airflow_provider_ims.errors import ImsError
from airflow_provider_ims.hooks.connection import (
    PIECE,
    USER_AGENT,
    WHOLE_ANSWER,
    Body,
    as_ascii,
    lost,
    malformed,
    not_sent,
    untrusted,
)
from airflow_provider_ims.models import Request, Response

_UNUSABLE = (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol, ValueError, TypeError)
"""For an address, proxy or header that cannot be used."""

_BROKEN = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, zlib.error)

logging.getLogger("httpcore.http11").addFilter(lambda record: "response_headers" not in record.getMessage())
"""It would write them with DEBUG, and in those of a log-in is the token."""


class Network:
    """Connections that are kept alive: no redirect is followed, no cookie kept, nothing repeated.

    ``part``: seconds within which a connection, and each piece of an answer, must be there. ``tls``: what certificates
    are checked with, a proxy's as well; None where no address begins with ``https:``.
    """

    def __init__(self, tls: ssl.SSLContext | None, part: float, proxy: str | None = None) -> None:
        self._tls, self._part, self._proxy = tls, part, proxy
        self._pool: httpcore.ConnectionPool | None = None

    def send(self, request: Request) -> Response:
        """Send one request, once; raises ``ConnectError``, ``ResponseLostError``, ``SettingsError``."""
        progress = _Progress()
        try:
            return self._exchange(request, progress)
        except (*_UNUSABLE, *_BROKEN) as problem:
            error = self._error(request, problem, has_begun=progress.has_begun)
        except ImsError as problem:
            error = problem.with_traceback(None)
        raise error  # out here, or the library's error would go along, or its frames, and in them the secrets

    def close(self) -> None:
        """Close the connections; the next request opens them again."""
        if self._pool:
            self._pool.close()

    def _exchange(self, request: Request, progress: _Progress) -> Response:
        if self._pool is None:  # here, because a proxy's address may turn out to be none
            self._pool = httpcore.ConnectionPool(
                ssl_context=self._tls,
                proxy=_proxy(self._proxy, self._tls),
                max_connections=None,  # one whose TLS fails behind a proxy would count for ever
                network_backend=_Backend(),
            )
        url = as_ascii(request.url)
        if self._proxy and "[" in urlsplit(url).netloc:
            raise httpcore.UnsupportedProtocol("an IPv6 address behind a proxy")
        sent = {"host": urlsplit(url).netloc, "accept-encoding": "gzip"}
        sent |= {name.lower(): value for name, value in (*USER_AGENT.items(), *request.headers.items())}
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._part)
        with self._pool.stream(
            request.method,
            url,
            headers=[(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
            content=request.body or None,
            extensions={"timeout": timeout, "trace": progress},
        ) as answer:
            headers, body = _headers(answer.headers), Body(request)
            for piece in _unpacked(answer.iter_stream(), headers.get("content-encoding", "")):
                body.take(piece)
            return Response(answer.status, headers, body.whole())

    def _error(self, request: Request, problem: Exception, *, has_begun: bool) -> ImsError:
        """Ours for one of the library's: the difference that matters is whether the request may have arrived."""
        if isinstance(problem, httpcore.LocalProtocolError) or (isinstance(problem, _UNUSABLE) and not has_begun):
            return malformed(request, problem)
        # what follows a bytearray is of the answer, and may be a piece of the token
        words = str(problem).partition("bytearray(")[0].rstrip(" :") or type(problem).__name__
        if has_begun:
            return lost(request, Exception(words))
        way = f", through proxy {urlsplit(self._proxy).netloc.rpartition('@')[2]}" if self._proxy else ""
        kind = untrusted if "CERTIFICATE_VERIFY_FAILED" in words else not_sent
        return kind(request, Exception(f"{words}{way}"))


class _Progress(Struct):
    """Whether a request has begun to go out. What is said to a proxy before is none."""

    has_begun: bool = False

    def __call__(self, event: str, of: dict[str, Any]) -> None:
        if event == "http11.send_request_headers.started" and of["request"].method != b"CONNECT":
            self.has_begun = True


def _proxy(address: str | None, tls: ssl.SSLContext | None) -> httpcore.Proxy | None:
    if address is None:
        return None
    parts = urlsplit(address)
    user = tuple(unquote(part or "").encode("latin-1") for part in (parts.username, parts.password))
    return httpcore.Proxy(
        f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        auth=(user[0], user[1]) if parts.username else None,
        ssl_context=tls if parts.scheme == "https" else None,
    )


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _unpacked(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    if encoding.strip().lower() not in ("gzip", "deflate"):
        yield from pieces
        return
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # either
    for piece in pieces:
        while piece:
            yield unpacker.decompress(piece, PIECE)
            piece = unpacker.unconsumed_tail
    if not unpacker.eof:
        raise zlib.error("what is packed is cut off")


class _Backend(httpcore.SyncBackend):
    def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Answers(super().connect_tcp(*args, **kwargs))


class _Answers(httpcore.NetworkStream):
    """What comes over a connection. Each piece has the time-out that is asked for, or what is left of all."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream, self._until = stream, 0.0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the answer does not end")
        return self._stream.read(max_bytes, left if timeout is None else min(timeout, left))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._until = time.monotonic() + WHOLE_ANSWER * (timeout or 0.0)
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Answers(self._stream.start_tls(*args, **kwargs))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
