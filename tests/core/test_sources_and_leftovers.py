"""What is copied and what is not: the source, what failed jobs have left, what is sent without a fingerprint."""

from __future__ import annotations

import json
import logging

import pytest
from msgspec.structs import replace

from airflow_provider_ims import errors
from airflow_provider_ims.copying import LONGEST_SLOT_PAUSE, pause_for_slot
from airflow_provider_ims.models import Response
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.seeds import (
    ENCRYPTED_IMAGE,
    FULL_ECS_IMAGE,
    INACTIVE_IMAGE,
    ISO_IMAGE,
    LARGE_IMAGE,
    OTHER_KEY,
    PLAIN_IMAGE,
)
from tests.tries import ORDER, Tries
from tests.world import Walk, World, stop

SOURCES = [
    (ISO_IMAGE, "ISO image"),
    (FULL_ECS_IMAGE, "full-ECS image"),
    (INACTIVE_IMAGE, "'saving'"),
    (LARGE_IMAGE, "200 GB"),
    (ENCRYPTED_IMAGE, "encrypted.*cmk_id, or allow_decryption=True"),
]


@pytest.mark.parametrize(("image_id", "complaint"), SOURCES, ids=lambda value: value[-20:])
def test_what_the_job_would_say_late_is_said_early(world: World, image_id: str, complaint: str) -> None:
    tries = Tries(world, replace(ORDER, image_id=image_id))
    with pytest.raises(errors.ArgumentError, match=f"image_id is {image_id}, .*{complaint}"):
        tries.submit()
    assert tries.sent == 0


def test_a_source_that_is_not_there_is_named_with_the_clouds_answer(world: World) -> None:
    tries = Tries(world, replace(ORDER, image_id="00000000-0000-4000-8000-000000000000"))
    with pytest.raises(errors.NotFoundError, match=r"no image 00000000.*Check `image_id`.*request id"):
        tries.submit()
    assert tries.sent == 0


@pytest.mark.parametrize(("cmk_id", "allowed"), [(OTHER_KEY, False), (None, True), (OTHER_KEY, True)])
def test_an_encrypted_image_is_decrypted_only_where_that_is_said(
    world: World, cmk_id: str | None, allowed: bool
) -> None:
    tries = Tries(world, replace(ORDER, image_id=ENCRYPTED_IMAGE, cmk_id=cmk_id), allow_decryption=allowed)
    tries.submit()
    assert tries.images[0].cmk_id == (cmk_id or "")


def test_a_source_that_may_not_be_seen_is_copied_all_the_same(tries: Tries, caplog: pytest.LogCaptureFixture) -> None:
    tries.world.cloud.change(missing_permissions=("ims:images:get",))
    with caplog.at_level(logging.WARNING):
        tries.submit()
    assert "ims:images:get" in caplog.text
    assert len(tries.images) == 1


@pytest.mark.parametrize("remains", ["killed", "removed", "saving"])
def test_the_leftovers_of_a_job_that_failed_do_not_count(tries: Tries, remains: str) -> None:
    tries.world.cloud.change(copy_seconds=10.0, fail_code="IMG.0014", image_after_fail=remains)
    tries.submit()
    tries.world.wait(20)
    tries.world.cloud.change(fail_code="")
    second = tries.submit()
    assert (second, tries.world.pauses) == (tries.world.cloud.jobs[1].id, [])
    tries.world.wait(20)
    assert tries.submit() == second
    assert tries.images[1].description.startswith(f"{ORDER.fingerprint}a1 ")


def test_after_a_job_that_failed_the_image_of_another_run_is_taken_up(tries: Tries) -> None:
    tries.world.cloud.change(copy_seconds=10.0, fail_code="IMG.0097")
    tries.submit()
    tries.world.wait(20)
    tries.world.cloud.change(fail_code="", copy_seconds=100.0)
    other = Tries(tries.world)
    made = other.submit()
    for seconds in (30, 100):  # while it is made, and afterwards
        tries.world.wait(seconds)
        assert tries.submit() == f"image:{tries.images[1].id}"
        tries.notes.kept |= {"job_id": tries.world.cloud.jobs[0].id, "attempt": 0}
    assert (made, tries.sent) == (tries.world.cloud.jobs[1].id, 2)


@pytest.mark.parametrize("entities", ["no_image_id", "empty", "null"])
def test_a_noted_job_that_names_no_image_is_found_by_its_fingerprint(tries: Tries, entities: str) -> None:
    tries.submit()
    tries.world.wait(100)
    tries.world.cloud.change(success_entities=entities)
    assert tries.submit() == f"image:{tries.images[0].id}"


