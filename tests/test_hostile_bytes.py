"""Whatever bytes come over the socket, both hooks end in one of our errors, and do not keep more than they may."""

from __future__ import annotations

import gzip
import socket
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from airflow_provider_ims.errors import (
    ImsError,
    ImsTransientError,
    MalformedResponseError,
    ResponseLostError,
    UnclearSubmitError,
)
from airflow_provider_ims.hooks.connection import LARGEST_BODY, WHOLE_ANSWER
from tests.hostile import check_error
from tests.servers import LOGGED_IN, server_of, whole_request
from tests.shells import GET_IMAGE, Ask, ask_in_thread, ask_on_loop, connect
from tests.world import COPY

pytestmark = pytest.mark.usefixtures("airflow_home")
BOTH = pytest.mark.parametrize("ask", [ask_in_thread, ask_on_loop])

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FOREVER = 10.0
"""Seconds, beyond which no answer is waited for here."""
BOMB = gzip.compress(bytes(8 * LARGEST_BODY))


def packed(content: bytes, encoding: bytes = b"gzip") -> bytes:
    """An answer whose body is said to be packed."""
    return OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(content)) + content


@contextmanager
def cloud_that_answers(
    monkeypatch: pytest.MonkeyPatch, *pieces: bytes, forever: bytes = b"", pause: float = 0.0, timeout: float = 5.0
) -> Iterator[None]:
    """A server on loopback, and the connection to it, that lets log in and answers all else with these bytes.

    ``pause``: seconds between the pieces. ``forever``: what then comes again and again, for ``FOREVER``.
    """

    def answer(connection: socket.socket) -> None:
        with suppress(OSError):  # the client may have gone
            is_log_in = b"/auth/tokens" in whole_request(connection)
            for piece in [LOGGED_IN] if is_log_in else pieces:
                connection.sendall(piece)
                time.sleep(pause)
            until = time.monotonic() + FOREVER
            while forever and not is_log_in and time.monotonic() < until:
                connection.sendall(forever)

    with server_of(answer) as address:
        url = f"http://{address}"
        extra = {"region": "eu-de", "domain_name": "d", "iam_endpoint": url, "timeout": timeout}
        connect(monkeypatch, {"conn_type": "ims", "login": "u", "password": "p", "host": url, "extra": extra})
        yield


BYTES: dict[str, bytes] = {
    "nothing": b"",
    "no HTTP": b"\x00\xff" * 500,
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "status that is none": b"HTTP/1.1 abc OK\r\n\r\n{}",
    "status of many digits": b"HTTP/1.1 %s OK\r\n\r\n{}" % (b"9" * 5_000),
    "chunk that is none": CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    **{
        f"chunk of {size.decode()[:8]}": CHUNKED + size + b"\r\n{}\r\n0\r\n\r\n"
        for size in (b"-5", b"-1", b"-0x2", b"f" * 16, b"9" * 5_000, b"", b";")
    },
    "chunk cut off": CHUNKED + b"ff\r\n{}",
    "length that is none": OK + b"Content-Length: ten\r\n\r\n{}",
    "length below zero": OK + b"Content-Length: -1\r\n\r\n{}",
    "lengths that differ": OK + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}",
    "too short": OK + b"Content-Length: 50\r\n\r\n{}",
    "gzip that is none": packed(b"{}"),
    "gzip cut off": packed(gzip.compress(b'{"a": 1}')[:-9]),
    "deflate that is none": packed(b"{}", b"deflate"),
    "packing that nobody knows": packed(b"{}", b"x-unknown"),
    "header without name": OK + b": x\r\n\r\n{}",
    "header without end": OK + b"X-Long: " + b"x" * 200_000,
    "many headers": OK + b"".join(b"X-%d: x\r\n" % number for number in range(5_000)) + b"\r\n{}",
    "headers of another alphabet": OK + b"Content-Type: \xff\xfe\r\nX-Request-Id: \xe9\r\nContent-Length: 2\r\n\r\n{}",
    "zero bytes": OK + b"X-Zero: \x00\r\nContent-Length: 2\r\n\r\n{}",
    "redirect to nowhere": b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
}


@BOTH
@pytest.mark.parametrize("content", BYTES.values(), ids=BYTES)
def test_bytes_that_are_no_answer_end_in_our_errors(
    monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], content: bytes
) -> None:
    with cloud_that_answers(monkeypatch, content), pytest.raises(ImsError) as failed:
        ask(GET_IMAGE)
    check_error(failed.value)


