"""Ten thousand copies on a cloud that loses, refuses and lags, begun by processes that die: ten thousand images."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

from airflow_provider_ims.copying import SUBMIT_GRACE, Submission
from airflow_provider_ims.errors import ImsTransientError
from airflow_provider_ims.idempotency import Fingerprint, Order
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from airflow_provider_ims.waiting import Watch
from tests.world import Walk, World

COPIES = 10_000
ROOMY: dict[str, Any] = {"images": 0, "quota": 10**6, "concurrent_copies": 10**6, "copy_seconds": 40.0}
FAULTS = (
    Fault("copy", "reset_after", times=None, probability=0.3),
    *(Fault(route, "status", times=None, probability=0.1) for route in ("copy", "job", "image", "list")),
)


class Notebook:
    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def write(self, **facts: Any) -> None:
        self.kept = facts


def one_try(world: World, order: Order, notes: Notebook, number: int, steps: float) -> bool:
    """Whether the try got the copy to its end; it dies after so many steps."""
    submission = Submission(world.client, order, notes, may_follow=number > 1)
    walk = Walk(world, submission.submit(notes.kept))
    while walk.step is not None:
        if (steps := steps - 1) < 0:
            return False
        walk.go()
    try:
        job_id = walk.to_the_end()
        watch = Watch(world.client, job_id, 30.0, world.now + timedelta(hours=2), submission.order)
        return world.perform(watch.wait()).is_active
    except ImsTransientError:
        return False


def test_ten_thousand_copies_are_ten_thousand_images() -> None:
    world, count = World(list_lag=SUBMIT_GRACE - 10, **ROOMY), Counter[str]()
    chance = random.Random(1)  # noqa: S311 - no secret
    world.perform(world.client.token())
    world.cloud.faults.add(*FAULTS)
    for number in range(COPIES):
        order, notes, tries = Order(f"copy {number}", PLAIN_IMAGE, "golden"), Notebook(), 1
        while not one_try(world, order, notes, tries, chance.choice([*range(8), *[1e9] * 8])):
            tries += 1
            assert tries < 100
        count.update(images=1, tries=tries)
        clean_up(world, order)
    print(f"{count['images']} copies in {count['tries']} tries, {world.counted('copies_accepted')} begun in the cloud")
    assert world.counted("copies_accepted") == COPIES


def clean_up(world: World, order: Order) -> None:
    """See that there is one image of the order, and forget it, so that the lists stay short."""
    state = world.cloud.state
    mine = [image for image in state.images.values() if Fingerprint.read(image.description) == order.fingerprint]
    assert len(mine) == 1, f"{order.key}: {mine}"
    del state.images[mine[0].id]
    state.jobs.clear()
    world.requests.clear()
