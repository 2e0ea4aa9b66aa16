"""The one conversation with the cloud: use a token, log in when there is none, renew once on 401.

Written once for both worlds, as a generator: it yields a ``Request`` and is sent its ``Response``; it yields a
``Pause`` and goes on after it; it yields a function without arguments, which may block for a moment, and is sent what
that returns. It opens no socket and never sleeps.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from airflow_provider_ims import protocol
from airflow_provider_ims.errors import (
    ImsError,
    LoginRefusedError,
    MalformedResponseError,
    ResponseLostError,
    UnavailableError,
    UnclearSubmitError,
)
from airflow_provider_ims.models import Credentials, Request, Response, Service, Token
from airflow_provider_ims.protocol import Call
from airflow_provider_ims.settings import Settings
from airflow_provider_ims.token_store import REFUSAL_LASTS, Refusal, TokenStore

T = TypeVar("T")
log = logging.getLogger(__name__)

LONGEST_LOG_IN = 120
"""Seconds to wait for somebody else's log-in; whoever takes longer is not waited for."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Go on after so many seconds."""

    seconds: float


Step = Request | Pause | Callable[[], Any]
Conversation = Generator[Step, Any, T]
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks which cloud, with which tokens. ``now`` gives aware instants."""

    settings: Settings
    tokens: TokenStore
    now: Clock

    def ask(self, make: Callable[[Service], Call[T]]) -> Conversation[T]:
        """Make one call with a token; a token that is refused is renewed, once."""
        refused: Token | None = None
        while True:
            token = yield from self.token(refused)
            call = make(self.settings.service(token))
            try:
                response: Response = yield call.request.with_header("X-Auth-Token", token.value)
                if response.status != 401 or refused:
                    return call.read(response if response.status < 300 else response.without(token.value))
            except (ResponseLostError, UnavailableError, MalformedResponseError) as error:
                raise (error if call.request.replayable else _unclear(error)) from None
            refused = token

    def token(self, refused: Token | None = None) -> Conversation[Token]:
        """A kept token other than ``refused``, else that of a new log-in: one for all who ask at the same time."""
        who = self.settings.credentials
        if refused:
            self.tokens.forget(who, refused)
        if known := self._usable(self.tokens.recall(who), refused):
            return known
        owner = object()
        try:
            yield from self._lock(who, owner, refused)
            known = self._usable(self.tokens.recall(who), refused)
            known = known or self._usable((yield partial(self.tokens.read, who)), refused)
            return known or (yield from self._log_in(who))
        finally:
            self.tokens.unlock(who, owner)

    def _lock(self, who: Credentials, owner: object, refused: Token | None) -> Conversation[None]:
        """Wait until this is the only log-in, or needless."""
        waited = 0.0
        while waited < LONGEST_LOG_IN and not self._usable(self.tokens.recall(who), refused):
            if not self.tokens.is_locked(who) and (yield partial(self.tokens.lock, who, owner)):
                return
            pause = Pause(random.uniform(0.05, 0.15))  # noqa: S311 - no secret: only so that not all ask at once
            yield pause
            waited += pause.seconds

    def _usable(self, kept: Token | Refusal | None, refused: Token | None) -> Token | None:
        """The token, if it will do; raises ``LoginRefusedError`` where IAM has refused these credentials lately."""
        now = self.now()
        if isinstance(kept, Refusal) and now < kept.until:
            when = f"{kept.until:%H:%M:%S} UTC"
            message = f"{kept.message} (It is not tried again before {when}: five wrong log-ins lock the account.)"
            raise LoginRefusedError(message, 401, kept.code, kept.request_id)
        if isinstance(kept, Token) and kept.is_fresh(now) and (refused is None or kept.value != refused.value):
            return kept
        return None

    def _log_in(self, who: Credentials) -> Conversation[Token]:
        call = protocol.log_in(who)
        try:
            token = call.read((yield call.request))
        except LoginRefusedError as error:
            refusal = Refusal(error.message, self.now() + REFUSAL_LASTS, error.code, error.request_id)
            yield partial(self.tokens.write, who, refusal)
            raise
        yield partial(self.tokens.write, who, token)
        log.info(
            "Logged in at %s; the token is valid until %s", who.identity, token.expires_at.isoformat(" ", "seconds")
        )
        return token


def _unclear(error: ImsError) -> ImsError:
    advice = (
        "It may have been carried out all the same, so it is not sent again: look in IMS for what it would have made."
    )
    return error.but(UnclearSubmitError, f"{error.message} {advice}")
