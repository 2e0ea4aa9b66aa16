"""How one waits where more is known than the job: the order, or the image that is made."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial

import pytest

from airflow_provider_ims import errors, protocol
from airflow_provider_ims.idempotency import Order
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from airflow_provider_ims.waiting import Watch
from tests.core.test_waiting import looks, messages
from tests.world import COPY, World

ORDER = Order("my key", PLAIN_IMAGE, "copy")


def ordered(world: World) -> Watch:
    """A wait for a new copy of which it is known what was asked for."""
    job_id = world.ask(
        partial(protocol.copy_image, image_id=PLAIN_IMAGE, name="copy", description=str(ORDER.fingerprint))
    )
    return Watch(world.client, job_id, 30.0, world.now + timedelta(hours=1), ORDER)


def test_the_last_look_is_at_all_images_instead_of_one(world: World) -> None:
    waiting = ordered(world)
    assert world.perform(waiting.wait()).is_active
    assert (world.counted("GET list"), world.counted("GET image")) == (1, 0)


def test_an_image_that_is_not_listed_yet_is_waited_for(world: World) -> None:
    world.cloud.change(list_lag=100.0, copy_seconds=10.0)
    assert world.perform(ordered(world).wait()).is_active
    assert sum(world.pauses) > 90


@pytest.mark.parametrize("entities", ["no_image_id", "empty", "null"])
def test_a_job_that_names_no_image_is_known_by_the_fingerprint(world: World, entities: str) -> None:
    world.cloud.change(success_entities=entities)
    assert world.perform(ordered(world).wait()).is_active


def by_image(world: World) -> Watch:
    world.ask(COPY)
    world.wait(5)
    (image,) = (image for image in world.cloud.state.images.values() if image.job)
    return Watch(world.client, f"image:{image.id}", 10.0, world.now + timedelta(hours=1))


def test_a_copy_is_followed_by_its_image(world: World, caplog: pytest.LogCaptureFixture) -> None:
    waiting = by_image(world)
    with caplog.at_level(logging.INFO):
        assert world.perform(waiting.wait()).is_active
    assert looks(world) == 0
    assert [said.partition(": ")[2].split(", ")[0] for said in messages(caplog, logging.INFO)][-1] == "active"


@pytest.mark.parametrize("remains", ["killed", "removed"])
def test_an_image_that_is_killed_or_vanishes_is_a_job_that_may_be_tried_again(world: World, remains: str) -> None:
    world.cloud.change(fail_code="IMG.0014", image_after_fail=remains)
    with pytest.raises(errors.JobInterruptedError, match=r"'killed'|not there any more"):
        world.perform(by_image(world).wait())
