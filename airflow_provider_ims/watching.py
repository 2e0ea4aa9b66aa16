"""Which images are news: active ones that match a filter and of which nobody was told yet.

An image that becomes active late is news all the same, so what is remembered is not an instant but the images that are
no news. It only reads; no socket, no sleep.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from airflow_provider_ims import protocol
from airflow_provider_ims.errors import ArgumentError, MalformedResponseError
from airflow_provider_ims.models import Image, instant
from airflow_provider_ims.values import Value

if TYPE_CHECKING:
    from airflow_provider_ims.auth import Conversation  # DAG files, which load this, need no more
    from airflow_provider_ims.client import Client

IMAGE_TYPES = ("private", "gold", "shared", "market")
"""What ``__imagetype`` may be: one's own, the cloud's, another tenant's, and the market's (Huawei Cloud)."""

MOST_AT_ONCE = 100
"""Images that one look tells of at most; the next look tells of the others."""

MOST_KEPT = 1500
"""Ids that are remembered; of more, those that are not listed any more are forgotten. Airflow stores 64 KiB."""


class ImageFilter(Value, frozen=True):
    """Which images are watched: those that match all of what is given.

    :param name: a pattern of names as ``fnmatch`` has it (``golden-*``); case counts.
    :param tag: ``key=value``.
    :param image_type: one of ``IMAGE_TYPES``.

    Raises ``ArgumentError`` for none at all, and for what cannot match.
    """

    name: str | None = None
    tag: str | None = None
    image_type: str | None = None

    def __post_init__(self) -> None:
        if self.name is None and self.tag is None and self.image_type is None:
            raise ArgumentError('No filter is given: give name="golden-*", tag="key=value" or image_type="private".')
        if self.name is not None and (not isinstance(self.name, str) or not self.name.strip()):
            raise ArgumentError(f"name is {self.name!r}: give a pattern of image names, such as golden-*.")
        if self.tag is not None and (not isinstance(self.tag, str) or not re.fullmatch("[^=]{1,36}=.{0,43}", self.tag)):
            raise ArgumentError(f"tag is {self.tag!r}: give key=value, 36 and 43 characters at most.")
        if self.image_type not in (None, *IMAGE_TYPES):
            raise ArgumentError(f"image_type is {self.image_type!r}: give one of {', '.join(IMAGE_TYPES)}.")

    def look(self, client: Client) -> Conversation[list[Image]]:
        """All images that are active and match; raises an ``ImsError`` where the look failed even in part."""
        filters = {"status": "active", "tag": self.tag, "__imagetype": self.image_type, "limit": client.page_size}
        found: dict[str, Image] = {}
        marker: str | None = None
        while page := (yield from client.ask(partial(protocol.list_images, filters=filters, marker=marker))):
            found |= {image.id: image for image in page}
            if len(page) < client.page_size:
                break
            if page[-1].id == marker:
                raise MalformedResponseError(f"The list of images does not go on after image {marker}.")
            marker = page[-1].id
        return [image for image in found.values() if image.is_active and self.matches(image.name)]

    def matches(self, name: str) -> bool:
        """Whether an image of that name is watched, as far as its name tells."""
        return fnmatchcase(name, self.name or "*")


class Told(Struct):
    """Of which images somebody was told, the first one first; ``offered``: it is not known yet whether that arrived."""

    ids: dict[str, None]
    offered: set[str] = field(default_factory=set)

    @classmethod
    def before(cls, images: Iterable[Image], since: datetime | None) -> Told:
        """The images of a first look are no news, but for those that became active ``since`` then."""
        is_news = {image.id for image in images if since and (active_at(image) or since) >= since}
        return cls({image.id: None for image in images if image.id not in is_news})

    def news(self, images: Iterable[Image]) -> list[Image]:
        """Those of these that nobody was told of, in the order in which they became active; they are now offered."""
        images = list(images)
        self._forget({image.id for image in images})
        unknown = [image for image in images if image.id not in self.ids and image.id not in self.offered]
        unknown.sort(key=lambda image: (str(active_at(image)), image.id))
        self.offered.update(image.id for image in unknown[:MOST_AT_ONCE])
        return unknown[:MOST_AT_ONCE]

    def settle(self, image_id: str, *, has_arrived: bool) -> None:
        """What was offered has arrived, or is to be offered again."""
        self.offered.discard(image_id)
        if has_arrived:
            self.ids[image_id] = None

    def _forget(self, listed: set[str]) -> None:
        gone = [image_id for image_id in self.ids if image_id not in listed]
        for image_id in gone[: max(0, len(self.ids) - MOST_KEPT)]:
            del self.ids[image_id]


def active_at(image: Image) -> datetime | None:
    """When the image became active, as far as the cloud tells."""
    return instant(image.properties.get("active_at")) or instant(image.properties.get("updated_at"))


def told_of(image: Image) -> Mapping[str, Any]:
    """What an event tells of the image, as JSON; what is not known is None. ``size`` is in bytes."""
    became_active = active_at(image)
    return {
        "image_id": image.id,
        "image_name": image.name,
        "image_type": image.properties.get("__imagetype"),
        "source_image_id": image.source_id,
        "cmk_id": image.cmk_id,
        "size": image.size,
        "tags": tags if isinstance(tags := image.properties.get("tags"), list) else [],
        "owner": image.owner,
        "created_at": image.created_at and image.created_at.isoformat(),
        "active_at": became_active and became_active.isoformat(),
    }
