"""What the cloud says when it refuses, in every shape it is known to use, and what is made of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims.errors import (
    ForbiddenError,
    ImsError,
    JobFailedError,
    JobInterruptedError,
    NotFoundError,
    RefusedError,
    ThrottledError,
    UnavailableError,
)
from airflow_provider_ims.models import Job, JobStatus, Response
from airflow_provider_ims.refusals import ADVICE, is_throttled, job_failure, refusal_of, retry_after
from tests.world import COPY, World

SAMPLES = Path(__file__).parents[1] / "samples"
NO_REASON = "the cloud gave no reason"
PAGE = """<!DOCTYPE html><html><head><title>504</title><style>p {color: red}</style></head>
<body><script>alert("never")</script><h1>504 Gateway&nbsp;Time-out</h1><p>proxy &lt;7&gt;</p></body></html>"""
XML = '<?xml version="1.0"?><error><code>404</code><message>No image found with ID x</message></error>'


def refused(status: int, body: object = b"", permission: str | None = None, **headers: str) -> ImsError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return refusal_of(Response(status, named, content), "copy image 4650", permission)


SHAPES: list[tuple[object, str | None, str]] = [
    ((SAMPLES / "ims-error.json").read_bytes(), "IMG.0024", "The imagetype is invalid."),
    (
        (SAMPLES / "gateway-error.json").read_bytes(),
        "APIGW.0301",
        "Incorrect IAM authentication information: x-auth-token not found",
    ),
    ((SAMPLES / "iam-error.json").read_bytes(), None, "The username or password is wrong."),
    ((SAMPLES / "iam-error-table.json").read_bytes(), "IAM.0011", "The request body is invalid."),
    ({"error_code": "APIG.0101", "error_msg": "Not here."}, "APIGW.0101", "Not here."),
    ({"errorCode": "IMG.0001", "errorMsg": "Bad."}, "IMG.0001", "Bad."),
    ({"code": "IMG.0001", "message": "Bad."}, "IMG.0001", "Bad."),
    ({"message": "Wait response timeout.", "request_id": "r"}, None, "Wait response timeout."),
    ({"error": {"code": "404", "title": "Not Found"}}, None, "Not Found"),
    ({"error": {"error_code": "IMG.0001", "error_msg": " two\n lines "}}, "IMG.0001", "two lines"),
    ({"error": {"code": {"a": 1}, "message": ["list"]}}, None, "['list']"),
    ({"error": "text"}, None, ""),
    ({"error": None, "status": 7}, None, ""),
    ([{"code": "IMG.0001"}], None, ""),
    ("only a string", None, "only a string"),
    (7, None, ""),
    (b"null", None, ""),
    (b"", None, ""),
    (b"  \n ", None, ""),
    (b"upstream connect error", None, "upstream connect error"),
    (PAGE.encode(), None, "504 Gateway Time-out proxy <7>"),
    (b"<html><script>alert(1)", None, ""),
    (XML.encode(), None, "404 No image found with ID x"),
    (b'{"error": {"message": "cut', None, '{"error": {"message": "cut'),
    (b"[" * 100_000, None, "[" * 400),
    (b"9" * 5_000, None, "9" * 400),
    (b"\xff\xfe\x00not utf-8 \x80", None, "not utf-8"),
    ("é".encode("latin-1") + b"t", None, "\ufffdt"),
    ({"error": {"code": "IMG.0001", "message": "x" * 5_000}}, "IMG.0001", "x" * 400),
]


@pytest.mark.parametrize(("body", "code", "words"), SHAPES)
def test_every_shape_of_a_body_is_read(body: object, code: str | None, words: str) -> None:
    error = refused(400, body)
    assert error.code == code
    said = error.message.removeprefix("Could not copy image 4650: ")
    assert said.startswith(f"the cloud said: {words.rstrip('.')}" if words else NO_REASON) or (
        words in said and "\ufffd" in said
    )
    assert len(error.message) < 1_000
    assert ".." not in error.message


def test_a_code_without_words_is_no_reason() -> None:
    error = refused(400, {"error_code": "IMG.9999"})
    said = "Could not copy image 4650: the cloud gave no reason. If it lasts, ask the cloud's support."
    assert error.args == (said, 400, "IMG.9999", None, None)


@pytest.mark.parametrize(
    ("code", "kept"), [("APIG.APIG.1", "APIGW.APIG.1"), ("IMG." + "9" * 36, "IMG." + "9" * 36), ("I." + "9" * 39, None)]
)
def test_a_code_is_kept_up_to_a_length(code: str, kept: str | None) -> None:
    assert refused(400, {"error_code": code}).code == (kept or code[:40])


KINDS: list[tuple[int, object, type[ImsError]]] = [
    (400, {"error": {"code": "IMG.0024"}}, RefusedError),
    (409, b"", RefusedError),
    (302, b"", RefusedError),
    (401, {"error_code": "APIGW.0301"}, RefusedError),
    (403, b"", ForbiddenError),
    (403, {"error": {"code": "IMG.0026"}}, ForbiddenError),
    (400, {"error": {"code": "IMG.0161"}}, ForbiddenError),
    (403, {"error_code": "APIG.0302"}, ForbiddenError),
    (404, b"<html>", NotFoundError),
    (400, {"error": {"code": "IMG.0027"}}, NotFoundError),
    (400, {"error": {"code": "IMG.0144"}}, NotFoundError),
    (429, b"", ThrottledError),
    (400, {"error": {"code": "IMG.0060"}}, ThrottledError),
    (400, {"error": {"code": "IMG.0187"}}, ThrottledError),
    (403, {"error_code": "APIG.0308"}, ThrottledError),
    (400, {"error_code": "IAM.0012"}, ThrottledError),
    (408, b"", UnavailableError),
    (500, {"error": {"code": "IMG.0061"}}, UnavailableError),
    (503, b"", UnavailableError),
    (504, PAGE.encode(), UnavailableError),
]


@pytest.mark.parametrize(("status", "body", "kind"), KINDS)
def test_status_and_code_tell_the_kind(status: int, body: object, kind: type[ImsError]) -> None:
    error = refused(status, body)
    assert (type(error), error.status) == (kind, status)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert is_throttled(Response(status, {}, content)) is (kind is ThrottledError)


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_good_answer_is_no_throttling_whatever_it_says(status: int) -> None:
    assert not is_throttled(Response(status, {}, b'{"error_code": "IMG.0060"}'))


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("IMG.0003", "`name`"),
        ("IMG.0009", "choose another `name`"),
        ("IMG.0015", "quota"),
        ("IMG.0027", "`image_id`"),
        ("IMG.0060", "pool of 5"),
        ("IMG.0095", "`cmk_id`"),
        ("IMG.0099", "kms:*:*"),
        ("IMG.0102", "source image's own KMS key"),
        ("IMG.0130", "Full-ECS"),
        ("IMG.0155", "`enterprise_project_id`"),
        ("IMG.0167", "ISO"),
        ("IMG.0239", "billing"),
        ("APIGW.0101", "`iam_endpoint`"),
        ("APIGW.0310", "`project_id`"),
    ],
)
@pytest.mark.parametrize("status", [400, 403])
def test_codes_that_a_user_can_act_on_come_with_advice(code: str, advice: str, status: int) -> None:
    assert advice in refused(status, {"error_code": code, "error_msg": "No."}).message.partition("said: No. ")[2]


def test_every_advice_is_a_sentence() -> None:
    assert not [code for code, advice in ADVICE.items() if not advice.endswith(".") or len(advice) > 150]


@pytest.mark.parametrize("body", ["IMG.0026", "IMG.0161", "APIGW.0302", "policy"])
def test_a_missing_permission_is_named_however_it_is_refused(world: World, body: Any) -> None:
    world.cloud.change(missing_permissions=("ims:images:copy",), permission_body=body)
    with pytest.raises(ForbiddenError, match=r"permission `ims:images:copy`, for example with the policy"):
        world.ask(COPY)


def test_of_a_page_the_first_part_is_looked_at() -> None:
    assert "said: x." in refused(502, b" " * 19_999 + b"xy").message


def test_a_permission_without_a_name_is_still_advised() -> None:
    assert "Grant the user the permission, for example" in refused(403).message


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"code": "IMG.0028", "message": "No."}}),
        (403, b"<html><body><h1>403 Forbidden</h1>Image 4650 is protected and cannot be deleted.</body></html>"),
        (403, {"error": {"code": 403, "message": "Image 4650 is protected and cannot be deleted."}}),
    ],
)
def test_no_permission_is_asked_for_where_the_image_is_protected(status: int, body: object) -> None:
    error = refused(status, body, permission="ims:images:delete")
    assert type(error) is RefusedError
    assert "The image is protected: set its `protected` to false first" in error.message
    assert "Grant" not in error.message


def test_a_redirect_says_where_it_leads_without_its_query() -> None:
    message = refused(302, Location="https://elsewhere.invalid/login?ticket=1").message
    assert "redirects to https://elsewhere.invalid/login, which is not followed" in message


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        *((status, None, "It redirects to another address, which is not followed") for status in (300, 301, 399)),
        (401, None, "Check the connection's `project_id` / `project_name` and `region`: token and request disagree."),
        *((404, code, "Check the id, and that it belongs to the connection's") for code in (None, "IMG.9999")),
        (400, "IAM.0004", "Check the id, and that it belongs to the connection's"),
        (429, None, "Too many requests at once: have fewer tasks start together, or look less often."),
        *((status, "IMG.9999", "If it lasts, ask the cloud's support.") for status in (299, 400, 402, 409, 500)),
    ],
)
def test_each_status_comes_with_advice(status: int, code: str | None, advice: str) -> None:
    message = refused(status, {"error_code": code, "error_msg": "No X.."}).message
    assert message.startswith(f"Could not copy image 4650: the cloud said: No X. {advice}")


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({"X-Request-Id": "r1"}, {"request_id": "r2"}, "r1"),
        ({"x-openstack-request-id": "r1"}, b"", "r1"),
        ({}, {"error_code": "APIGW.0301", "request_id": "r2"}, "r2"),
        ({}, {"request_id": None}, None),
        ({}, [], None),
        ({}, b"<html>", None),
        ({}, b"[" * 100_000, None),
    ],
)
def test_the_request_id_is_kept(headers: dict[str, str], body: object, expected: str | None) -> None:
    assert refused(400, body, **headers).request_id == expected


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        *(("120", 120), (" 5 ", 5), ("0", 0), ("-5", None), ("1.5", None), ("soon", None), ("", None), ("²", None)),
        *(("9" * 400, 86_400), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 21 Oct 2015 07:28:00", None)),
        *(("Fri, 31 Dec 9999 23:59:59 GMT", 86_400), ("Fri, 31 Dec 2027 23:59:59 +999999999999", None)),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(asked: str, seconds: float | None) -> None:
    assert retry_after(Response(429, {"retry-after": asked})) == seconds
    assert refused(429, Retry_After=asked).retry_after == seconds


def test_retry_after_as_a_date_counts_from_now() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 90 < (retry_after(Response(503, {"Retry-After": date})) or 0) <= 100


def test_retry_after_as_a_date_counts_by_the_clouds_own_clock_where_it_tells_it() -> None:
    headers = {"Date": "Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2015 07:29:40 GMT"}
    assert retry_after(Response(503, headers)) == 100


def test_no_header_is_no_wish() -> None:
    assert retry_after(Response(429)) is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, JobInterruptedError) for code in (None, "IMG.0014", "IMG.0018", "IMG.0061")),
        *((code, JobFailedError) for code in ("IMG.0099", "IMG.0059", "IMG.9999")),
    ],
)
def test_a_failed_job_is_transient_only_for_reasons_inside_the_cloud(code: str | None, kind: type[ImsError]) -> None:
    error = job_failure(Job("j1", JobStatus.FAIL, "FAIL", error_code=code, fail_reason="It\nbroke"))
    assert (type(error), error.code) == (kind, code)
    assert error.message.startswith("Job j1 ended with FAIL: It broke.")
    assert error.message.endswith(ADVICE.get(code or "", "It broke. If it lasts, ask the cloud's support."))


@pytest.mark.parametrize(
    ("reason", "said"),
    [("...no.", "...no."), ("Xno X", "Xno X."), ("no ..", "no ."), (f"x{'y' * 500}", f"x{'y' * 399}.")],
)
def test_a_reason_is_given_as_it_is_with_one_full_stop(reason: str, said: str) -> None:
    error = job_failure(Job("j1", JobStatus.FAIL, "FAIL", fail_reason=reason))
    assert error.message == f"Job j1 ended with FAIL: {said} If it lasts, ask the cloud's support."


def test_a_job_that_failed_without_a_word() -> None:
    error = job_failure(Job("j1", JobStatus.FAIL, "FAIL"))
    assert error.message == "Job j1 ended with FAIL: no reason given. If it lasts, ask the cloud's support."
