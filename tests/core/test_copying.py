"""How a copy is begun: one image whatever breaks, and nothing is sent without a look and a note."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from airflow_provider_ims import errors
from airflow_provider_ims.copying import FRESH, LONGEST_SLOT_PAUSE, Submission, pause_for_slot
from airflow_provider_ims.idempotency import Order, copy_key
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.nouns import StoredImage
from airflow_provider_ims.simulator.seeds import (
    ENCRYPTED_IMAGE,
    FULL_ECS_IMAGE,
    INACTIVE_IMAGE,
    ISO_IMAGE,
    KEY,
    LARGE_IMAGE,
    OTHER_KEY,
    PLAIN_IMAGE,
)
from tests.world import LOOK, Walk, World

ORDER = Order(copy_key("dag", "run", "copy", -1, clearing="0", started="2026"), PLAIN_IMAGE, "golden", "nightly")
GRACE, TIMEOUT = 60.0, 30.0


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
        world.ask(LOOK)  # the log-in is another story
        world.requests.clear()

    def submission(self, **more: Any) -> Submission:
        self.count += 1
        may_follow = self.count > 1 and self.order.marked
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


@pytest.fixture
def tries(world: World) -> Tries:
    return Tries(world)


@pytest.fixture(params=[True, False], ids=["store", "no store"])
def either(request: pytest.FixtureRequest, world: World) -> Tries:
    """Once with a state store, once without, as on Airflow 3.2."""
    return Tries(world, has_store=request.param)


def test_a_copy_costs_a_look_a_look_at_the_source_and_the_copy(tries: Tries) -> None:
    job_id = tries.submit()
    (job,) = tries.world.cloud.jobs
    assert job_id == job.id
    assert [request.method for request in tries.world.requests] == ["GET", "GET", "POST"]
    assert [request.url.partition("?")[0].rpartition("/")[2] for request in tries.world.requests] == [
        "cloudimages",
        PLAIN_IMAGE,
        "copy",
    ]
    assert (tries.notes.written, tries.world.pauses) == ([(True, None), (True, job_id)], [])
    assert tries.images[0].description == f"{ORDER.fingerprint} nightly"


def test_a_retry_takes_up_the_noted_job(tries: Tries) -> None:
    assert tries.submit() == tries.submit()
    tries.world.wait(100)
    assert tries.submit() == tries.world.cloud.jobs[0].id  # which is over, and its image there
    assert (len(tries.world.cloud.jobs), tries.world.pauses) == (1, [])


def test_a_retry_without_a_store_takes_up_the_image(world: World) -> None:
    tries = Tries(world, has_store=False)
    tries.submit()
    world.wait(5)
    (image,) = tries.images
    assert tries.submit() == f"image:{image.id}"
    assert len(world.cloud.jobs) == 1


LOST = [
    Fault("copy", "reset_after"),
    Fault("copy", "truncated"),
    Fault("copy", "bad_json"),
    Fault("copy", "hang", when="after"),
    Fault("copy", "empty", when="after"),
    Fault("copy", "html", status=200, when="after"),
    Fault("copy", "html", status=502, when="after"),
    *(Fault("copy", "status", status=status, when="after") for status in (408, 500, 502, 503, 504)),
    *(Fault("copy", "status", status=400, code=f"IMG.00{code}", when="after") for code in (14, 18, 61)),
]


def _name(fault: Fault) -> str:
    return f"{fault.kind} {fault.status} {fault.code or ''}"


@pytest.mark.parametrize("lag", [0.0, GRACE])
@pytest.mark.parametrize("fault", LOST, ids=_name)
def test_a_copy_whose_answer_is_lost_is_found_and_adopted(either: Tries, fault: Fault, lag: float) -> None:
    either.world.cloud.change(list_lag=lag, copy_seconds=1000.0, init_part=0.0)
    either.world.cloud.faults.add(fault)
    found = either.submit()
    (image,) = either.images
    assert found == f"image:{image.id}"
    assert either.sent == 1
    assert either.submit(may_follow=False) == found


NOT_CARRIED_OUT = [
    Fault("copy", "reset_before"),
    Fault("copy", "hang"),
    *(Fault("copy", "status", status=status) for status in (408, 500, 502, 503, 504)),
    Fault("copy", "status", status=400, code="IMG.0018"),
]


@pytest.mark.parametrize("fault", NOT_CARRIED_OUT, ids=_name)
def test_where_none_appears_the_try_fails_and_the_next_one_sends(tries: Tries, fault: Fault) -> None:
    tries.world.cloud.faults.add(fault)
    with pytest.raises(errors.LostSubmitError, match="No copy has appeared") as lost:
        tries.submit()
    assert "not sent again" not in str(lost.value)
    assert GRACE + TIMEOUT <= sum(tries.world.pauses) < GRACE + TIMEOUT + 12
    waited = len(tries.world.pauses)
    tries.submit()
    assert (tries.sent, len(tries.images), len(tries.world.pauses)) == (2, 1, waited)  # it has been waited for already


def test_one_that_appears_only_after_the_grace_is_adopted_by_the_next_try(tries: Tries) -> None:
    tries.world.cloud.change(image_appears="submit", list_lag=GRACE + TIMEOUT + 30, copy_seconds=1000.0)
    tries.world.cloud.faults.add(Fault("copy", "reset_after"))
    with pytest.raises(errors.LostSubmitError):
        tries.submit()
    tries.world.wait(60)
    assert tries.submit() == f"image:{tries.images[0].id}"


@pytest.mark.parametrize("how", ["ConnectError", 401, 429, "APIGW.0308", "IMG.0060", "IMG.0187", "IMG.0015", 403, 302])
def test_what_was_clearly_not_begun_is_not_waited_for(tries: Tries, how: str | int) -> None:
    kinds: dict[str | int, type[Exception]] = {401: errors.RefusedError, 403: errors.ForbiddenError}
    kinds |= {"IMG.0015": errors.RefusedError, 302: errors.RefusedError, "ConnectError": errors.ConnectError}
    walk = Walk(tries.world, tries.submission().submit({})).until_post()
    if how == "ConnectError":
        tries.world.reachable = False
    else:
        status, code = (how, None) if isinstance(how, int) else (400, how)
        tries.world.cloud.faults.add(*[Fault("copy", "status", status=status, code=code)] * 2)
    with pytest.raises(kinds.get(how, errors.ThrottledError)):
        walk.to_the_end()
    assert (tries.notes.written[-1], tries.world.pauses) == ((False, None), [])
    tries.world.reachable = True
    tries.world.cloud.faults.clear()
    tries.submit()
    assert (len(tries.images), tries.world.pauses) == (1, [])


@pytest.mark.parametrize("status", [429, 503])
def test_a_copy_is_sent_once_whatever_patience_there_is(tries: Tries, status: int) -> None:
    tries.world.cloud.faults.add(Fault("copy", "status", times=None, status=status))
    with pytest.raises(errors.ImsTransientError):
        tries.submit(patience=600.0)
    assert tries.sent == 1


@pytest.mark.parametrize("where", range(6))
def test_a_process_that_dies_anywhere_leaves_one_image(either: Tries, where: int) -> None:
    """Killed before each step of the first try: look, source, note, copy, note, end. The list lags all it may."""
    either.world.cloud.change(list_lag=GRACE, copy_seconds=1000.0, init_part=0.0)
    dying = Walk(either.world, either.submission().submit({}))
    for _ in range(where):
        dying.go()
    either.submit()
    assert len(either.images) == 1
    either.submit()
    assert len(either.images) == 1


def test_without_a_note_a_later_try_looks_until_the_grace_is_over(world: World) -> None:
    tries = Tries(world, has_store=False)
    tries.count = 1
    tries.submit()
    assert GRACE + TIMEOUT <= sum(world.pauses) < GRACE + TIMEOUT + 12


def test_where_another_order_was_noted_this_one_would_have_been(tries: Tries) -> None:
    tries.submit()
    cleared = Tries(tries.world, replace(ORDER, key=copy_key("dag", "run", "copy", -1, clearing="1", started="2026")))
    cleared.notes, cleared.count = tries.notes, 1
    cleared.submit()
    assert (len(tries.images), tries.world.pauses) == (2, [])


def test_a_note_that_is_not_taken_before_the_copy_stops_it(tries: Tries) -> None:
    tries.notes.refuses = 1
    with pytest.raises(errors.StateStoreError):
        tries.submit()
    assert tries.sent == 0


def test_a_note_that_is_not_taken_after_the_copy_is_a_warning(tries: Tries, caplog: pytest.LogCaptureFixture) -> None:
    walk = Walk(tries.world, tries.submission().submit({})).until_post()
    tries.notes.refuses = 1
    with caplog.at_level(logging.WARNING):
        assert walk.to_the_end() == tries.world.cloud.jobs[0].id
    assert "Airflow does not answer." in caplog.text


@pytest.mark.parametrize("paused", [FRESH - 1, FRESH + 1, 3600.0])
def test_a_process_that_was_paused_looks_again_before_it_sends(tries: Tries, paused: float) -> None:
    walk = Walk(tries.world, tries.submission().submit({}))
    for _ in range(2):
        walk.go()  # look, source
    tries.world.wait(paused)
    walk.to_the_end()
    looks = tries.world.counted("GET list")
    assert (looks, tries.sent) == (1 if paused < FRESH else 2, 1)


def test_a_process_that_outlived_its_try_sends_nothing(tries: Tries) -> None:
    paused = Walk(tries.world, tries.submission().submit({}))
    for _ in range(2):
        paused.go()  # look, source
    tries.world.wait(3600.0)
    tries.notes.refuses = 1
    with pytest.raises(errors.StateStoreError):
        paused.to_the_end()
    assert tries.sent == 0


def test_a_note_that_takes_long_has_the_images_looked_at_again(tries: Tries) -> None:
    tries.notes.takes = FRESH + 1
    with pytest.raises(errors.UnavailableError, match="too much time"):
        tries.submit()
    assert (tries.sent, tries.world.counted("GET list")) == (0, 6)


BROKEN_LOOKS = [
    *(Fault("list", kind, times=None) for kind in ("reset_before", "reset_after", "hang", "truncated", "bad_json")),
    Fault("list", "empty", times=None, when="after"),
    Fault("list", "html", times=None, status=200, when="after"),
    *(Fault("list", "status", times=None, status=status) for status in (400, 404, 408, 429, 500, 502, 503, 504)),
]


@pytest.mark.parametrize("fault", BROKEN_LOOKS, ids=_name)
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


def test_a_look_that_failed_in_part_is_not_none(tries: Tries) -> None:
    for number in range(600):
        tries.world.cloud.add_image(f"one of many, {number}")
    walk = Walk(tries.world, tries.submission().submit({}))
    walk.go()
    tries.world.cloud.faults.add(Fault("list", "status"))
    with pytest.raises(errors.UnavailableError):
        walk.to_the_end()
    assert tries.sent == 0


def test_all_pages_are_looked_at(tries: Tries) -> None:
    tries.submit()
    tries.world.wait(100)
    for number in range(600):
        tries.world.cloud.add_image(f"one of many, {number}")
    tries.notes.kept = {}
    assert tries.submit(may_follow=False) == f"image:{tries.images[0].id}"


def test_images_of_others_that_a_list_shows_do_not_end_the_look(tries: Tries) -> None:
    tries.submit()
    tries.world.wait(100)
    for number in range(600):
        tries.world.cloud.add_image(f"one of many, {number}")
    tries.notes.kept = {}
    walk = Walk(tries.world, tries.submission(may_follow=False).submit({}))
    tries.world.foreign_owner = "somebody else"
    assert walk.to_the_end() == f"image:{tries.images[0].id}"


def test_the_first_of_several_pages_is_looked_at_last(tries: Tries) -> None:
    tries.world.cloud.change(quota=10_000)
    for number in range(600):
        tries.world.cloud.add_image(f"one of many, {number}")
    walk = Walk(tries.world, tries.submission().submit({}))
    walk.go()  # the first page
    other = Tries(tries.world)
    other.submit()
    tries.world.wait(10)
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


def test_a_look_at_the_noted_job_that_fails_sends_nothing(tries: Tries) -> None:
    tries.submit()
    tries.world.cloud.faults.add(Fault("job", "status"))
    with pytest.raises(errors.UnavailableError):
        tries.submit()
    assert tries.sent == 1


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
        pauses = [pause_for_slot(6.0, waited, 10_000.0) or 0.0 for _ in range(500)]
        assert 6 <= min(pauses) < 6 + longest / 10
        assert longest * 0.9 < max(pauses) <= 6 + longest
    assert pause_for_slot(90.0, 0.0, 100.0) in (pytest.approx(95, abs=5), 100.0)
    assert pause_for_slot(90.0, 0.0, 90.0) is None
