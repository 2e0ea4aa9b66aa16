"""The one conversation with the cloud: use a token, log in when there is none, renew once on 401.

Written once for both worlds, as a generator: it yields a ``Request`` and is sent its ``Response``; it yields a
``Pause`` and goes on after it; it yields a function without arguments, which may block for a moment, and is sent what
that returns. It opens no socket and never sleeps.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Generator
from contextlib import suppress
from datetime import datetime
from functools import partial, reduce
from typing import Any, TypeVar

from msgspec.structs import replace

from airflow_provider_ims.credentials import AccessKey, Agency, Credentials, GivenToken, PasswordCredentials
from airflow_provider_ims.errors import (
    ImsError,
    LoginRefusedError,
    MalformedResponseError,
    RefusedError,
    ResponseLostError,
    UnavailableError,
    UnclearSubmitError,
)
from airflow_provider_ims.logging_in import (
    assume_agency,
    check_token,
    find_project,
    key_refused,
    log_in,
    project_token,
)
from airflow_provider_ims.models import CLOCK_SKEW, Request, Response, Token
from airflow_provider_ims.protocol import Call
from airflow_provider_ims.signing import signed
from airflow_provider_ims.token_store import FAILURE_LASTS, FailedLogIns, TokenStore
from airflow_provider_ims.values import Value

T = TypeVar("T")
log = logging.getLogger(__name__)

MOST_FAILURES = 3
"""Log-ins of a user that IAM may refuse, or leave unanswered, before none is tried any more; the fifth could lock."""

NOT_SENT_AGAIN = (
    " It may have been carried out all the same, so it is not sent again: look in IMS for what it would have made."
)

LONGEST_LOG_IN = 120
"""Seconds to wait for somebody else's log-in; whoever takes longer is not waited for."""


class Pause(Value, frozen=True):
    """Go on after so many seconds."""

    seconds: float


def jitter(low: float, high: float) -> float:
    """Seconds between these two, so that not all act at the same moment."""
    return random.uniform(low, high)  # noqa: S311 - no secret


Refused = Collection[Token]
Step = Request | Pause | Callable[[], Any]
Conversation = Generator[Step, Any, T]
Clock = Callable[[], datetime]


