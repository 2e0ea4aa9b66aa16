"""How one waits: a look that failed is no news, only the cloud's word or the deadline ends a wait."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_ims import errors
from airflow_provider_ims.idempotency import Order
from airflow_provider_ims.models import Image
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from airflow_provider_ims.waiting import LONGEST_PAUSE, Watch
from tests.world import COPY, World, both_drivers

NEVER = 1e9


def watch(world: World, poll_interval: float = 10.0, timeout: float = 3600.0) -> Watch:
    """A wait for a new copy."""
    return Watch(world.client, world.ask(COPY), poll_interval, world.now + timedelta(seconds=timeout))


def wait(world: World, **arguments: Any) -> Image:
    return world.perform(watch(world, **arguments).wait())


def looks(world: World) -> int:
    return world.counted("GET job")


def messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level and "waiting" in record.name]


@both_drivers
def test_a_wait_ends_with_the_image_as_soon_as_it_is_active(world: World) -> None:
    world.cloud.change(copy_seconds=25.0, image_id_while_running=True)  # which is not to be taken for the end
    image = wait(world)
    assert (image.name, image.is_active) == ("copy", True)
    assert (looks(world), len(world.pauses), world.counted("GET image")) == (4, 3, 1)
    assert {request.method for request in world.requests[2:]} == {"GET"}


def test_looks_keep_a_tenth_apart_from_the_beat(world: World) -> None:
    world.cloud.change(copy_seconds=500.0)
    wait(world)
    assert 9 <= min(world.pauses) < 9.8
    assert 10.2 < max(world.pauses) <= 11


@pytest.mark.parametrize("words", ["upper", "lower"])
@pytest.mark.parametrize("fail_word", ["FAIL", "FAILED"])
def test_words_count_in_any_case(world: World, words: str, fail_word: str) -> None:
    world.cloud.change(status_words=words, fail_word=fail_word)
    assert wait(world).is_active
    world.cloud.change(fail_code="IMG.0099")
    with pytest.raises(errors.JobFailedError):
        wait(world)


def test_an_unknown_status_is_waited_on_and_reported_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.cloud.change(status_instead="PAUSED")
    with caplog.at_level(logging.INFO), pytest.raises(errors.JobTimeoutError, match="last seen: PAUSED"):
        wait(world, timeout=100.0)
    assert looks(world) > 9
    assert sum("'PAUSED' is not known" in said for said in messages(caplog, logging.WARNING)) == 1


def test_progress_is_logged_when_it_changes(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.cloud.change(process_percent=True, copy_seconds=10.0, init_part=0.5)
    with caplog.at_level(logging.INFO):
        image = wait(world, poll_interval=1.0)
    said = [message.partition(": ")[2] for message in messages(caplog, logging.INFO)]
    assert said[0] == "INIT, 0%"
    assert said[-1] == f"SUCCESS, 100%, image {image.id} is active, took 0:00:10"
    assert len(said) == len(set(said)) < looks(world)


UNCLEAR: list[Fault] = [
    *(Fault("job", "status", times=4, status=status) for status in (408, 429, 500, 502, 503, 504)),
    *(Fault("job", kind, times=4) for kind in ("reset_before", "reset_after", "hang", "truncated", "bad_json")),
    Fault("job", "empty", times=4, when="after"),
    Fault("job", "html", times=4, status=200, when="after"),
    Fault("image", "status", times=4, status=503),
    Fault("image", "bad_json", times=4),
]


@pytest.mark.parametrize("fault", UNCLEAR, ids=lambda fault: f"{fault.route} {fault.kind} {fault.status}")
def test_a_look_that_fails_is_no_news(world: World, fault: Fault) -> None:
    world.cloud.change(copy_seconds=0.0)
    world.cloud.faults.add(fault)
    assert wait(world).is_active
    assert looks(world) == 5


@both_drivers
def test_a_cloud_that_cannot_be_reached_is_no_news(world: World, caplog: pytest.LogCaptureFixture) -> None:
    waiting = watch(world, timeout=1000.0)
    world.reachable = False
    with pytest.raises(errors.JobTimeoutError, match="The last look failed: No connection"):
        world.perform(waiting.wait())
    assert len(messages(caplog, logging.WARNING)) == len(world.pauses) + 1


def test_looks_that_fail_are_spaced_and_a_good_one_brings_the_beat_back(world: World) -> None:
    world.cloud.change(copy_seconds=2_000.0)
    world.cloud.faults.add(Fault("job", "status", times=8))
    wait(world, timeout=20_000.0)
    for pause, spaced in zip(world.pauses, [10, 20, 40, 80, 160, 300, 300, 300, 10], strict=False):
        assert 0.9 * spaced <= pause <= min(1.1 * spaced, LONGEST_PAUSE)


def test_frequent_looks_that_fail_are_spaced_up_to_a_thousand_times_their_interval(world: World) -> None:
    waiting = watch(world, poll_interval=0.1)
    world.reachable = False
    for _ in range(20):
        world.perform(waiting.look())
    assert waiting.pause == pytest.approx(102.4, rel=0.1)


def test_after_a_good_look_failures_are_counted_anew(world: World) -> None:
    waiting = watch(world)
    for times in (3, 1):
        world.cloud.faults.add(Fault("job", "status", times=times))
        for _ in range(times):
            world.perform(waiting.look())
        assert waiting.failures == times
        assert waiting.pause == pytest.approx(10.0 * 2 ** (times - 1), rel=0.1)
        world.perform(waiting.look())
        assert waiting.failures == 0


@pytest.mark.parametrize(
    ("retry_after", "timeout", "waited"), [(500, 3600.0, 500), (10**6, 100.0, 100), (int("9" * 400), 100.0, 100)]
)
def test_a_look_waits_as_long_as_the_cloud_asks_but_not_beyond_the_deadline(
    world: World, retry_after: int, timeout: float, waited: float
) -> None:
    world.cloud.faults.add(Fault("job", "status", status=503, retry_after=retry_after))
    assert wait(world, timeout=timeout).is_active
    (pause,) = world.pauses
    assert waited <= pause <= min(waited + 10, timeout)


def test_what_many_are_told_at_once_they_do_not_come_back_from_together(world: World) -> None:
    first = watch(world, poll_interval=2.0)
    waiting = [replace(first) for _ in range(60)]
    world.cloud.faults.add(Fault("job", "status", status=429, retry_after=100, times=None))
    for each in waiting:
        world.perform(each.look())
    pauses = sorted(each.pause for each in waiting)
    assert 100 <= pauses[0] < 100.6
    assert 101.4 < pauses[-1] <= 102


@pytest.mark.parametrize("unknown", ["400", "404"])
@pytest.mark.parametrize(("lag", "found"), [(25.0, True), (100.0, False)])
def test_a_job_that_is_not_found_is_tolerated_three_times(world: World, unknown: str, lag: float, found: bool) -> None:
    world.cloud.change(unknown_job=unknown, job_lag=lag, copy_seconds=0.0)
    end = nullcontext() if found else pytest.raises(errors.RefusedError, match=rf"HTTP {unknown}")
    with end:  # looks come after 0, about 10, 30 and 70 seconds
        wait(world)
    assert looks(world) == (3 if found else 4)


def test_only_looks_in_a_row_count(world: World) -> None:
    world.cloud.change(copy_seconds=200.0)
    waiting = watch(world)
    for _ in range(3):
        world.cloud.faults.add(Fault("job", "status", times=3, status=404))
        for _ in range(4):
            assert world.perform(waiting.look()) is None
    assert looks(world) == 12


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_look_that_is_refused_is_an_error_at_once(world: World, status: int) -> None:
    code = "IMG.0001" if status == 400 else None
    world.cloud.faults.add(Fault("job", "status", times=None, status=status, code=code))
    with pytest.raises(errors.RefusedError, match=f"HTTP {status}"):
        wait(world)
    assert world.pauses == []


@both_drivers
def test_a_log_in_that_is_refused_ends_the_wait(world: World) -> None:
    waiting = watch(world)
    world.cloud.revoke_tokens()
    world.cloud.change(password="another one")
    with pytest.raises(errors.LoginRefusedError):
        world.perform(waiting.wait())
    assert world.counted("POST log_in") == 2


@pytest.mark.parametrize(("timeout", "pauses"), [(25.0, [25.0]), (0.5, [0.5]), (-5.0, [])])
def test_the_deadline_gives_a_last_look_and_then_the_job_id(world: World, timeout: float, pauses: list[float]) -> None:
    world.cloud.change(copy_seconds=max(timeout, 0.0))
    assert wait(world, poll_interval=60.0, timeout=timeout).is_active  # over at the very deadline
    world.cloud.change(copy_seconds=NEVER)
    waiting = watch(world, poll_interval=60.0, timeout=timeout)
    with pytest.raises(errors.JobTimeoutError, match=rf"INIT.*JobSensor\(job_id='{waiting.job_id}'\)"):
        world.perform(waiting.wait())
    assert (looks(world), world.pauses) == (2 + 2 * len(pauses), pauses * 2)


def test_a_wait_in_vain_says_how_the_last_look_failed_if_it_did(world: World) -> None:
    waiting = watch(world)
    assert str(waiting.timed_out()).endswith(f"or follow it with JobSensor(job_id='{waiting.job_id}').")
    world.cloud.faults.add(Fault("job", "status", status=503))
    world.perform(waiting.look())
    assert "'). The last look failed: Could not look at job" in str(waiting.timed_out())
    world.perform(waiting.look())
    assert str(waiting.timed_out()).endswith("').")


@pytest.mark.parametrize("order", [None, Order("my key", "another-source", "copy", marked=False)])
def test_what_is_known_of_what_was_made(world: World, order: Order | None) -> None:
    world.cloud.change(copy_seconds=25.0)
    waiting = watch(world)
    assert waiting.made(Image("i1", "copy", "active"))["duration"] is None
    waiting.order = order
    made = world.perform(waiting.wait())
    assert waiting.made(replace(made, cmk_id="k1")) == {
        "image_id": made.id,
        "image_name": "copy",
        "source_image_id": order.image_id if order else PLAIN_IMAGE,
        "job_id": waiting.job_id,
        "cmk_id": "k1",
        "size": made.size,
        "duration": 25.0,
    }
    assert made.size


@pytest.mark.parametrize(
    ("setting", "first", "then"),
    [
        ("image_after_success", "saving", "active"),
        ("active_lag", NEVER, 0.0),
        ("success_entities", "no_image_id", "full"),
        ("success_entities", "empty", "full"),
        ("success_entities", "null", "full"),
    ],
)
def test_success_is_waited_on_until_it_names_an_active_image(world: World, setting: str, first: Any, then: Any) -> None:
    world.cloud.change(**{"copy_seconds": 0.0, setting: first})
    waiting = watch(world)
    assert [world.perform(waiting.look()) for _ in range(6)] == [None] * 6
    world.cloud.change(**{setting: then})
    assert world.perform(waiting.look()) is not None


def test_success_with_a_killed_image_is_an_error(world: World) -> None:
    world.cloud.change(image_after_success="killed")
    with pytest.raises(errors.ImageUnusableError, match=r"ended with SUCCESS, but its image .* is 'killed'"):
        wait(world)


def test_success_with_an_image_that_is_gone_is_an_error_after_three_looks(world: World) -> None:
    world.cloud.change(copy_seconds=0.0)
    waiting = watch(world)
    world.cloud.state.images[world.cloud.jobs[0].image_id].deleted_at = world.now
    with pytest.raises(errors.NotFoundError, match="Could not look at image"):
        world.perform(waiting.wait())
    assert looks(world) == 4


@pytest.mark.parametrize("details", ["top", "entities", "both"])
@pytest.mark.parametrize(
    ("code", "kind"), [("IMG.0014", errors.JobInterruptedError), ("IMG.0099", errors.JobFailedError)]
)
def test_a_fail_shows_code_and_reason(world: World, details: str, code: str, kind: type[errors.ImsError]) -> None:
    world.cloud.change(fail_code=code, fail_reason="It broke.", fail_details=details)
    with pytest.raises(kind, match=rf"ended with FAIL: It broke\..*\[{code}\]"):
        wait(world)
