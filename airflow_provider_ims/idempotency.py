"""Which image is whose copy: copy keys, fingerprints, and the verdict over what the cloud shows.

The copy API has no idempotency key, so the image itself is the record: the first word of its description is a
fingerprint of the copy key and the source image. Nothing here asks the cloud or changes anything.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from airflow_provider_ims.errors import CopyConflictError
from airflow_provider_ims.models import Image
from airflow_provider_ims.values import Value
from airflow_provider_ims.versions import known_fields

log = logging.getLogger(__name__)

_KEY_OF_A_TASK = re.compile(r"(.*)#(\d+(?:s\d+)?)@(\S*)", re.DOTALL)
_FINGERPRINT = re.compile(r"(ims[a-z2-7]{20})(?:c(\d+(?:s\d+)?t[a-z2-7]{6}))?(?:a(\d+))?")

REMEDY = (
    "To keep one of them, delete the others and run with this `copy_key`; to begin afresh, delete all of them and "
    "clear the task, or give another `copy_key`."
)


def copy_key(*task: object, clearing: str, started: str) -> str:
    """The key of a task's copy: what tells the task from all others, which clearing this is, and when its run began."""
    return f"{'/'.join(map(str, task))}#{clearing}@{started}"


def account(key: str | None, job_id: str | None = None, image_id: str | None = None, *, is_over: bool = False) -> str:
    """What is known of a copy, for whoever finds its task failed, killed or waiting."""
    facts = [f"Copy key '{key}' (given as `copy_key` it takes up the same copy)"] if key else []
    facts += [f"job {job_id}" if job_id else "no job is known"]
    facts += [f"image {image_id}"] if image_id else []
    goes_on = " It goes on in the cloud: a copy cannot be cancelled, and nothing is deleted."
    return f"{', '.join(facts)}.{goes_on if job_id and not is_over else ''}"


def _hash(text: str, length: int) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()[:length]


@lru_cache(maxsize=256)
def _stem_and_clearing(key: str, image_id: str) -> tuple[str, str | None]:
    """Kept, because one look compares it with each image of the project."""
    task, clearing = key, None
    if parts := _KEY_OF_A_TASK.fullmatch(key):
        task, number, started = parts.groups()
        clearing = f"{number}t{_hash(started, 6)}"
    return "ims" + _hash(f"{image_id.lower()} {task}", 20), clearing


class Fingerprint(Value, frozen=True):
    """The first word of a copy's description, letters and digits alone: ``ims``, 20 of ``a-z2-7``, ``c1t...``, ``a2``.

    ``stem`` is a hash of source image and copy key but for the clearing. ``clearing``: which one of the task, and a
    hash of when its run began; none for a key of the user's own. ``attempt``: how many jobs of this key have FAILed.
    """

    stem: str
    clearing: str | None = None
    attempt: int = 0

    @classmethod
    def of(cls, key: str, image_id: str, attempt: int = 0) -> Fingerprint:
        """That of a copy key and a source image; ``attempt``: how many jobs of the copy have ended with FAIL."""
        return cls(*_stem_and_clearing(key, image_id), attempt)

    @classmethod
    def read(cls, description: str | None) -> Fingerprint | None:
        """The fingerprint at the front of a description, if there is one."""
        word = (description or "").partition(" ")[0]
        if not (found := _FINGERPRINT.fullmatch(word)):
            return None
        stem, clearing, attempt = found.groups()
        return cls(stem, clearing, int(attempt or 0))

    def __str__(self) -> str:
        clearing = f"c{self.clearing}" if self.clearing else ""
        return f"{self.stem}{clearing}" + (f"a{self.attempt}" if self.attempt else "")


