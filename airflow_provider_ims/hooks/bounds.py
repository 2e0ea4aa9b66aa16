"""What holds an answer in bounds where requests does not: the time that it takes in all, and its bytes on the wire.

requests waits so long for each piece that comes, however many come, be they of the head or of the body.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from airflow_provider_ims.hooks.connection import LARGEST_BODY, WHOLE_ANSWER

MOST_BYTES = 2 * LARGEST_BODY
"""Of an answer, head and body, as they come; what the library may have in memory before ``Body`` sees it."""


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Bytes(self.fp.detach(), sock))


class _Http(HTTPConnection):
    response_class = _Answer


class _Https(HTTPSConnection):
    response_class = _Answer


class BoundedAdapter(HTTPAdapter):
    """Opens connections whose answers end: after ``WHOLE_ANSWER`` time-outs, or ``MOST_BYTES``, they are lost."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """The pool for a request, through a proxy or not."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _Https if pool.scheme == "https" else _Http
        return pool


class _Bytes(io.RawIOBase):
    """The bytes of an answer. Each piece has the socket's own time-out, or what is left of the whole time."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._socket, self._left = raw, sock, MOST_BYTES
        self._patience = sock.gettimeout()
        self._deadline = time.monotonic() + WHOLE_ANSWER * (self._patience or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._patience:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer does not end")
            self._socket.settimeout(min(self._patience, left))
        count = self._raw.readinto(buffer)
        self._left -= count or 0
        if self._left < 0:
            raise OSError(f"more than {MOST_BYTES / 1024**2:.0f} MiB")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
