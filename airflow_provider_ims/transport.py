"""What is sent again, when, and the two drivers that carry a conversation out: in a thread, or on an event loop.

The table says what may be repeated; ``repeated`` repeats it; ``run`` and ``run_async`` move requests and know nothing
else. No HTTP library here: ``send`` is given, and raises ``ConnectError`` or ``ResponseLostError`` where it fails.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from math import ceil, inf
from typing import Any, TypeVar

from msgspec import Struct

from airflow_provider_ims.auth import Conversation, Pause, jitter
from airflow_provider_ims.errors import ConnectError, ImsError, ImsTransientError, ResponseLostError
from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.refusals import is_throttled, retry_after

T = TypeVar("T")
Outcome = Response | ImsTransientError
log = logging.getLogger(__name__)

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 60.0


def may_repeat(request: Request, outcome: Outcome, attempt: int = 1) -> bool:
    """Whether to send this request again after this outcome of its attempt number ``attempt``."""
    match outcome:
        case ConnectError():
            return True  # was not sent
        case Response() if is_throttled(outcome):
            return True  # was not carried out
        case ResponseLostError() | Response(status=408 | 500 | 502 | 503 | 504):
            return attempt <= request.replays  # may have been carried out
        case Response(status=200):
            return request.method == "GET" and not _is_json_object(outcome.body)
        case _:
            return False


def _is_json_object(body: bytes) -> bool:
    """Whether this looks like what every look is answered with, at its two ends: neither a page nor cut off."""
    whole = body.strip()
    return whole.startswith(b"{") and whole.endswith(b"}")


def backoff(attempt: int, outcome: Outcome) -> float:
    """Seconds before attempt ``attempt + 1``: what the cloud asks for, else growing, with full jitter."""
    ceiling = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(attempt, 10))
    asked = retry_after(outcome) if isinstance(outcome, Response) else None
    return jitter(0.0, ceiling) if asked is None else asked + jitter(0.0, 1.0)


class Pace(Struct):
    """Whether the cloud takes requests now, for all who share it.

    What one of them is refused for flow control, the others do not ask for as long as the cloud says, else for a time
    that grows with each refusal, and for a minute at most; after that, one of them tries. Answers to what was sent
    before the last refusal came tell of the time before it. ``clock``: seconds that nobody can set.
    """

    clock: Callable[[], float] = time.monotonic
    refusals: int = 0
    _last: Response | None = None
    _came: float = -inf
    _until: float = 0.0

    def refusal(self) -> Response | None:
        """The answer to a request that is better not sent; where there is none, send it and ``heed`` what comes."""
        if self._last is None:
            return None
        left = self._until - self.clock()
        if left > 0:
            return self._last.with_header("Retry-After", str(ceil(left)))
        self._hold(self._last)  # the others wait for what comes of this one
        return None

    def heed(self, response: Response, sent: float) -> None:
        """Learn from the cloud's answer to a request that was sent at that instant of ``clock``."""
        if sent < self._came:
            return
        if not is_throttled(response):
            self.refusals, self._last = 0, None
            return
        self.refusals, self._last, self._came = self.refusals + 1, response, self.clock()
        self._hold(response)

    def _hold(self, refusal: Response) -> None:
        self._until = self.clock() + min(LONGEST_BACKOFF, backoff(self.refusals, refusal))


def repeated(request: Request, patience: float) -> Conversation[Response]:
    """Send a request; send it again as the table allows, until ``patience`` seconds are spent on pauses."""
    for attempt in count(1):
        outcome: Outcome
        try:
            outcome = yield request
        except ImsTransientError as problem:
            outcome = problem
        pause = backoff(attempt, outcome)
        patience -= pause
        if patience < 0 or not may_repeat(request, outcome, attempt):
            break
        reason = f"HTTP {outcome.status}" if isinstance(outcome, Response) else outcome.message
        if isinstance(outcome, Response) and outcome.status == 200:
            reason = "the answer is no JSON object"
        log.info("%s %s: %s; sent again in %.1f s", request.method, request.url, reason, pause)
        yield Pause(pause)
    if isinstance(outcome, ImsTransientError):
        raise outcome
    return outcome


def run(
    conversation: Conversation[T],
    send: Callable[[Request], Response],
    patience: float = 0.0,
    sleep: Callable[[float], object] = time.sleep,
) -> T:
    """Carry a conversation out in this thread. ``patience``: see ``repeated``; 0 sends each request once."""
    reply: Any = None
    error: ImsError | None = None
    try:
        while True:
            step = conversation.throw(error) if error else conversation.send(reply)
            reply = error = None
            try:
                match step:
                    case Request() if patience and not step.once:
                        reply = run(repeated(step, patience), send, 0.0, sleep)
                    case Request():
                        reply = send(step.as_sent())
                    case Pause():
                        sleep(step.seconds)
                    case _:
                        reply = step()
            except ImsError as problem:
                error = problem
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        conversation.close()


async def run_async(
    conversation: Conversation[T],
    send: Callable[[Request], Awaitable[Response]],
    patience: float = 0.0,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> T:
    """``run`` on an event loop: what may block goes to a thread, and has ended when this is cancelled."""
    reply: Any = None
    error: ImsError | None = None
    try:
        while True:
            step = conversation.throw(error) if error else conversation.send(reply)
            reply = error = None
            try:
                match step:
                    case Request() if patience and not step.once:
                        reply = await run_async(repeated(step, patience), send, 0.0, sleep)
                    case Request():
                        reply = await send(step.as_sent())
                    case Pause():
                        await sleep(step.seconds)
                    case _:
                        reply = await _in_thread(step)
            except ImsError as problem:
                error = problem
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        conversation.close()


async def _in_thread(function: Callable[[], T]) -> T:
    """Like ``asyncio.to_thread``, but never left behind: a lock taken in it must be seen when this is cancelled."""
    running = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):  # a second one: the lock must be seen all the same
                await asyncio.wait([running])
        raise
