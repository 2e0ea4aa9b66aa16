"""What a connection's test finds out: each half, the log-in at IAM and IMS, by itself, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_ims import protocol
from airflow_provider_ims.errors import ForbiddenError, ImsError, LoginRefusedError, RefusedError, SettingsError
from airflow_provider_ims.models import Quota

if TYPE_CHECKING:
    from airflow_provider_ims.hooks.base import ImsBaseHook


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
    """What was found; what is None was not reached. ``advice``: what failed and what to mend, where something did."""

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

    def __str__(self) -> str:
        if not self.iam:
            return str(self.advice)
        if not self.token_expires_at:
            return f"Log-in at IAM {self.iam} as {self.user} failed: {self.advice}"
        logged_in = (
            f"Log-in at IAM {self.iam} works, as {self.user}, project {self.project_id}, until {self.token_expires_at}"
        )
        if self.private_images is None:
            return f"{logged_in}; but IMS{f' at {self.ims}' if self.ims else ''} failed: {self.advice}"
        used = f"{self.quota_used} of {self.quota} in the quota used" if self.quota else "the quota cannot be seen"
        return f"{logged_in}; IMS at {self.ims} works and shows {self.private_images} private images, {used}."


def check_connection(hook: ImsBaseHook) -> ConnectionCheck:
    """Log in anew, count the private images, and look at the quota; each is tried once."""
    found: dict[str, Any] = {"conn_id": hook.ims_conn_id}
    hook.patience = 0.0
    try:
        _check(hook, found)
    except ImsError as error:
        return ConnectionCheck(**found, advice=f"{error}{_fields(error, 'project_id' in found)}")
    finally:
        hook.close()
    return ConnectionCheck(**found, works=True)


def _check(hook: ImsBaseHook, found: dict[str, Any]) -> None:
    client = hook.client
    who = client.settings.credentials
    found |= {"iam": who.iam_url, "user": f"{who.domain_name}/{who.user_name}"}
    token = hook.perform(client.new_token())
    found |= {"token_expires_at": f"{token.expires_at:%Y-%m-%d %H:%M} UTC", "project_id": token.project_id}
    found |= {"ims": client.settings.service(token).url}
    images = sum(1 for _ in hook.list_images(__imagetype="private"))
    if quota := _quota(hook):
        found |= {"quota_used": quota.used, "quota": quota.limit}
    found |= {"private_images": images}


def _quota(hook: ImsBaseHook) -> Quota | None:
    try:
        return hook.perform(hook.client.ask(protocol.show_quota))
    except RefusedError:  # a permission of its own, and not in every cloud
        return None


def _fields(error: ImsError, is_logged_in: bool) -> str:
    """The connection's fields to mend, where the error does not name them."""
    if isinstance(error, SettingsError | LoginRefusedError | ForbiddenError):
        return ""
    fields = "host (blank: from the log-in) and region" if is_logged_in else "iam_endpoint (blank: the region's)"
    return f" The connection's fields to look at: {fields}, proxies, timeout."
