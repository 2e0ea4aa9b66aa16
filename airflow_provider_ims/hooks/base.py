"""``ImsBaseHook``: the image service from a thread, on requests; what operator and sensor work with.

It is ``ImsHook`` without Airflow's ``HttpHook``, which loads aiohttp: each task's process would pay for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, partial
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import requests
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError

from airflow_provider_ims import protocol
from airflow_provider_ims.arguments import check_copy, check_image_id, check_job_id
from airflow_provider_ims.auth import Conversation
from airflow_provider_ims.client import Client
from airflow_provider_ims.errors import ImsError, MalformedResponseError, ResponseLostError
from airflow_provider_ims.hooks.bounds import BoundedAdapter
from airflow_provider_ims.hooks.connection import (
    PATIENCE,
    PIECE,
    USER_AGENT,
    Body,
    ca_bundle_of,
    client_of,
    lost,
    malformed,
    no_connection,
    not_sent,
    proxy_of,
    tls_of,
    untrusted,
)
from airflow_provider_ims.models import Image, Job, Request, Response
from airflow_provider_ims.settings import Settings
from airflow_provider_ims.transport import run

if TYPE_CHECKING:
    from airflow_provider_ims.hooks.checking import ConnectionCheck

T = TypeVar("T")


class ImsBaseHook(BaseHook):
    """The image service of one Airflow connection of type ``ims``; see ``ImsHook``."""

    conn_name_attr = "ims_conn_id"
    default_conn_name = "ims_default"
    conn_type = "ims"
    hook_name = "Image Management Service (OTC, Huawei Cloud)"

    def __init__(self, ims_conn_id: str = default_conn_name, patience: float = PATIENCE) -> None:
        super().__init__()
        self.ims_conn_id = ims_conn_id
        self.patience = patience

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next request opens them again."""
        if session := self.__dict__.pop("_session", None):
            session.close()

    def copy_image(
        self,
        image_id: str,
        *,
        name: str,
        description: str | None = None,
        cmk_id: str | None = None,
        enterprise_project_id: str | None = None,
    ) -> str:
        """Begin to copy an image within its region; returns the job's id.

        Without ``cmk_id`` the copy is not encrypted, whatever the source is. Raises ``ArgumentError`` before anything
        is sent, and ``UnclearSubmitError`` where the cloud may have accepted the copy and nobody knows.
        """
        check_copy(image_id, name, description, cmk_id, enterprise_project_id)
        order = partial(
            protocol.copy_image,
            image_id=image_id,
            name=name,
            description=description,
            cmk_id=cmk_id,
            enterprise_project_id=enterprise_project_id,
        )
        return self.perform(self.client.ask(order))

    def get_job(self, job_id: str) -> Job:
        """How far an asynchronous job has come."""
        check_job_id(job_id)
        return self.perform(self.client.ask(partial(protocol.get_job, job_id=job_id)))

    def get_image(self, image_id: str) -> Image:
        """One image; raises ``NotFoundError``."""
        check_image_id(image_id)
        return self.perform(self.client.ask(partial(protocol.get_image, image_id=image_id)))

    def list_images(self, **filters: object) -> Iterator[Image]:
        """The images that match all filters of the API's list (``name`` exactly, ``status``, ``__imagetype``, ...).

        Without ``limit``, which is the size of a page, pages have 500 images. Pages are fetched as they are needed.
        """
        size = min(int(str(filters.get("limit") or protocol.PAGE_SIZE)), protocol.PAGE_SIZE)
        marker: str | None = None
        while page := self.perform(self.client.ask(partial(protocol.list_images, filters=filters, marker=marker))):
            yield from page
            if len(page) < size:
                return
            if page[-1].id == marker:
                raise MalformedResponseError(f"The list of images does not go on after image {marker}.")
            marker = page[-1].id

    def delete_image(self, image_id: str) -> None:
        """Delete an image; the cloud may show it for a moment longer. Raises ``RefusedError`` where it is protected."""
        check_image_id(image_id)
        self.perform(self.client.ask(partial(protocol.delete_image, image_id=image_id)))

    def check(self) -> ConnectionCheck:
        """Log in anew, look at images and quota: which half works, and what is to be mended. Raises nothing."""
        from airflow_provider_ims.hooks.checking import check_connection

        return check_connection(self)

    def test_connection(self) -> tuple[bool, str]:
        """``check`` for Airflow's Test button: whether both halves work, and a sentence."""
        check = self.check()
        return check.works, str(check)

    @cached_property
    def client(self) -> Client:
        """Who asks which cloud; reads the Airflow connection once, and when it is refused.

        Raises ``ConnectionLookUpError``, ``SettingsError``.
        """
        return replace(self._read_connection(), look_again=self._look_again)

    def _look_again(self) -> Settings:
        self.client = replace(self._read_connection(), look_again=self._look_again)
        return self.client.settings

    def _read_connection(self) -> Client:
        try:
            connection = self.get_connection(self.ims_conn_id)
        except AirflowNotFoundException:
            raise no_connection(self.ims_conn_id) from None
        return client_of(connection, connection.extra_dejson)

    def perform(self, conversation: Conversation[T]) -> T:
        """Carry out what ``client`` wants to say."""
        return run(conversation, self.send, self.patience, self.sleep)

    @cached_property
    def _session(self) -> requests.Session:
        return self._new_session()

    def _new_session(self) -> requests.Session:
        session = _Session()
        session.trust_env = False  # or it would send what .netrc holds
        session.headers.update(USER_AGENT)
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.verify = ca_bundle_of(self.client.settings)
        session.mount("http://", BoundedAdapter())
        session.mount("https://", BoundedAdapter())
        return session

    def sleep(self, seconds: float) -> None:
        """Wait; a hook on a clock of its own does it otherwise."""
        time.sleep(seconds)

    def send(self, request: Request) -> Response:
        """Send one request, once; raises ``ConnectError``, ``ResponseLostError``, ``SettingsError``."""
        settings = self.client.settings
        proxy = proxy_of(settings, request.url)
        try:
            with self._session.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                data=request.body or None,
                timeout=settings.timeout,
                proxies={"http": proxy, "https": proxy} if proxy else None,
                allow_redirects=False,
                stream=True,
            ) as answer:
                body = _body(request, answer)
        except (OSError, HTTPError, UnicodeError) as problem:  # requests lets some of others through
            error = _error(request, problem)
        else:
            return Response(answer.status_code, answer.headers, body)
        if not isinstance(error, ResponseLostError):
            tls_of(settings)  # raises where the CA bundle is to blame, of which requests says little
        raise error  # out here, or the library's error would go along, and in it the request with its secrets


def _body(request: Request, answer: requests.Response) -> bytes:
    body = Body(request)
    try:
        for piece in answer.iter_content(PIECE):
            body.take(piece)
    except ValueError as problem:  # of a chunk whose size is below zero
        error = lost(request, problem)
    else:
        return body.whole()
    raise error


class _Session(requests.Session):
    """A session that sends nothing on its own account."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None  # or X-Auth-Token would go along to whatever host the answer names


def _error(request: Request, problem: Exception) -> ImsError:
    """Ours for an error of requests: the difference that matters is whether anything was sent."""
    if "CERTIFICATE_VERIFY_FAILED" in str(problem):
        return untrusted(request, problem)
    if isinstance(problem, requests.exceptions.ProxyError | requests.ConnectTimeout):
        return not_sent(request, problem)
    if "[X509" in str(problem) or not isinstance(problem, requests.RequestException | HTTPError | UnicodeError):
        return not_sent(request, problem)  # the CA bundle cannot be read, or is not there
    cause = problem.args[0] if problem.args else None
    if isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError):
        return not_sent(request, cause.reason)
    return (malformed if isinstance(problem, ValueError) else lost)(request, problem)