class Order(Value, frozen=True):
    """One copy as it was asked for. Where it is not ``marked`` it has no fingerprint and cannot be recognized.

    ``attempt``: see ``Fingerprint``. ``failed_at``: when the last job FAILed that is known of (ISO format): unfinished
    images of lower attempts that are older are its leftovers, and count for nothing.
    """

    key: str
    image_id: str
    name: str
    description: str | None = None
    cmk_id: str | None = None
    enterprise_project_id: str | None = None
    attempt: int = 0
    failed_at: str | None = None
    marked: bool = True

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Order:
        """An order as ``asdict`` gave it in whichever release."""
        return cls(**known_fields(cls, facts))

    @property
    def fingerprint(self) -> Fingerprint | None:
        """What the image is known by, unless it is not to be marked."""
        return Fingerprint.of(self.key, self.image_id, self.attempt) if self.marked else None

    @property
    def marked_description(self) -> str:
        """What the image is to be described with."""
        return " ".join(str(word) for word in (self.fingerprint, self.description) if word)

    def is_mine(self, image: Image) -> bool:
        """Whether this image was made for this order, by whichever try or run."""
        found = Fingerprint.read(image.description)
        mine = self.fingerprint if found else None
        if not mine or not found or (found.stem, found.clearing) != (mine.stem, mine.clearing):
            return False
        return self._is_from_source(image) and not (found.attempt < mine.attempt and self._is_leftover(image))

    def _is_leftover(self, image: Image) -> bool:
        """Whether an image of a lower attempt is what the FAILed job has left; where that is not known it is not."""
        if image.is_active or not self.failed_at or not image.created_at:
            return False
        return image.created_at < datetime.fromisoformat(self.failed_at).replace(microsecond=0)

    def adoptable(self, images: Sequence[Image]) -> Image | None:
        """The one live image of this order; raises ``CopyConflictError`` for several, or one that is not as asked."""
        mine = [image for image in images if self.is_mine(image) and not image.is_dead]
        if len(mine) > 1:
            raise self._several(mine)
        for image in mine:
            self.check(image)
        return mine[0] if mine else None

    def check(self, image: Image) -> None:
        """Raise ``CopyConflictError`` where the image is not named or encrypted as asked."""
        if image.name != self.name:
            self._differs(image, "name", image.name, self.name)
        asked, has = (self.cmk_id or "").lower(), (image.cmk_id or "").lower()
        if asked != has and (image.is_active or has):
            self._differs(image, "cmk_id", image.cmk_id, self.cmk_id or None)

    def verify(self, image_id: str, images: Sequence[Image]) -> Image | None:
        """The image that the job of this order has made, or None where it is not listed (yet).

        Raises ``CopyConflictError`` where it is not as asked, or another live image of the order is there.
        """
        alive = [image for image in images if not image.is_dead]
        mine = [image for image in alive if image.id == image_id or self.is_mine(image)]
        made = next((image for image in images if image.id == image_id), None)
        if len({image.id for image in mine} | {image_id}) > 1:
            raise self._several(mine)
        if made and made.is_active:
            self.check(made)
        return made

    def tell_of_earlier_clearings(self, images: Sequence[Image], noted_key: str | None = None) -> None:
        """Log which images earlier clearings of the same task have left, so that nobody is surprised by two."""
        mine = self.fingerprint
        for image in images:
            other = Fingerprint.read(image.description)
            if not mine or not other or other.stem != mine.stem or image.is_dead or not self._is_from_source(image):
                continue
            if other.clearing != mine.clearing:
                log.warning(
                    "The task was cleared: another copy is made. The one before is there still: image %s '%s' (%s)%s",
                    image.id,
                    image.name,
                    image.status,
                    self._with_key_of(other, noted_key),
                )

    def _with_key_of(self, other: Fingerprint, noted_key: str | None) -> str:
        number = (other.clearing or "").partition("t")[0]
        keys = (noted_key or "", re.sub(r"#[^#@]*@(\S*)$", rf"#{number}@\1", self.key))
        found = [key for key in keys if Fingerprint.of(key, self.image_id, other.attempt) == other]
        return f", copy key '{found[0]}'" if found else ""

    def _is_from_source(self, image: Image) -> bool:
        return image.origin is None or image.origin.rpartition(",")[2].lower() == self.image_id.lower()

    def _several(self, images: Sequence[Image]) -> CopyConflictError:
        found = ", ".join(f"{image.id} '{image.name}' ({image.status})" for image in images)
        return CopyConflictError(f"More than one image is there for copy key '{self.key}': {found}. {REMEDY}")

    def _differs(self, image: Image, field: str, has: str | None, asked: str | None) -> None:
        raise CopyConflictError(
            f"Image {image.id} was made for copy key '{self.key}', but its {field} is {has!r} and {asked!r} is asked "
            f"for. Ask for the same at each try (no name made from the time of day), or: {REMEDY}"
        )
