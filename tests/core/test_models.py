"""Nouns: they read every document that the cloud is known to write, and keep their secrets to themselves."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from airflow_provider_ims.credentials import AccessKey, Agency, GivenToken, PasswordCredentials
from airflow_provider_ims.models import Image, Job, JobStatus, Request, Response, Token
from airflow_provider_ims.values import Value

SAMPLES = Path(__file__).parents[1] / "samples"
USER = PasswordCredentials(iam_url="https://iam", domain_name="domain", user_name="user", password="secret")
EACH_WAY = (
    USER,
    AccessKey(iam_url="https://iam", access_key="AK", secret_key="secret", security_token="secret"),
    GivenToken(iam_url="https://iam", token="secret"),
    Agency(iam_url="https://iam", assumed_by=USER, domain_name="other", agency_name="agency"),
)
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


def job(**fields: Any) -> Job:
    return Job.parse({"job_id": "j1", "status": "RUNNING", **fields})


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("INIT", JobStatus.INIT),
        ("running", JobStatus.RUNNING),
        (" Success ", JobStatus.SUCCESS),
        ("fail", JobStatus.FAIL),
        ("FAILED", JobStatus.FAIL),
        ("PAUSED", JobStatus.UNKNOWN),
        ("SUCCESSFUL", JobStatus.UNKNOWN),
        ("", JobStatus.UNKNOWN),
        (None, JobStatus.UNKNOWN),
        (1, JobStatus.UNKNOWN),
    ],
)
def test_a_status_is_read_in_any_case_and_never_guessed(word: object, status: JobStatus) -> None:
    assert JobStatus.parse(word) is status


def test_only_success_and_fail_are_the_end() -> None:
    assert [each for each in JobStatus if each.is_terminal] == [JobStatus.SUCCESS, JobStatus.FAIL]


def test_the_documented_job_is_read() -> None:
    read = Job.parse(sample("job-success.json"))
    assert (read.job_id, read.status) == ("9a175ac892fa13420193001c2e62205a", JobStatus.SUCCESS)
    assert (read.image_id, read.image_name) == ("30e55148-deb9-4923-adb9-91618de16ba0", "test")
    assert (read.error_code, read.fail_reason, read.progress) == (None, None, None)
    assert read.begin_time == datetime(2024, 11, 6, 6, 14, 27, 168000, tzinfo=UTC)


def test_the_documented_progress_is_read() -> None:
    assert Job.parse(sample("job-progress-success.json")).progress == 1.0


@pytest.mark.parametrize("entities", [None, {}, [], "text", {"image_id": ""}, {"image_id": None}])
def test_entities_that_hold_nothing_yet(entities: object) -> None:
    assert job(entities=entities).image_id is None
    assert job().image_id is None


@pytest.mark.parametrize("percent", [None, "", "much", -0.1, 2, "nan", "1e400", 10**400, [], True])
def test_progress_that_is_none(percent: object) -> None:
    assert job(entities={"process_percent": percent}).progress is None


@pytest.mark.parametrize(
    "time", ["", None, "04-Jun-2015 18:11:06:586", 0, "soon", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
def test_times_in_no_known_form_never_fail(time: object) -> None:
    assert job(begin_time=time, end_time=time).end_time is None


@pytest.mark.usefixtures("in_tokyo")
@pytest.mark.parametrize(
    "time", ["2026-01-31T12:00:00", "2026-01-31T12:00:00Z", "2026-01-31T21:00:00+09:00", "2026-01-31 06:00-06:00"]
)
def test_each_instant_is_read_as_utc(time: str) -> None:
    read = job(begin_time=time).begin_time
    assert (read, read and read.tzinfo) == (NOON, UTC)


def test_a_failure_is_read_from_the_top_and_else_from_the_entities() -> None:
    inner = {"error_code": "IMG.0014", "error": "inner"}
    failed = job(status="FAIL", error_code="IMG.0099", fail_reason="outer", entities=inner)
    assert (failed.error_code, failed.fail_reason) == ("IMG.0099", "outer")
    failed = job(status="FAIL", error_code=None, fail_reason="", entities=inner)
    assert (failed.error_code, failed.fail_reason) == ("IMG.0014", "inner")


def test_a_status_as_long_as_a_page_is_not_repeated_whole() -> None:
    assert job(status="x" * 10_000).reported_status == "x" * 40


@pytest.mark.parametrize("document", [{}, {"job_id": "j1"}, {"status": "INIT"}])
def test_a_document_that_is_no_job(document: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        Job.parse(document)


def test_the_documented_image_is_read() -> None:
    document = sample("images.json")["images"][0]
    image = Image.parse(document)
    assert (image.id, image.name, image.status) == (
        "bc6bed6e-ba3a-4447-afcc-449174a3eb52",
        "CentOS 7.3 64bit vivado",
        "active",
    )
    assert image.created_at == datetime(2018, 9, 6, 14, 3, 27, tzinfo=UTC)
    assert image.properties == document


def test_each_part_of_an_image_is_read() -> None:
    document = {
        "id": 7,
        "name": " golden",
        "status": "Queued",
        "owner": "p1",
        "created_at": "2026-01-31T12:00:00Z",
        "__description": "nightly",
        "__system__cmkid": "k1",
        "__data_origin": "image,eu-de,i0",
        "__image_size": "42",
    }
    read = Image("7", " golden", "queued", "nightly", "k1", "p1", "image,eu-de,i0", 42, NOON, document)
    assert Image.parse(document) == read


@pytest.mark.parametrize(("origin", "source"), [("image,eu-de,i0", "i0"), ("image,i0", "i0"), ("file,eu-de,i0", None)])
def test_what_an_image_is_a_copy_of(origin: str, source: str | None) -> None:
    assert Image.parse({"id": "i1", "status": "active", "__data_origin": origin}).source_id == source


@pytest.mark.parametrize(
    ("size", "read"), [("9" * 19, int("9" * 19)), ("9" * 20, None), ("²", None), ("-1", None), (7, 7)]
)
def test_a_size_is_a_whole_number_of_not_too_many_digits(size: object, read: int | None) -> None:
    assert Image.parse({"id": "i1", "status": "active", "__image_size": size}).size == read


def test_an_image_is_read_whatever_is_missing() -> None:
    image = Image.parse({"id": "i1", "status": "ACTIVE", "__image_size": "1.5", "__system__cmkid": "", "name": None})
    assert image.is_active
    assert (image.name, image.size, image.cmk_id, image.created_at) == ("", None, None, None)
    assert Image.parse({"id": "i1", "status": "active", "__image_size": "2147483648"}).size == 2**31


@pytest.mark.parametrize(
    ("status", "active", "dead"),
    [("queued", False, False), ("saving", False, False), ("killed", False, True), ("deleted", False, True)],
)
def test_only_active_is_usable_and_only_killed_and_deleted_are_hopeless(status: str, active: bool, dead: bool) -> None:
    image = Image.parse({"id": "i1", "status": status})
    assert (image.is_active, image.is_dead) == (active, dead)


@pytest.mark.parametrize(
    ("life", "margin"), [(timedelta(hours=24), timedelta(minutes=5)), (timedelta(minutes=2), timedelta(minutes=1))]
)
def test_a_token_is_used_until_shortly_before_its_end(life: timedelta, margin: timedelta) -> None:
    token = Token("secret", NOON, NOON + life, "p1")
    assert token.is_fresh(NOON + life - margin - timedelta(seconds=1))
    assert not token.is_fresh(NOON + life - margin)


def test_secrets_do_not_print() -> None:
    nouns = (
        Token("secret", NOON, NOON, "p1"),
        *EACH_WAY,
        Request("POST", "https://iam", {"X-Auth-Token": "secret"}, b"secret"),
        Response(201, {"X-Subject-Token": "secret"}, b"secret"),
    )
    assert not [noun for noun in nouns if "secret" in f"{noun!r} {noun} {noun.__rich_repr__()}"]
    assert repr(nouns[-1]) == "Response(status=201)"
    assert not [who for who in EACH_WAY if "secret" in who.identity + who.user + str(who.login)]


def test_what_a_class_leaves_out_its_subclasses_leave_out_too() -> None:
    class TwoFactors(PasswordCredentials, frozen=True, kw_only=True):
        unprinted: ClassVar[frozenset[str]] = frozenset({"passcode"})

        passcode: str

    who = TwoFactors(iam_url="https://iam", domain_name="d", user_name="u", password="secret", passcode="secret")
    assert "secret" not in repr(who)


def test_each_field_that_is_left_out_is_one() -> None:
    kinds = [Value]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert Token in kinds
    assert [kind for kind in kinds if not kind.unprinted <= set(kind.__struct_fields__)] == []


def test_header_names_are_compared_without_case() -> None:
    response = Response(201, {"x-subject-TOKEN": "t"})
    assert (response.header("X-Subject-Token"), response.header("X-Other")) == ("t", None)


@pytest.mark.parametrize(
    "repeated",
    [
        *('p"a/ä<  b', r"p\"a/ä<  b", r"p\"a/\u00e4<  b", r"p\"a\/\u00e4<  b", r"p\"a\/ä<  b"),
        *("p&quot;a/ä&lt;  b", "p%22a%2F%C3%A4%3C%20%20b", "p%22a/%C3%A4%3C%20%20b"),
    ],
)
def test_a_secret_is_taken_out_however_it_is_written(repeated: str) -> None:
    response = Response(400, {"Location": f"/x?{repeated}"}, f"you sent {repeated}!".encode())
    clean = response.without('p"a/ä<  b')
    assert (clean.header("Location"), clean.body) == ("/x?***", b"you sent ***!")
