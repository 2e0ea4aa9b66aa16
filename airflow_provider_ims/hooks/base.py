"""``ImsBaseHook``: the image service from a thread; what operator and sensor work with.

It is ``ImsHook`` without Airflow's ``HttpHook``, which loads requests and aiohttp: each task's process would pay for
nothing.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlsplit

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from msgspec.structs import replace

from airflow_provider_ims import protocol
from airflow_provider_ims.arguments import check_copy, check_image_id, check_job_id
from airflow_provider_ims.auth import Conversation
from airflow_provider_ims.client import Client
from airflow_provider_ims.errors import MalformedResponseError
from airflow_provider_ims.hooks.connection import (
    PATIENCE,
    client_of,
    no_connection,
    proxy_of,
    tls_of,
)
from airflow_provider_ims.hooks.network import Network
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
        _close(self.__dict__.pop("_ways", {}))

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
    def _ways(self) -> dict[tuple[str, str | None], Network]:
        """The ways by scheme and proxy; closed at the latest when nobody has the hook any more."""
        ways: dict[tuple[str, str | None], Network] = {}
        weakref.finalize(self, _close, ways)
        return ways

    def _way(self, url: str) -> Network:
        settings, scheme = self.client.settings, urlsplit(url).scheme
        proxy = proxy_of(settings, url)
        if (scheme, proxy) not in self._ways:
            needs_tls = "https" in (scheme, (proxy or "").partition(":")[0].lower())
            self._ways[scheme, proxy] = Network(tls_of(settings) if needs_tls else None, settings.timeout, proxy)
        return self._ways[scheme, proxy]

    def sleep(self, seconds: float) -> None:
        """Wait; a hook on a clock of its own does it otherwise."""
        time.sleep(seconds)

    def send(self, request: Request) -> Response:
        """Send one request, once; raises ``ConnectError``, ``ResponseLostError``, ``SettingsError``."""
        return self._way(request.url).send(request)


def _close(ways: dict[tuple[str, str | None], Network]) -> None:
    for way in ways.values():
        way.close()
