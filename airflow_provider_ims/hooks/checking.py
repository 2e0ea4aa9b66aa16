"""What a connection's test finds out: each half, the log-in at IAM and IMS, by itself, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from airflow_provider_ims import protocol
from airflow_provider_ims.errors import (
    ConnectionLookUpError,
    ForbiddenError,
    ImsError,
    LoginRefusedError,
    SettingsError,
)
from airflow_provider_ims.values import Value

if TYPE_CHECKING:
    from airflow_provider_ims.hooks.base import ImsBaseHook

LONGEST_ANSWER = 10.0
"""Seconds that each answer may take in a check, whatever the connection's ``timeout``: somebody looks on."""


class ConnectionCheck(Value, frozen=True):
    """What was found; what is None was not reached. ``advice`` and ``error``: what failed and what to
    mend, and the name of its class, where something did.

    ``user``: who logs in, and in which way. ``token_expires_at``: such as ``2026-11-26 08:00 UTC``; with an access key
    there is none. ``quota_advice``: why the quota cannot be seen, where it cannot; ``cache_advice``: why tokens are not
    shared, where they are not; the connection works all the same.
    """

    conn_id: str
    works: bool = False
    iam: str | None = None
    user: str | None = None
    project_id: str | None = None
    token_expires_at: str | None = None
    ims: str | None = None
    private_images: int | None = None
    quota_used: int | None = None
    quota: int | None = None
    advice: str | None = None
    error: str | None = None
    quota_advice: str | None = None
    cache_advice: str | None = None

    def __str__(self) -> str:
        if not self.iam:
            return str(self.advice)
        if not self.project_id:
            return f"Log-in at IAM {self.iam} as {self.user} failed: {self.advice}"
        until = f", until {self.token_expires_at}" if self.token_expires_at else ""
        logged_in = f"Log-in at IAM {self.iam} works, as {self.user}, project {self.project_id}{until}"
        if self.private_images is None:
            return f"{logged_in}; but IMS{f' at {self.ims}' if self.ims else ''} failed: {self.advice}"
        seen = f"{logged_in}; IMS at {self.ims} works and shows {self.private_images} private images"
        if self.quota_advice:
            seen += f"; their quota cannot be seen: {self.quota_advice}"
        else:
            seen += f", {self.quota_used} of {self.quota} in the quota used."
        return f"{seen} {self.cache_advice}" if self.cache_advice else seen


def check_connection(hook: ImsBaseHook) -> ConnectionCheck:
    """Log in anew, count the private images, and look at the quota; each is tried once, a log-in without answer twice.

    The hook is closed, and is otherwise as it was.
    """
    found: dict[str, Any] = {"conn_id": hook.ims_conn_id}
    try:
        with _impatient(hook):
            _check(hook, found)
    except ImsError as error:
        said = str(error).removeprefix(f"Could not log in at {found.get('iam')} as {found.get('user')}: ")
        advice = f"{said}{_fields(error, 'project_id' in found)}"
        return ConnectionCheck(**found, advice=advice, error=type(error).__name__)
    return ConnectionCheck(**found, works=True)


@contextmanager
def _impatient(hook: ImsBaseHook) -> Iterator[None]:
    """Within, the hook waits for no answer longer than somebody who looks on."""
    client, patience = hook.client, hook.patience
    timeout = min(client.settings.timeout, LONGEST_ANSWER)
    hook.client, hook.patience = replace(client, settings=replace(client.settings, timeout=timeout)), 0.0
    try:
        yield
    finally:
        hook.client, hook.patience = client, patience
        hook.close()


def _check(hook: ImsBaseHook, found: dict[str, Any]) -> None:
    client = hook.client
    who = client.settings.credentials
    found |= {"iam": who.iam_url, "user": who.user}
    token = hook.perform(client.new_token())
    found |= {"project_id": token.project_id, "cache_advice": client.tokens.trouble}
    found |= {"token_expires_at": f"{token.expires_at:%Y-%m-%d %H:%M} UTC"} if token.value else {}
    found |= {"ims": client.settings.service(token).url}
    found |= {"private_images": sum(1 for _ in hook.list_images(__imagetype="private"))}
    try:
        quota = hook.perform(client.ask(protocol.show_quota))
        found |= {"quota_used": quota.used, "quota": quota.limit}
    except ImsError as error:  # it has a permission of its own, is not in every cloud, and no task needs it
        found |= {"quota_advice": str(error)}


def _fields(error: ImsError, is_logged_in: bool) -> str:
    """The connection's fields to mend, where the error does not name them."""
    if isinstance(error, ConnectionLookUpError | SettingsError | LoginRefusedError | ForbiddenError):
        return ""
    fields = "host (blank: from the log-in) and region" if is_logged_in else "iam_endpoint (blank: the region's)"
    return f" The connection's fields to look at: {fields}, proxies, timeout."
