"""Who asks which cloud: a connection's settings and the tokens of this process, joined to one call at a time.

The conversation about tokens is in ``auth``; here it learns where a project finds IMS. No socket, no sleep.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from airflow_provider_ims import protocol
from airflow_provider_ims.auth import Clock, Conversation, LogIn, ask, authorized, seconds_since_boot
from airflow_provider_ims.errors import LoginRefusedError
from airflow_provider_ims.models import Request, Service, Token
from airflow_provider_ims.protocol import Call
from airflow_provider_ims.settings import Settings
from airflow_provider_ims.token_store import TokenStore
from airflow_provider_ims.values import Value

T = TypeVar("T")


class Client(Value, frozen=True):
    """Who asks which cloud, with which tokens. ``now``: aware instants; ``elapsed``: seconds that nobody can set.

    ``page_size``: how many images a look at all of them asks for at a time. ``look_again``: reads the connection anew,
    once for a call whose credentials are refused: they may have been changed; may block.
    """

    settings: Settings
    tokens: TokenStore
    now: Clock
    elapsed: Callable[[], float] = seconds_since_boot
    page_size: int = protocol.PAGE_SIZE
    look_again: Callable[[], Settings] | None = None

    def ask(self, make: Callable[[Service], Call[T]]) -> Conversation[T]:
        """Make one call as the connection says; a token that is refused is renewed, once."""
        return (yield from self._converse(lambda at: ask(at._log_in, lambda token: make(at.settings.service(token)))))

    def token(self) -> Conversation[Token]:
        """A token that is kept, else that of a new log-in: one for all who ask at the same time."""
        return (yield from self._converse(lambda at: at._log_in.obtain()))[0]

    def new_token(self) -> Conversation[Token]:
        """A token of a new log-in, or of one that others have just made, in the place of the one that is kept."""
        who = self.settings.credentials
        kept = [self.tokens.recall(who)]
        for shelf in self.tokens.shelves:
            kept.append((yield partial(self.tokens.read, who, shelf)))
        return (yield from self._log_in.obtain(*(each for each in kept if isinstance(each, Token))))[0]

    def authorized(self, request: Request, token: Token) -> Request:
        """This request with the token, or signed now."""
        return authorized(request, self.settings.credentials, token, self.now).as_sent()

    def console(self, image_id: str | None = None) -> str:
        """The page of this image in the cloud's console, or that of IMS; the project as far as it is known by now."""
        who = self.settings.credentials
        kept = self.tokens.recall(who)
        project_id = kept.project_id if isinstance(kept, Token) else who.project_id
        return self.settings.console(project_id or "", image_id)

    def _converse(self, begin: Callable[[Client], Conversation[T]]) -> Conversation[T]:
        """Converse as the connection says; once more as it says then, where its credentials are refused."""
        try:
            return (yield from begin(self))
        except LoginRefusedError:
            settings = (yield self.look_again) if self.look_again else self.settings
            if settings.credentials == self.settings.credentials:
                raise
        return (yield from begin(replace(self, settings=settings)))

    @property
    def _log_in(self) -> LogIn:
        return LogIn(self.settings.credentials, self.tokens, self.now)
