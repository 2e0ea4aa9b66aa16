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
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial, reduce
from typing import Any, TypeVar, cast

from airflow_provider_ims import protocol
from airflow_provider_ims.errors import (
    ImsError,
    LoginRefusedError,
    MalformedResponseError,
    ResponseLostError,
    UnavailableError,
    UnclearSubmitError,
)
from airflow_provider_ims.models import CLOCK_SKEW, Credentials, Request, Response, Service, Token
from airflow_provider_ims.protocol import Call
from airflow_provider_ims.settings import Settings
from airflow_provider_ims.token_store import FAILURE_LASTS, FailedLogIns, TokenStore

T = TypeVar("T")
log = logging.getLogger(__name__)

MOST_FAILURES = 3
"""Log-ins of a user that IAM may refuse, or leave unanswered, before none is tried any more; the fifth could lock."""

NOT_SENT_AGAIN = (
    " It may have been carried out all the same, so it is not sent again: look in IMS for what it would have made."
)

LONGEST_LOG_IN = 120
"""Seconds to wait for somebody else's log-in; whoever takes longer is not waited for."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Go on after so many seconds."""

    seconds: float


def jitter(low: float, high: float) -> float:
    """Seconds between these two, so that not all act at the same moment."""
    return random.uniform(low, high)  # noqa: S311 - no secret


Refused = Collection[Token]
Step = Request | Pause | Callable[[], Any]
Conversation = Generator[Step, Any, T]
Clock = Callable[[], datetime]