@BOTH
@pytest.mark.parametrize("content", [BYTES["chunk of -1"], BYTES["nothing"], BYTES["gzip that is none"]])
def test_a_copy_that_is_answered_with_such_bytes_may_have_begun(
    monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], content: bytes
) -> None:
    with cloud_that_answers(monkeypatch, content), pytest.raises(UnclearSubmitError, match="is not sent again"):
        ask(COPY)


ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "body": (OK + b"\r\n", b" " * 65_536),
    "chunks": (CHUNKED, b"10000\r\n" + b" " * 65_536 + b"\r\n"),
    "chunk of -1": (CHUNKED + b"-1\r\n", b" " * 65_536),
    "chunk of -0x1": (CHUNKED + b"-0x1\r\n", b" " * 65_536),
    "size of a chunk": (CHUNKED, b"0" * 65_536),
    "remark on a chunk": (CHUNKED + b"2;", b"x" * 65_536),
    "trailer": (CHUNKED + b"0\r\n", b"X-More: x\r\n" * 5_000),
    "headers": (OK, b"X-More: x\r\n" * 5_000),
    "packed": (packed(BOMB), b""),
    "packed twice": (packed(gzip.compress(BOMB), b"gzip, gzip"), b""),
}


@BOTH
@pytest.mark.parametrize(("first", "forever"), ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_end_is_not_read_on(
    monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], first: bytes, forever: bytes
) -> None:
    with cloud_that_answers(monkeypatch, first, forever=forever, timeout=0.5):
        tracemalloc.start()
        try:
            with pytest.raises(ImsTransientError) as failed:
                ask(GET_IMAGE)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    check_error(failed.value)
    assert most < 6 * LARGEST_BODY


@BOTH
@pytest.mark.parametrize("name", ["body", "chunks"])
def test_a_body_that_is_too_large_is_said_to_be(monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], name: str) -> None:
    first, forever = ENDLESS[name]
    with (
        cloud_that_answers(monkeypatch, first, forever=forever),
        pytest.raises(MalformedResponseError, match=r"to GET has more than 16 MiB"),
    ):
        ask(GET_IMAGE)


def test_a_body_that_is_too_large_takes_no_secret_along(monkeypatch: pytest.MonkeyPatch) -> None:
    first, forever = ENDLESS["body"]
    with cloud_that_answers(monkeypatch, first, forever=forever), pytest.raises(MalformedResponseError) as failed:
        ask_in_thread(GET_IMAGE)
    libraries = [str(entry.path) for entry in failed.traceback if "httpcore" in str(entry.path)]
    assert not libraries  # whose frames know each header, and with a log-in the body


@BOTH
def test_a_remark_of_the_answer_on_certificates_is_no_news_of_ours(
    monkeypatch: pytest.MonkeyPatch, ask: Ask[Any]
) -> None:
    content = OK + b"no header: CERTIFICATE_VERIFY_FAILED\r\n\r\n"
    with cloud_that_answers(monkeypatch, content), pytest.raises(UnclearSubmitError, match="is not sent again"):
        ask(COPY)


@BOTH
@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
def test_an_answer_may_be_packed(monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], encoding: bytes) -> None:
    content = (zlib if encoding == b"deflate" else gzip).compress(IMAGE)
    with cloud_that_answers(monkeypatch, packed(content, encoding)):
        assert ask(GET_IMAGE).is_active


IMAGE = b'{"id": "i", "status": "active", "job_id": "j"}'
TRICKLING: dict[str, tuple[bytes, bytes, bytes]] = {
    "head": (OK + b"X-Long: ", b"x", b"\r\nContent-Length: %d\r\n\r\n%s" % (len(IMAGE), IMAGE)),
    "to be continued": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", OK + b"\r\n" + IMAGE),
    "body": (OK + b"\r\n", b" ", IMAGE),
    "chunks": (CHUNKED, b"1\r\n \r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(IMAGE), IMAGE)),
    "size of a chunk": (CHUNKED, b"0", b"%x\r\n%s\r\n0\r\n\r\n" % (len(IMAGE), IMAGE)),
}


def trickling(name: str, pause: float, seconds: float) -> list[bytes]:
    """A good answer that is sent over so many seconds, a little at a time."""
    first, piece, last = TRICKLING[name]
    return [first, *[piece] * round(seconds / pause), last]


@BOTH
@pytest.mark.parametrize("name", TRICKLING)
def test_an_answer_that_trickles_is_lost_in_the_end(monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], name: str) -> None:
    pieces = trickling(name, 0.02, 4 * WHOLE_ANSWER * 0.2)
    with (
        cloud_that_answers(monkeypatch, *pieces, pause=0.02, timeout=0.2),
        pytest.raises(ResponseLostError, match="No complete answer"),
    ):
        ask(GET_IMAGE)


@BOTH
def test_a_copy_whose_answer_trickles_may_have_begun(monkeypatch: pytest.MonkeyPatch, ask: Ask[Any]) -> None:
    pieces = trickling("to be continued", 0.02, 4 * WHOLE_ANSWER * 0.2)
    with (
        cloud_that_answers(monkeypatch, *pieces, pause=0.02, timeout=0.2),
        pytest.raises(UnclearSubmitError, match="is not sent again"),
    ):
        ask(COPY)


@BOTH
def test_a_whole_answer_may_take_longer_than_each_part_of_it(monkeypatch: pytest.MonkeyPatch, ask: Ask[Any]) -> None:
    pieces = trickling("body", 0.1, 1.5)
    with cloud_that_answers(monkeypatch, *pieces, pause=0.1, timeout=1.0):
        assert ask(GET_IMAGE).is_active