def seconds_since_boot() -> float:
    """Seconds on a clock that goes on while the machine is suspended, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Failures(Value, frozen=True):
    """What is known of the log-ins of a user, or the signatures of a key, that failed lately."""

    who: Credentials
    tokens: TokenStore
    now: Clock

    def lately(self, *read: FailedLogIns) -> FailedLogIns:
        """Those that still count, with what has just been read."""
        now, kept = self.now(), self.tokens.recall(self.who.login)
        longest = FAILURE_LASTS + CLOCK_SKEW
        known = [each for each in (kept, *read) if isinstance(each, FailedLogIns) and now < each.until <= now + longest]
        return reduce(FailedLogIns.joined, known or [FailedLogIns("", now + self.who.refusal_lasts)])

    def raise_if_refused(self) -> None:
        """Raise ``LoginRefusedError`` or ``ResponseLostError`` where one more had better not be tried."""
        failed = self.lately()
        if self.who.project in failed.projects or len(failed.projects) + failed.unanswered >= MOST_FAILURES:
            kind = LoginRefusedError if failed.projects else ResponseLostError
            when = f"{failed.until:%H:%M:%S} UTC"
            message = f"{failed.message} (It is not tried again before {when}: {self.who.refusal_reason}.)"
            raise kind(message, 401 if failed.projects else None, failed.code, failed.request_id)

    def one_unanswered(self, before: FailedLogIns) -> FailedLogIns:
        """What is known once one more is sent, until its answer comes."""
        message = before.message or f"IAM at {self.who.iam_url} did not answer the last log-ins."
        until = self.now() + self.who.refusal_lasts
        return replace(before, message=message, until=until, unanswered=before.unanswered + 1)

    def after(self, error: ImsError, before: FailedLogIns, sent: FailedLogIns) -> FailedLogIns:
        """What is known after one more that failed; ``sent``: where it may have counted or not."""
        if isinstance(error, LoginRefusedError) and error.status not in (403, None):
            projects = (*before.projects, self.who.project)
            return FailedLogIns(error.message, sent.until, error.code, error.request_id, projects, before.unanswered)
        decided_nothing = error.status in (500, 503)  # IAM's own word
        lost = isinstance(error, ResponseLostError | UnavailableError)
        return sent if lost and not decided_nothing else before

    def keeping(self, failed: FailedLogIns) -> Callable[[], None]:
        """A step that writes this down for every process."""
        if failed.projects or failed.unanswered:
            return partial(self.tokens.write, self.who.login, failed)
        return partial(self.tokens.remove, self.who.login)


class LogIn(Value, frozen=True):
    """How these credentials come by a token, and what is said with it. See ``Client`` for ``now``."""

    who: Credentials
    tokens: TokenStore
    now: Clock

    def obtain(self, *refused: Token) -> Conversation[tuple[Token, bool]]:
        """A token other than those ``refused``, and whether it comes from a log-in just made."""
        who, owner = self.who, object()
        for token in refused:
            self.tokens.forget(who, token)
        if known := self._known(refused):
            return known, False
        try:
            yield from self._lock(who.login, owner, refused)
            if known := self._known(refused):
                return known, False
            yield from self._read(refused)
            if known := self._known(refused):
                if known.value:
                    log.info(
                        "Token reused: that of %s, kept by another task, is valid until %s", who.identity, _at(known)
                    )
                return known, False
            return (yield from self._log_in()), True
        finally:
            self.tokens.unlock(who.login, owner)

    def _read(self, refused: Refused) -> Conversation[None]:
        """Remember what others have kept: on this machine, and where that is no token, on all machines."""
        who = self.who
        for shelf in self.tokens.shelves:
            for key in (who.login, who):
                kept = yield partial(self.tokens.read, key, shelf)
                if isinstance(kept, FailedLogIns):
                    self.tokens.remember(key, self.failures.lately(kept))
                elif kept and kept not in refused:
                    self.tokens.remember(key, kept)
            if known := self._fresh(refused):
                if shelf is not self.tokens.shelves[0]:
                    yield partial(self.tokens.note, who, known)  # so that nobody else of this machine has to ask
                return

    def _lock(self, login: Credentials, owner: object, refused: Refused) -> Conversation[None]:
        """Wait until this is the only log-in, or needless."""
        waited = 0.0
        while waited < LONGEST_LOG_IN and not self._known(refused):
            if not self.tokens.is_locked(login) and (yield partial(self.tokens.lock, login, owner)):
                return
            pause = Pause(jitter(0.05, 0.15))
            yield pause
            waited += pause.seconds

    def _fresh(self, refused: Refused) -> Token | None:
        """The token that this process knows and can use."""
        kept = self.tokens.recall(self.who)
        if isinstance(kept, Token) and kept.is_fresh(self.now()) and kept not in refused:
            return kept
        return None

    def _known(self, refused: Refused = ()) -> Token | None:
        """The same; raises ``LoginRefusedError`` where IAM has refused the log-in lately."""
        if token := self._fresh(refused):
            return token
        self.failures.raise_if_refused()
        return None

    def _log_in(self) -> Conversation[Token]:
        """Log in; sent once more where no answer came. Each is written down before it is sent, in case none comes."""
        who = self.who
        if isinstance(who, Agency):
            user = replace(self, who=who.assumed_by)
            return (yield from self._keep((yield from ask(user, lambda _: assume_agency(who))), self.now()))
        with suppress(ResponseLostError, UnavailableError, MalformedResponseError):
            return (yield from self._log_in_once())
        self._known()
        yield Pause(jitter(1.0, 2.0))
        return (yield from self._log_in_once())

    def _log_in_once(self) -> Conversation[Token]:
        who, now, failures = self.who, self.now(), self.failures
        call = _first_call(who, self.now)
        before = failures.lately()
        sent = failures.one_unanswered(before)
        yield partial(self.tokens.note, who.login, sent)  # not for other machines: to them it is no news yet
        try:
            token = call.read((yield call.request))
        except ImsError as error:
            yield failures.keeping(failures.after(error, before, sent))
            raise
        yield failures.keeping(replace(before, unanswered=0))
        return (yield from self._keep(token, now))

    @property
    def failures(self) -> Failures:
        """What is known of those that failed."""
        return Failures(self.who, self.tokens, self.now)

    def _keep(self, token: Token, now: datetime) -> Conversation[Token]:
        """Keep what IAM has issued ``now``."""
        if not isinstance(self.who, GivenToken):
            lifetime = token.expires_at - token.issued_at  # by our clock, should the cloud's be another
            token = replace(token, issued_at=now, expires_at=now + lifetime)
        yield partial(self.tokens.write, self.who, token)
        if token.value:
            log.info("Logged in at %s; the token is valid until %s", self.who.identity, _at(token))
        return token


def ask(log_in: LogIn, make: Callable[[Token], Call[T]]) -> Conversation[T]:
    """Make one call; a token that is refused is renewed, once. An access key signs and has nothing to renew."""
    token, renewed = (yield from log_in.obtain())[0], isinstance(log_in.who, AccessKey)
    refused: tuple[Token, ...] = ()
    while True:
        call = make(token)
        try:
            response: Response = yield authorized(call.request, log_in.who, token, log_in.now)
            if response.status != 401 or renewed:
                return call.read(response.without(token.value or log_in.who.sent))
        except (ResponseLostError, UnavailableError, MalformedResponseError) as error:
            raise (error if call.request.replays else _unclear(error)) from None
        except RefusedError as error:
            raise (yield from _refusal(log_in, error)) from None
        refused = (*refused, token)
        token, renewed = yield from log_in.obtain(*refused)


def _refusal(log_in: LogIn, error: RefusedError) -> Conversation[ImsError]:
    """The error for what the cloud refuses; it is remembered where that is the access key."""
    refused = key_refused(error) if isinstance(log_in.who, AccessKey) else None
    if refused is None:
        return error
    yield partial(log_in.tokens.remove, log_in.who)
    before = log_in.failures.lately()
    yield log_in.failures.keeping(log_in.failures.after(refused, before, log_in.failures.one_unanswered(before)))
    return refused


def authorized(request: Request, who: Credentials, token: Token, now: Clock) -> Request:
    """This request with the token; with an access key: to be signed for the token's project when it is sent."""
    if not isinstance(who, AccessKey):
        return request.with_header("X-Auth-Token", token.value)
    named = request.with_header("X-Project-Id", token.project_id) if token.project_id else request
    return replace(named, sign=lambda unsigned: signed(unsigned, who, now()))


def _first_call(who: Credentials, now: Clock) -> Call[Token]:
    """What is asked of IAM by who has nothing yet."""
    match who:
        case PasswordCredentials():
            return log_in(who)
        case GivenToken():
            return check_token(who)
        case AccessKey():
            call = find_project(who)
            return replace(call, request=authorized(call.request, who, project_token(""), now))
    raise TypeError(f"no way to log in: {type(who).__name__}")


def _at(token: Token) -> str:
    return f"{token.expires_at:%Y-%m-%d %H:%M:%S} UTC"


def _unclear(error: ImsError) -> ImsError:
    return error.but(UnclearSubmitError, f"{error.message}{NOT_SENT_AGAIN}")
