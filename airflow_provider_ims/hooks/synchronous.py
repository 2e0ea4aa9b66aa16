"""``ImsHook``: the image service from a thread, and for other calls Airflow's ``HttpHook``, on requests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from airflow.providers.http.hooks.http import HttpHook

from airflow_provider_ims.hooks.base import ImsBaseHook
from airflow_provider_ims.hooks.connection import PATIENCE, USER_AGENT, ca_bundle_of, proxy_of
from airflow_provider_ims.models import Request, Response, Service
from airflow_provider_ims.refusals import refusal_of


class ImsHook(ImsBaseHook, HttpHook):
    """The image service of one Airflow connection of type ``ims``.

    Useful alone, in a task of your own; closes its connections as a context manager::

        with ImsHook("ims_default") as hook:
            newest = max(hook.list_images(name="golden"), key=lambda image: image.created_at)

    Every method raises ``ImsError`` (see ``errors``). Reading is repeated for ``patience`` seconds where it fails for a
    moment; a copy is repeated only where the cloud had certainly not begun it.

    :param ims_conn_id: id of the Airflow connection.
    :param patience: seconds for which what may be repeated is repeated.
    """

    def __init__(self, ims_conn_id: str = ImsBaseHook.default_conn_name, patience: float = PATIENCE) -> None:
        HttpHook.__init__(self, method="GET", http_conn_id=ims_conn_id, tcp_keep_alive=False)
        self.ims_conn_id = ims_conn_id
        self.patience = patience

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> requests.Session:
        """A session for IMS calls that this hook has no method for: it sends the token, or signs, for IMS alone.

        ``HttpHook.run`` uses it too. Nothing is repeated, and a refused token is not renewed.
        """
        token = self.perform(self.client.token())
        service = self.client.settings.service(token)
        session = self._new_session()
        proxy = proxy_of(self.client.settings, service.url)
        session.proxies = {"http": proxy, "https": proxy} if proxy else {}
        session.auth = _Auth(service, partial(self.client.authorized, token=token))
        session.headers.update(headers or {})
        self.base_url, self._base_url_initialized = service.url, True
        options = {"timeout": self.client.settings.timeout, "allow_redirects": False}
        self.merged_extra = options | (extra_options or {})
        return session

    def check_response(self, response: requests.Response) -> None:
        """Raise the ``ImsError`` that an answer other than 2xx is; a token that it repeats is not in it."""
        if 200 <= response.status_code < 300:
            return
        answer = Response(response.status_code, dict(response.headers), response.content)
        for name in ("X-Auth-Token", "X-Security-Token"):
            if sent := response.request.headers.get(name):
                answer = answer.without(str(sent))
        raise refusal_of(answer, f"{response.request.method} {urlsplit(response.url).path}")

    def _new_session(self) -> requests.Session:
        session = _Session()
        session.trust_env = False  # what the environment says is in what is set here
        session.headers.update(USER_AGENT)
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.verify = ca_bundle_of(self.client.settings)
        if self.adapter:
            session.mount("http://", self.adapter)
            session.mount("https://", self.adapter)
        return session


class _Session(requests.Session):
    """A session that sends nothing on its own account."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None  # or X-Auth-Token would go along to whatever host the answer names


class _Auth(requests.auth.AuthBase):
    """Adds the token, or the signature, to requests for the image service, and to no other."""

    def __init__(self, service: Service, authorized: Callable[[Request], Request]) -> None:
        self._address = str(requests.Request("GET", f"{service.url}/").prepare().url)  # as requests writes it
        self._authorized = authorized

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        if (r.url or "").startswith(self._address):
            body = r.body.encode() if isinstance(r.body, str) else r.body or b""
            sent = self._authorized(Request(r.method or "GET", r.url or "", body=body))
            r.url = sent.url
            r.headers.update(sent.headers)
        return r
