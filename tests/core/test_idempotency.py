"""Copy keys, fingerprints, and the verdict over what the cloud shows."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_ims.arguments import LONGEST_DESCRIPTION, LONGEST_MARKED_DESCRIPTION
from airflow_provider_ims.errors import CopyConflictError
from airflow_provider_ims.idempotency import Fingerprint, Order, account, copy_key
from airflow_provider_ims.models import Image
from airflow_provider_ims.simulator.seeds import ENCRYPTED_IMAGE, KEY, PLAIN_IMAGE

TASK = ("nightly", "manual__2026-01-31T23:00:00+00:00", "copy", -1)
BEGAN = "2026-01-31T23:00:01+00:00"
FIRST = copy_key(*TASK, clearing="0", started=BEGAN)
ORDER = Order(FIRST, PLAIN_IMAGE, "golden", "nightly copy", KEY)


def image(order: Order = ORDER, **fields: Any) -> Image:
    """The image that this order makes."""
    made = Image("i1", order.name, "active", order.marked_description, order.cmk_id, "p1", f"image,eu-de,{PLAIN_IMAGE}")
    return replace(made, **fields)


def clearing(number: str) -> Order:
    return replace(ORDER, key=copy_key(*TASK, clearing=number, started=BEGAN))


def test_a_key_says_which_task_of_which_run_and_which_clearing() -> None:
    assert FIRST == "nightly/manual__2026-01-31T23:00:00+00:00/copy/-1#0@2026-01-31T23:00:01+00:00"


@pytest.mark.parametrize("changed", range(4))
def test_another_task_run_or_map_index_is_another_copy(changed: int) -> None:
    parts = (part if place != changed else "9" for place, part in enumerate(TASK))
    other = copy_key(*parts, clearing="0", started=BEGAN)
    assert Fingerprint.of(other, PLAIN_IMAGE).stem != Fingerprint.of(FIRST, PLAIN_IMAGE).stem


def test_a_run_that_began_at_another_time_is_another_clearing() -> None:
    other = copy_key(*TASK, clearing="0", started="2026-02-01T00:00:00+00:00")
    assert Fingerprint.of(other, PLAIN_IMAGE).stem == Fingerprint.of(FIRST, PLAIN_IMAGE).stem
    assert Fingerprint.of(other, PLAIN_IMAGE) != Fingerprint.of(FIRST, PLAIN_IMAGE)


def test_another_source_is_another_copy_and_the_case_of_its_id_does_not_count() -> None:
    assert Fingerprint.of(FIRST, ENCRYPTED_IMAGE) != Fingerprint.of(FIRST, PLAIN_IMAGE)
    assert Fingerprint.of(FIRST, PLAIN_IMAGE.upper()) == Fingerprint.of(FIRST, PLAIN_IMAGE)


def test_task_and_clearing_are_two_parts_of_it() -> None:
    first, second = Fingerprint.of(FIRST, PLAIN_IMAGE), clearing("2s1").fingerprint
    assert second is not None
    assert first.stem == second.stem
    assert re.fullmatch("0t[a-z2-7]{6} 2s1t[a-z2-7]{6}", f"{first.clearing} {second.clearing}")


@pytest.mark.parametrize(
    "key", [FIRST, clearing("12s3").key, "a key of my own", "mine#and mine", "release#4", "ä\n#", ""]
)
@pytest.mark.parametrize("attempt", [0, 3])
def test_it_is_short_letters_and_digits_and_read_back_from_a_description(key: str, attempt: int) -> None:
    fingerprint = Fingerprint.of(key, PLAIN_IMAGE, attempt)
    assert re.fullmatch("[a-z0-9]+", str(fingerprint))
    assert len(str(fingerprint)) < LONGEST_DESCRIPTION - LONGEST_MARKED_DESCRIPTION
    assert Fingerprint.read(f"{fingerprint} and words") == Fingerprint.read(str(fingerprint)) == fingerprint


@pytest.mark.parametrize("text", [None, "", "nightly", "ims", "imsandmore than that", f"see {ORDER.fingerprint}"])
def test_other_descriptions_have_none(text: str | None) -> None:
    assert Fingerprint.read(text) is None


def test_it_stands_in_front_of_the_description() -> None:
    assert ORDER.marked_description == f"{ORDER.fingerprint} nightly copy"
    assert replace(ORDER, description=None).marked_description == str(ORDER.fingerprint)
    assert replace(ORDER, marked=False).marked_description == "nightly copy"


def test_the_fingerprint_never_changes_or_images_of_former_releases_would_be_copied_again() -> None:
    assert str(Fingerprint.of("my key", PLAIN_IMAGE)) == "imsg62uwgivqqi22lon4yer"
    assert str(ORDER.fingerprint) == "imsbhnnl5lujgyvc3ylgihfc0tebiy5r"


@pytest.mark.parametrize("status", ["queued", "saving", "active", "something new"])
def test_the_one_live_image_of_the_order_is_adopted(status: str) -> None:
    others = [
        image(clearing("1"), id="i2"),
        image(id="i3", status="killed"),
        image(id="i4", description="nightly copy"),
    ]
    assert ORDER.adoptable([*others, image(status=status)]) == image(status=status)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "killed"},
        {"status": "deleted"},
        {"description": None},
        {"description": "nightly copy"},
        {"origin": f"image,eu-de,{ENCRYPTED_IMAGE}"},  # a copy of a copy of ours, say
    ],
)
def test_what_is_dead_or_not_ours_is_not(fields: dict[str, Any]) -> None:
    assert ORDER.adoptable([image(**fields)]) is None


def test_an_image_whose_origin_the_cloud_does_not_tell_counts() -> None:
    assert ORDER.adoptable([image(origin=None)]) is not None


def test_two_are_named() -> None:
    with pytest.raises(CopyConflictError, match=r"i1 'golden' \(active\), i2 'other' \(saving\).*`copy_key`") as error:
        ORDER.adoptable([image(), image(id="i2", name="other", status="saving")])
    assert FIRST in str(error.value)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"name": "silver"}, "its name is 'silver' and 'golden' is asked for.*time of day"),
        ({"cmk_id": "another"}, f"its cmk_id is 'another' and '{KEY}' is asked for"),
        ({"cmk_id": None}, f"its cmk_id is None and '{KEY}' is asked for"),
        ({"cmk_id": "another", "status": "saving"}, "its cmk_id is 'another'"),
    ],
)
def test_one_that_is_not_as_asked_is_named(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(CopyConflictError, match=complaint):
        ORDER.adoptable([image(**fields)])


def test_one_that_is_encrypted_though_no_key_was_asked_for_is_named() -> None:
    for asked in (None, ""):
        order = replace(ORDER, cmk_id=asked)
        with pytest.raises(CopyConflictError, match=f"its cmk_id is '{KEY}' and None is asked for"):
            order.adoptable([image(cmk_id=KEY)])


def test_a_key_that_is_not_shown_before_the_end_is_no_difference() -> None:
    assert ORDER.adoptable([image(status="queued", cmk_id=None)]) is not None
    assert ORDER.adoptable([image(cmk_id=KEY.upper())]) is not None


def test_leftovers_of_attempts_that_failed_do_not_count() -> None:
    ended = datetime(2026, 1, 31, 23, 10, 0, 500_000, tzinfo=UTC)
    second = replace(ORDER, attempt=1, failed_at=ended.isoformat())
    leftover = image(status="saving", created_at=ended - timedelta(minutes=9))
    assert second.adoptable([leftover]) is None
    assert second.adoptable([leftover, image(second, id="i2")]) == image(second, id="i2")
    assert ORDER.adoptable([image(second, id="i2")]) == image(second, id="i2")  # of a run that knows of no failure
    begun = image(second, status="saving", created_at=ended - timedelta(minutes=9))  # by a cloud whose clock is behind
    assert second.adoptable([begun]) == begun


@pytest.mark.parametrize("status", ["saving", "active"])
def test_what_another_run_of_the_same_key_makes_is_no_leftover(status: str) -> None:
    ended = datetime(2026, 1, 31, 23, 10, 0, 500_000, tzinfo=UTC)
    second = replace(ORDER, attempt=1, failed_at=ended.isoformat())
    others = image(status=status, created_at=ended.replace(microsecond=0))
    assert second.adoptable([others]) == others
    assert second.adoptable([image(created_at=ended - timedelta(minutes=9))]) is not None  # no leftover is active
    assert replace(second, failed_at=None).adoptable([replace(others, status="saving")]) is not None


def test_the_image_that_the_job_made_is_verified() -> None:
    assert ORDER.verify("i1", [image(id="i0", status="killed"), image()]) == image()
    assert ORDER.verify("i1", []) is None
    assert ORDER.verify("i1", [image(status="saving", name="not yet")]) is not None
    assert ORDER.verify("i1", [image(description=None)]) is not None  # edited, or shown later: the job says it is ours
    with pytest.raises(CopyConflictError, match="'silver'"):
        ORDER.verify("i1", [image(name="silver")])
    for listed in ([image(), image(id="i2")], [image(id="i2")]):
        with pytest.raises(CopyConflictError, match="More than one image"):
            ORDER.verify("i1", listed)


def test_the_images_of_earlier_clearings_are_told_with_their_keys(caplog: pytest.LogCaptureFixture) -> None:
    others = [image(status="killed"), image(id="i2"), image(id="i3", description="imsother"), image(clearing("2"))]
    with caplog.at_level(logging.WARNING):
        clearing("2").tell_of_earlier_clearings(others)
    (told,) = (record.getMessage() for record in caplog.records)
    assert f"copy key '{FIRST}'" in told
    assert "image i2 'golden' (active)" in told


def test_the_image_of_a_run_that_began_before_is_told_with_the_key_that_was_noted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cleared = replace(ORDER, key=copy_key(*TASK, clearing="2", started="2026-02-01T00:00:00+00:00"))
    with caplog.at_level(logging.WARNING):
        cleared.tell_of_earlier_clearings([image()], FIRST)
        cleared.tell_of_earlier_clearings([image()])
    told, told_less = (record.getMessage() for record in caplog.records)
    assert told.endswith(f"(active), copy key '{FIRST}'")
    assert told_less.endswith("image i1 'golden' (active)")


def test_the_key_of_an_earlier_clearing_is_told_whatever_became_of_its_first_jobs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    third = replace(ORDER, attempt=2)
    with caplog.at_level(logging.WARNING):
        clearing("1").tell_of_earlier_clearings([image(third)])
    assert caplog.records[0].getMessage().endswith(f"(active), copy key '{FIRST}'")


def test_a_key_is_found_whatever_letters_its_hash_has(caplog: pytest.LogCaptureFixture) -> None:
    first, second = (replace(ORDER, key=copy_key(*TASK, clearing=each, started="2041")) for each in "01")
    assert str(first.fingerprint).count("t") > 1
    with caplog.at_level(logging.WARNING):
        second.tell_of_earlier_clearings([image(first)])
    assert f"copy key '{first.key}'" in caplog.text


def test_an_account_says_what_is_known_and_what_goes_on() -> None:
    goes_on = " It goes on in the cloud: a copy cannot be cancelled, and nothing is deleted."
    known = "Copy key 'my key' (given as `copy_key` it takes up the same copy), job j1"
    assert account("my key", "j1") == f"{known}.{goes_on}"
    assert account("my key", "j1", "i1", is_over=True) == f"{known}, image i1."
    assert account(None, "j1") == f"job j1.{goes_on}"
    assert account(None) == "no job is known."