def _seconds_since_boot() -> float:
    """Seconds on a clock that goes on while the machine is suspended, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks which cloud, with which tokens. ``now``: aware instants; ``elapsed``: seconds that nobody can set.

    ``page_size``: how many images a look at all of them asks for at a time.
    """

    settings: Settings
    tokens: TokenStore
    now: Clock
    elapsed: Callable[[], float] = _seconds_since_boot
    page_size: int = protocol.PAGE_SIZE

    def ask(self, make: Callable[[Service], Call[T]]) -> Conversation[T]:
        """Make one call with a token; a token that is refused is renewed, once."""
        token, renewed = (yield from self.token()), False
        refused: tuple[Token, ...] = ()
        while True:
            call = make(self.settings.service(token))
            try:
                response: Response = yield call.request.with_header("X-Auth-Token", token.value)
                if response.status != 401 or renewed:
                    return call.read(response.without(token.value))
            except (ResponseLostError, UnavailableError, MalformedResponseError) as error:
                raise (error if call.request.replays else _unclear(error)) from None
            refused = (*refused, token)
            token, renewed = yield from self._obtain(*refused)

    def console(self, image_id: str | None = None) -> str:
        """The page of this image in the cloud's console, or that of IMS; the project as far as it is known by now."""
        who = self.settings.credentials
        kept = self.tokens.recall(who)
        project_id = kept.project_id if isinstance(kept, Token) else who.project_id
        return self.settings.console(project_id or "", image_id)

    def token(self) -> Conversation[Token]:
        """A token that is kept, else that of a new log-in: one for all who ask at the same time."""
        return (yield from self._obtain())[0]

    def new_token(self) -> Conversation[Token]:
        """A token of a new log-in, or of one that others have just made, in the place of the one that is kept."""
        who = self.settings.credentials
        kept = [self.tokens.recall(who)]
        for shelf in self.tokens.shelves:
            kept.append((yield partial(self.tokens.read, who, shelf)))
        return (yield from self._obtain(*(each for each in kept if isinstance(each, Token))))[0]

    def _obtain(self, *refused: Token) -> Conversation[tuple[Token, bool]]:
        """A token other than those ``refused``, and whether it comes from a log-in just made."""
        who, owner = self.settings.credentials, object()
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
                log.info("Token reused: that of %s, kept by another task, is valid until %s", who.identity, _at(known))
                return known, False
            return (yield from self._log_in(who)), True
        finally:
            self.tokens.unlock(who.login, owner)

    def _read(self, refused: Refused) -> Conversation[None]:
        """Remember what others have kept: on this machine, and where that is no token, on all machines."""
        who = self.settings.credentials
        for shelf in self.tokens.shelves:
            for key in (who.login, who):
                kept = yield partial(self.tokens.read, key, shelf)
                if isinstance(kept, FailedLogIns):
                    self.tokens.remember(key, self._failures(kept))
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
        kept = self.tokens.recall(self.settings.credentials)
        usable = isinstance(kept, Token) and kept.is_fresh(self.now()) and kept not in refused
        return cast(Token, kept) if usable else None

    def _known(self, refused: Refused = ()) -> Token | None:
        """The same; raises ``LoginRefusedError`` where IAM has refused the log-in lately."""
        if token := self._fresh(refused):
            return token
        who = self.settings.credentials
        failed = self._failures()
        if who.project in failed.projects or len(failed.projects) + failed.unanswered >= MOST_FAILURES:
            kind = LoginRefusedError if failed.projects else ResponseLostError
            when = f"{failed.until:%H:%M:%S} UTC"
            message = f"{failed.message} (It is not tried again before {when}: five wrong log-ins lock the account.)"
            raise kind(message, 401 if failed.projects else None, failed.code, failed.request_id)
        return None

    def _failures(self, *read: FailedLogIns) -> FailedLogIns:
        """What is known of this user's failed log-ins, with what has just been read."""
        now, kept = self.now(), self.tokens.recall(self.settings.credentials.login)
        latest = now + FAILURE_LASTS + CLOCK_SKEW
        known = [each for each in (kept, *read) if isinstance(each, FailedLogIns) and now < each.until <= latest]
        return reduce(FailedLogIns.joined, known or [FailedLogIns("", now + FAILURE_LASTS)])

    def _log_in(self, who: Credentials) -> Conversation[Token]:
        """Log in; sent once more where no answer came. Each is written down before it is sent, in case none comes."""
        with suppress(ResponseLostError, UnavailableError, MalformedResponseError):
            return (yield from self._log_in_once(who))
        self._known()
        yield Pause(jitter(1.0, 2.0))
        return (yield from self._log_in_once(who))

    def _log_in_once(self, who: Credentials) -> Conversation[Token]:
        call, now, before = protocol.log_in(who), self.now(), self._failures()
        unknown = f"IAM at {who.iam_url} did not answer the last log-ins."
        sent = replace(before, until=now + FAILURE_LASTS, unanswered=before.unanswered + 1)
        sent = replace(sent, message=before.message or unknown)
        yield partial(self.tokens.note, who.login, sent)  # not for other machines: to them it is no news yet
        try:
            token = call.read((yield call.request))
        except ImsError as error:
            yield self._remember(_after(error, before, sent, who.project))
            raise
        yield self._remember(replace(before, unanswered=0))
        lifetime = token.expires_at - token.issued_at  # by our clock, should the cloud's be another
        token = replace(token, issued_at=now, expires_at=now + lifetime)
        yield partial(self.tokens.write, who, token)
        log.info("Logged in at %s; the token is valid until %s", who.identity, _at(token))
        return token

    def _remember(self, failed: FailedLogIns) -> Callable[[], None]:
        login = self.settings.credentials.login
        if failed.projects or failed.unanswered:
            return partial(self.tokens.write, login, failed)
        return partial(self.tokens.remove, login)


def _after(error: ImsError, before: FailedLogIns, sent: FailedLogIns, project: str) -> FailedLogIns:
    """What is known of a user's log-ins after one more that failed; ``sent``: where it may have counted or not."""
    if isinstance(error, LoginRefusedError) and error.status == 401:
        projects = (*before.projects, project)
        return FailedLogIns(error.message, sent.until, error.code, error.request_id, projects, before.unanswered)
    decided_nothing = error.status in (500, 503)  # IAM's own word
    lost = isinstance(error, ResponseLostError | UnavailableError)
    return sent if lost and not decided_nothing else before


def _at(token: Token) -> str:
    return f"{token.expires_at:%Y-%m-%d %H:%M:%S} UTC"


def _unclear(error: ImsError) -> ImsError:
    return error.but(UnclearSubmitError, f"{error.message}{NOT_SENT_AGAIN}")