def test_a_noted_job_that_the_cloud_no_longer_knows_is_found_by_its_image(tries: Tries) -> None:
    tries.world.cloud.change(job_retention=1.0, copy_seconds=10.0)
    tries.submit()
    tries.world.wait(3600)
    assert tries.submit() == f"image:{tries.images[0].id}"


@pytest.mark.parametrize("by", ["job", "image"])
def test_what_somebody_has_deleted_is_copied_again(tries: Tries, by: str) -> None:
    tries.submit()
    tries.world.wait(100)
    if by == "image":
        tries.notes.kept = {}
        tries.submit(may_follow=False)
    tries.images[0].deleted_at = tries.world.now
    tries.submit()
    assert tries.sent == 2


def test_what_a_noted_job_has_made_is_taken_to_be_there_where_it_may_not_be_seen(tries: Tries) -> None:
    job_id = tries.submit()
    tries.world.wait(100)
    tries.world.cloud.change(missing_permissions=("ims:images:get",))
    assert (tries.submit(), tries.sent) == (job_id, 1)


@pytest.mark.parametrize(("size", "copied"), [("", True), (str(128 * 1024**3), True), (str(128 * 1024**3 + 1), False)])
def test_the_largest_source_has_128_gb(tries: Tries, size: str, copied: bool) -> None:
    walk = Walk(tries.world, tries.submission().submit({}))
    walk.go()  # the look
    [stored] = [each for each in tries.world.cloud.images() if each["id"] == PLAIN_IMAGE]
    source = json.dumps(stored | {"__image_size": size}).encode()
    if copied:
        assert stop(walk.conversation, Response(200, {}, source)) is not None
        return
    with pytest.raises(errors.ArgumentError, match=r"which has 128 GB: more than 128 GB cannot be copied\.$"):
        stop(walk.conversation, Response(200, {}, source))


def test_a_look_at_the_noted_job_that_fails_sends_nothing(tries: Tries) -> None:
    tries.submit()
    tries.world.cloud.faults.add(Fault("job", "status"))
    with pytest.raises(errors.UnavailableError):
        tries.submit()
    assert tries.sent == 1


def test_a_noted_job_that_is_dead_is_no_job_of_the_submission_any_more(tries: Tries) -> None:
    tries.submit()
    tries.world.cloud.faults.add(Fault("job", "status", status=404), Fault("list", "status"))
    again = tries.submission()
    with pytest.raises(errors.UnavailableError):
        tries.world.perform(again.submit(tries.noted() | {"sent": False}))
    assert again.job_id is None


class TestWithoutFingerprint:
    """What is then lost, is lost, and said."""

    @pytest.fixture
    def unmarked(self, world: World) -> Tries:
        return Tries(world, replace(ORDER, marked=False))

    def test_it_costs_no_look_and_no_permission(self, unmarked: Tries) -> None:
        unmarked.world.cloud.change(missing_permissions=("ims:images:list",))
        unmarked.submit()
        assert [request.method for request in unmarked.world.requests] == ["GET", "POST"]
        assert unmarked.images[0].description == "nightly"

    def test_an_unclear_submit_is_permanent_and_says_what_to_look_for(self, unmarked: Tries) -> None:
        unmarked.world.cloud.faults.add(Fault("copy", "reset_after"))
        for _ in range(2):
            with pytest.raises(errors.UnclearSubmitError, match=f"image named 'golden' made from image {PLAIN_IMAGE}"):
                unmarked.submit()
        assert unmarked.sent == 1

    def test_a_noted_job_is_followed(self, unmarked: Tries) -> None:
        job_id = unmarked.submit()
        unmarked.world.wait(100)
        assert unmarked.submit() == job_id


def test_pauses_for_a_slot_grow_and_are_spread() -> None:
    for waited, longest in ((0.0, 30.0), (100.0, 100.0), (9000.0, LONGEST_SLOT_PAUSE)):
        pauses = [pause_for_slot(6.0, waited, 10_000.0) or 0.0 for _ in range(1000)]
        assert 6 <= min(pauses) < 6 + longest / 10
        assert waited or min(pauses) < 7
        assert longest * 0.9 < max(pauses) <= 6 + longest
    assert pause_for_slot(90.0, 0.0, 100.0) in (pytest.approx(95, abs=5), 100.0)
    assert pause_for_slot(90.0, 0.0, 90.0) is None
