"""What is looked at before a copy is sent: all images, or nothing is sent."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_ims import errors
from airflow_provider_ims.copying import Submission
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.seeds import KEY
from tests.tries import ORDER, Tries, name
from tests.world import Walk

BROKEN_LOOKS = [
    *(Fault("list", kind, times=None) for kind in ("reset_before", "reset_after", "hang", "truncated", "bad_json")),
    Fault("list", "empty", times=None, when="after"),
    Fault("list", "html", times=None, status=200, when="after"),
    *(Fault("list", "status", times=None, status=status) for status in (400, 404, 408, 429, 500, 502, 503, 504)),
]


@pytest.mark.parametrize("fault", BROKEN_LOOKS, ids=name)
def test_a_look_that_failed_is_not_none(tries: Tries, fault: Fault) -> None:
    tries.world.cloud.faults.add(fault)
    with pytest.raises(errors.ImsTransientError):
        tries.submit()
    assert tries.sent == 0


@pytest.mark.parametrize("route", ["list", "image"])
def test_after_a_try_that_failed_before_it_sent_the_next_one_does_not_wait(tries: Tries, route: Any) -> None:
    tries.world.cloud.faults.add(Fault(route, "status"))
    with pytest.raises(errors.UnavailableError):
        tries.submit(may_follow=False)
    tries.submit(may_follow=True)
    assert (tries.sent, tries.world.pauses) == (1, [])


PAGE = 20
SOURCE_AND_COPY = 2


def crowd(tries: Tries, more: int = PAGE + 1) -> None:
    """More images than there are on one page."""
    tries.world.client = replace(tries.world.client, page_size=PAGE)
    for number in range(more):
        tries.world.cloud.add_image(f"one of many, {number}")


def test_a_look_that_failed_in_part_is_not_none(tries: Tries) -> None:
    crowd(tries)
    walk = Walk(tries.world, tries.submission().submit({}))
    walk.go()
    tries.world.cloud.faults.add(Fault("list", "status"))
    with pytest.raises(errors.UnavailableError):
        walk.to_the_end()
    assert tries.sent == 0


@pytest.mark.parametrize("more", [PAGE + 1, 2 * PAGE - SOURCE_AND_COPY], ids=["to the last", "which is full"])
def test_all_pages_are_looked_at(tries: Tries, more: int) -> None:
    tries.submit()
    tries.world.wait(100)
    crowd(tries, more)
    tries.notes.kept = {}
    assert tries.submit(may_follow=False) == f"image:{tries.images[0].id}"


def test_images_of_others_that_a_list_shows_do_not_end_the_look(tries: Tries) -> None:
    tries.submit()
    tries.world.wait(100)
    crowd(tries)
    tries.notes.kept = {}
    walk = Walk(tries.world, tries.submission(may_follow=False).submit({}))
    tries.world.foreign_owner = "somebody else"
    assert walk.to_the_end() == f"image:{tries.images[0].id}"


def test_an_image_of_somebody_else_is_not_taken_up(tries: Tries) -> None:
    tries.submit()
    tries.world.wait(100)
    tries.notes.kept = {}
    tries.world.foreign_owner = "somebody else"
    assert tries.submit(may_follow=False) == tries.world.cloud.jobs[1].id


def test_the_first_of_several_pages_is_looked_at_last(tries: Tries) -> None:
    crowd(tries)
    walk = Walk(tries.world, tries.submission().submit({}))
    walk.go()  # the first page
    other = Tries(tries.world)
    other.submit()
    tries.world.wait(3)  # the image is there, and the first look not too old to send after it
    assert walk.to_the_end() == f"image:{tries.images[0].id}"


def test_without_the_permission_to_list_it_is_said_how_to_do_without(tries: Tries) -> None:
    tries.world.cloud.change(missing_permissions=("ims:images:list",))
    with pytest.raises(errors.ForbiddenError, match=r"ims:images:list.*fingerprint=False"):
        tries.submit()
    assert tries.sent == 0


def test_a_look_that_fails_while_waiting_is_followed_by_another(tries: Tries) -> None:
    tries.world.cloud.change(list_lag=30.0, image_appears="submit", copy_seconds=1000.0)
    tries.world.cloud.faults.add(Fault("copy", "reset_after"))
    walk = Walk(tries.world, tries.submission().submit({})).until_post()
    tries.world.cloud.faults.add(*[Fault("list", "status")] * 4)
    assert walk.to_the_end() == f"image:{tries.images[0].id}"


def test_a_copy_of_other_name_or_two_stop_the_task(tries: Tries) -> None:
    tries.submit()
    tries.world.wait(5)
    for order in (replace(ORDER, name="renamed"), replace(ORDER, cmk_id=KEY)):
        if order.cmk_id:
            tries.world.wait(100)  # a running copy may not show its key yet
        with pytest.raises(errors.CopyConflictError, match=tries.images[0].id):
            tries.world.perform(Submission(tries.world.client, order, tries.notes).submit({}))
    assert tries.sent == 1
