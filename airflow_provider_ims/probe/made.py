"""What probes have made and not deleted yet, noted before each copy is sent: nothing is left that nobody knows of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from airflow_provider_ims.idempotency import Order
from airflow_provider_ims.models import Image


class Store(Protocol):
    """Where the notes are kept; both raise ``StateStoreError``."""

    def read(self) -> dict[str, Any]:
        """What was written last; empty where nothing was."""

    def write(self, **facts: Any) -> None:
        """Keep these, in the place of what was kept before."""


class Made:
    """One copy of a probe. It is also the notes of its ``Submission``.

    ``image_id``: that of the image that it has made, as far as it is known.
    """

    def __init__(self, notes: MadeNotes, entry: dict[str, Any]) -> None:
        self._notes, self.entry = notes, entry
        self.order = Order(key=entry["key"], image_id=entry["image_id"], name=entry["name"])
        self.image_id: str | None = None

    @property
    def job_id(self) -> str | None:
        """Its job, where one is known."""
        return self.entry.get("job_id")

    @property
    def was_sent(self) -> bool:
        """Whether the cloud may have accepted it."""
        return bool(self.entry["sent"])

    @property
    def noted_at(self) -> datetime:
        """When it was about to be sent."""
        return datetime.fromisoformat(self.entry["noted_at"])

    def write(self, **facts: Any) -> None:
        """Note what its submission knows."""
        self.entry |= {key: facts[key] for key in ("sent", "job_id")}
        self._notes.save()

    def forget(self) -> None:
        """It is gone, or never was."""
        self._notes.copies.remove(self)
        self._notes.save()

    def is_it(self, image: Image, named_by_job: str | None = None) -> bool:
        """Whether this image is what the copy has made: named as nothing else, and with its fingerprint or its job."""
        if image.name != self.order.name or image.id.lower() == self.order.image_id.lower():
            return False
        return self.order.is_mine(image) or image.id == named_by_job

    def __str__(self) -> str:
        image = f"image {self.image_id} '{self.order.name}'" if self.image_id else f"an image '{self.order.name}'"
        return f"{image} (job {self.job_id})" if self.job_id else image


class MadeNotes:
    """The notes of all copies that are not deleted yet."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.copies = [Made(self, entry) for entry in store.read().get("copies", ())]

    def begin(self, order: Order, now: datetime) -> Made:
        """Note a copy that is about to be sent."""
        entry: Mapping[str, Any] = {"key": order.key, "image_id": order.image_id, "name": order.name}
        made = Made(self, {**entry, "noted_at": now.isoformat(), "sent": False, "job_id": None})
        self.copies.append(made)
        self.save()
        return made

    def save(self) -> None:
        """Write all of them down."""
        self._store.write(copies=[made.entry for made in self.copies])
