"""The links on a task: to the new image, and to the image service, in the cloud's console.

Airflow stores a link's address when a process of the task ends; the UI reads what was stored last. So each process
tells only what it knows, and looks nothing up for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
from airflow.sdk import BaseOperator, BaseOperatorLink

from airflow_provider_ims.versions import DEFERRAL, check_version

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import TaskInstanceKey

    from airflow_provider_ims.hooks.base import ImsBaseHook

IMAGE = "{image_id}"
"""Stands in an address for the id of an image that is not there yet."""


@attrs.define
class _Link(BaseOperatorLink):
    url: str = ""

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address that a process of the task has told; blank where it knew none."""
        return self.url


class ConsoleLink(_Link):
    """To the image service in the cloud's console."""

    name = "IMS console"


class ImageLink(_Link):
    """To the new image, where the connection's ``console_url`` says where its page is."""

    name = "Image"


class LinkedOperator(BaseOperator):
    """An operator with these links."""

    operator_extra_links: Collection[BaseOperatorLink] = (ImageLink(), ConsoleLink())

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral; the links stay as they are until something new is known.

        Raises ``NewerReleaseError`` where a newer release deferred the task, or saw its end, in a form of its own.
        """
        self._tell_links()
        for stored in (next_kwargs or {}, (next_kwargs or {}).get("event")):
            if isinstance(stored, Mapping):
                check_version("What the task is resumed with", stored.get("version", DEFERRAL), DEFERRAL)
        return super().resume_execution(next_method, next_kwargs, context)

    @contextmanager
    def _linked(self, hook: ImsBaseHook) -> Iterator[None]:
        """Within, a process of the task works with this hook; in the end a link leads where its connection says."""
        self._tell_links()
        try:
            yield
        finally:
            if "client" in vars(hook):
                to_image = (each for each in self.operator_extra_links if isinstance(each, ImageLink))
                self._tell_links(ConsoleLink(hook.client.console()), *to_image)

    def _link_image(self, page: str, image_id: str) -> None:
        """``page``: the address of an image's page, with ``IMAGE`` in it where each has its own."""
        if IMAGE in page:
            self._tell_links(ImageLink(page.replace(IMAGE, image_id)))

    def _tell_links(self, *links: BaseOperatorLink) -> None:
        """Those that Airflow is to store now: it would store an empty one as well, in the place of what is there."""
        others = (each for each in type(self).operator_extra_links if not isinstance(each, ImageLink | ConsoleLink))
        self.operator_extra_links = [*links, *others]
