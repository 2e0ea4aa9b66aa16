"""How a copy is begun: one image whatever breaks, and nothing is sent without a look and a note."""

from __future__ import annotations

import json
import logging

import pytest
from msgspec.structs import replace

from airflow_provider_ims import errors
from airflow_provider_ims.copying import FRESH
from airflow_provider_ims.idempotency import copy_key
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.seeds import KEY, PLAIN_IMAGE
from tests.tries import GRACE, ORDER, TIMEOUT, Tries, name
from tests.world import Walk, World


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


@pytest.mark.parametrize("fault", LOST, ids=name)
def test_a_copy_whose_answer_is_lost_is_found_and_adopted(tries: Tries, fault: Fault) -> None:
    tries.world.cloud.change(init_part=0.0)
    tries.world.cloud.faults.add(fault)
    assert tries.submit() == f"image:{tries.images[0].id}"
    assert (tries.sent, len(tries.images), tries.world.pauses) == (1, 1, [])


def test_it_is_found_where_the_list_lags_all_it_may_and_again_by_the_next_try(either: Tries) -> None:
    either.world.cloud.change(list_lag=GRACE, copy_seconds=1000.0, init_part=0.0)
    either.world.cloud.faults.add(LOST[0])
    found = either.submit()
    (image,) = either.images
    assert found == f"image:{image.id}"
    assert (either.sent, either.notes.written[-1]) == (1, (True, found))
    assert either.submit(may_follow=False) == found


NOT_CARRIED_OUT = [  # of each kind one, for whoever asked cannot tell them from those above
    Fault("copy", "reset_before"),
    Fault("copy", "status", status=503),
    Fault("copy", "status", status=400, code="IMG.0018"),
]


@pytest.mark.parametrize("fault", NOT_CARRIED_OUT, ids=name)
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


def test_looks_for_what_may_appear_are_spread_around_their_interval(world: World) -> None:
    tries = Tries(world, has_store=False, grace=3_000.0)
    tries.count = 1
    tries.submit()
    assert len(world.pauses) > 500
    assert 4.0 <= min(world.pauses) < 4.1
    assert 5.9 < max(world.pauses) <= 6.0


def test_where_another_order_was_noted_this_one_would_have_been(tries: Tries) -> None:
    tries.submit()
    cleared = Tries(tries.world, replace(ORDER, key=copy_key("dag", "run", "copy", -1, clearing="1", started="2026")))
    cleared.notes, cleared.count = tries.notes, 1
    cleared.submit()
    assert (len(tries.images), tries.world.pauses) == (2, [])


def test_the_copy_of_an_earlier_clearing_is_told_with_the_key_that_was_noted(
    tries: Tries, caplog: pytest.LogCaptureFixture
) -> None:
    tries.submit()
    tries.world.wait(100)
    later = Tries(tries.world, replace(ORDER, key=copy_key("dag", "run", "copy", -1, clearing="1", started="2027")))
    later.notes = tries.notes
    with caplog.at_level(logging.WARNING):
        later.submit()
    assert f"copy key '{ORDER.key}'" in caplog.text


def test_what_was_noted_of_a_job_that_failed_still_counts_for_the_try_after_the_next(tries: Tries) -> None:
    tries.world.cloud.change(copy_seconds=10.0, fail_code="IMG.0014", image_after_fail="saving")
    tries.submit()
    tries.world.wait(20)
    tries.world.cloud.change(fail_code="")
    tries.world.cloud.faults.add(Fault("copy", "status", status=429))
    with pytest.raises(errors.ThrottledError):
        tries.submit()
    assert (tries.notes.kept["attempt"], tries.notes.kept["job_id"]) == (1, None)
    assert tries.submit() == tries.world.cloud.jobs[1].id
    assert tries.images[1].description.startswith(f"{ORDER.fingerprint}a1 ")


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


def test_all_that_was_ordered_is_asked_for(world: World) -> None:
    (enterprise_project,) = world.cloud.settings.enterprise_projects
    order = replace(ORDER, cmk_id=KEY, enterprise_project_id=enterprise_project)
    Tries(world, order).submit()
    assert json.loads(world.requests[-1].body) == {
        "name": "golden",
        "description": order.marked_description,
        "cmk_id": KEY,
        "enterprise_project_id": enterprise_project,
    }


@pytest.mark.parametrize("paused", [FRESH - 1, FRESH, FRESH + 1, 3600.0])
def test_a_process_that_was_paused_looks_again_before_it_sends(tries: Tries, paused: float) -> None:
    walk = Walk(tries.world, tries.submission().submit({}))
    for _ in range(2):
        walk.go()  # look, source
    tries.world.wait(paused)
    walk.to_the_end()
    looks = tries.world.counted("GET list")
    assert (looks, tries.sent) == (1 if paused <= FRESH else 2, 1)


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
    assert tries.notes.written == [(True, None), (False, None)] * 5
