"""Tries at one copy, one after the other, each with what the one before has noted; and the notes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_ims import errors
from airflow_provider_ims.copying import Submission
from airflow_provider_ims.idempotency import Order, copy_key
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.nouns import StoredImage
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.world import LOOK, World

ORDER = Order(copy_key("dag", "run", "copy", -1, clearing="0", started="2026"), PLAIN_IMAGE, "golden", "nightly")
GRACE, TIMEOUT = 20.0, 30.0
SEEDED = "5eed0000-"


@dataclass
class Notebook:
    """Notes in memory. ``refuses``: how many of the next notes Airflow does not take; ``takes``: seconds for each."""

    world: World
    kept: dict[str, Any] = field(default_factory=dict)
    written: list[tuple[bool, str | None]] = field(default_factory=list)
    refuses: int = 0
    takes: float = 0.0

    def write(self, **facts: Any) -> None:
        self.world.wait(self.takes)
        if self.refuses:
            self.refuses -= 1
            raise errors.StateStoreError("Airflow does not answer.")
        self.kept = facts
        self.written.append((facts["sent"], facts["job_id"]))


class Tries:
    """Tries at one order, one after the other, each with what the one before has noted."""

    def __init__(self, world: World, order: Order = ORDER, *, has_store: bool = True, **more: Any) -> None:
        self.world, self.order, self.has_store, self.more = world, order, has_store, more
        self.notes = Notebook(world)
        self.count = 0
        for image_id in [each for each in world.cloud.state.images if each.startswith(SEEDED)]:
            if image_id != order.image_id:
                del world.cloud.state.images[image_id]  # so that lists are short
        world.ask(LOOK)  # the log-in is another story
        world.requests.clear()

    def submission(self, **more: Any) -> Submission:
        self.count += 1
        may_follow = self.count > 1 and (self.order.marked or not self.has_store)
        arguments = {"may_follow": may_follow, "grace": GRACE} | self.more | more
        return Submission(self.world.client, self.order, self.notes, **arguments)

    def noted(self) -> dict[str, Any]:
        return self.notes.kept if self.has_store else {}

    def submit(self, patience: float = 0.0, **more: Any) -> str:
        return self.world.perform(self.submission(**more).submit(self.noted()), patience)

    @property
    def images(self) -> list[StoredImage]:
        return [image for image in self.world.cloud.state.images.values() if image.job]

    @property
    def sent(self) -> int:
        return self.world.counted("POST copy")


def name(fault: Fault) -> str:
    """A fault in a test's name."""
    return f"{fault.kind} {fault.status} {fault.code or ''}"
