"""The grammar of the wire: what each request looks like, byte by byte, and how its answer is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_ims import protocol
from airflow_provider_ims.credentials import PasswordCredentials
from airflow_provider_ims.errors import ForbiddenError, LoginRefusedError, MalformedResponseError, RefusedError
from airflow_provider_ims.logging_in import log_in
from airflow_provider_ims.models import JobStatus, Quota, Response, Service
from airflow_provider_ims.protocol import Call
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.world import World

SAMPLES = Path(__file__).parents[1] / "samples"
AT = Service("https://ims.eu-de.otc.t-systems.com", "p1")
WHO = PasswordCredentials(
    iam_url="https://iam.eu-de.otc.t-systems.com",
    domain_name="domain A",
    user_name="user A",
    password="geheim-ü",
    project_name="eu-de",
)
JSON = {"Content-Type": "application/json;charset=utf8"}


def body(call: Call[Any]) -> Any:
    return json.loads(call.request.body)


def answer(name: str, status: int = 200, **headers: str) -> Response:
    return Response(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, (SAMPLES / name).read_bytes()
    )


def test_log_in_by_password_for_a_project_by_name() -> None:
    call = log_in(WHO)
    assert (call.request.method, call.request.url) == ("POST", "https://iam.eu-de.otc.t-systems.com/v3/auth/tokens")
    assert (call.request.headers, call.request.replays) == (JSON, 0)
    user = {"name": "user A", "password": "geheim-ü", "domain": {"name": "domain A"}}
    identity = {"methods": ["password"], "password": {"user": user}}
    assert body(call) == {
        "auth": {"identity": identity, "scope": {"project": {"name": "eu-de", "domain": user["domain"]}}}
    }


def test_log_in_for_a_project_by_id_which_wins_over_the_name() -> None:
    who = replace(WHO, project_id="p1")
    assert body(log_in(who))["auth"]["scope"] == {"project": {"id": "p1"}}


def test_the_documented_token_is_read() -> None:
    response = Response(201, {"x-subject-token": "MII..."}, (SAMPLES / "token.json").read_bytes())
    token = log_in(WHO).read(response)
    assert (token.value, token.project_id) == ("MII...", "aa2d97d7e62c4b7da3ffdfc11551f878")
    assert token.endpoints == {"eu-de": "https://ims.eu-de.otc.t-systems.com"}
    assert (token.issued_at.isoformat(), (token.expires_at - token.issued_at).days) == (
        "2019-02-12T06:52:13.855000+00:00",
        1,
    )


def test_only_public_addresses_of_the_image_service_are_taken_from_the_catalog() -> None:
    document = json.loads((SAMPLES / "token.json").read_text())
    image = document["token"]["catalog"][0]
    image["endpoints"].append({"interface": "internal", "region": "eu-nl", "url": "https://internal"})
    image["endpoints"].append({"interface": "public", "region": "eu-nl", "url": "https://ims.eu-nl/"})
    document["token"]["catalog"].append({**image, "type": "compute"})
    token = log_in(WHO).read(Response(201, {"X-Subject-Token": "t"}, json.dumps(document).encode()))
    assert token.endpoints == {"eu-de": "https://ims.eu-de.otc.t-systems.com", "eu-nl": "https://ims.eu-nl"}


@pytest.mark.parametrize("lost", ["expires_at", "issued_at", "project"])
def test_a_token_without_what_is_needed_is_malformed(lost: str) -> None:
    document = json.loads((SAMPLES / "token.json").read_text())
    del document["token"][lost]
    with pytest.raises(MalformedResponseError, match=r"Could not log in at .* as domain A/user A"):
        log_in(WHO).read(Response(201, {"X-Subject-Token": "t"}, json.dumps(document).encode()))


def test_a_token_without_a_catalog_is_a_token_and_one_without_its_header_is_none() -> None:
    document = json.loads((SAMPLES / "token.json").read_text())
    del document["token"]["catalog"]
    bare = json.dumps(document).encode()
    assert log_in(WHO).read(Response(201, {"X-Subject-Token": "t"}, bare)).endpoints == {}
    with pytest.raises(MalformedResponseError):
        log_in(WHO).read(Response(201, {}, bare))


@pytest.mark.parametrize("name", ["iam-error.json", "iam-error-table.json", "gateway-error.json"])
def test_a_refused_log_in_names_the_fields_to_check(name: str) -> None:
    with pytest.raises(
        LoginRefusedError, match=r"Check the connection's login, password, domain_name and project_name"
    ):
        log_in(WHO).read(answer(name, 401))
    with pytest.raises(RefusedError) as refused:
        log_in(WHO).read(answer(name, 400))
    assert not isinstance(refused.value, LoginRefusedError)


def test_copy_sends_what_was_given() -> None:
    call = protocol.copy_image(AT, PLAIN_IMAGE, "copy ü", "nightly", "key-1", "0")
    assert (call.request.method, call.request.url) == ("POST", f"{AT.url}/v1/cloudimages/{PLAIN_IMAGE}/copy")
    assert (call.request.headers, call.request.replays) == (JSON, 0)
    assert body(call) == {"name": "copy ü", "description": "nightly", "cmk_id": "key-1", "enterprise_project_id": "0"}


def test_an_id_does_not_change_where_a_copy_is_sent() -> None:
    assert protocol.copy_image(AT, "i/1#", "copy").request.url == f"{AT.url}/v1/cloudimages/i%2F1%23/copy"


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_copy_does_not_send_what_is_blank(blank: str | None) -> None:
    assert body(protocol.copy_image(AT, PLAIN_IMAGE, "copy", blank, blank, blank)) == {"name": "copy"}


def test_the_documented_copy_is_read_with_any_good_status() -> None:
    call = protocol.copy_image(AT, PLAIN_IMAGE, "copy")
    assert {call.read(answer("copy-response.json", status)) for status in (200, 202)} == {
        "edc89b490d7d4392898e19b2deb34797"
    }


def test_what_is_nested_too_deeply_is_said_to_be() -> None:
    with pytest.raises(MalformedResponseError, match="nested too deeply"):
        protocol.get_image(AT, "i1").read(Response(200, {}, b"[" * 100_000))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_document_is_read_in_each_encoding_of_json(encoding: str) -> None:
    body = json.dumps({"id": "ä", "status": "active"}, ensure_ascii=False).encode(encoding)
    assert protocol.get_image(AT, "i1").read(Response(200, {}, body)).id == "ä"


@pytest.mark.parametrize(("status", "good"), [(199, False), (200, True), (299, True), (300, False)])
def test_good_answers_have_a_status_of_2xx(status: int, good: bool) -> None:
    call = protocol.delete_image(AT, "i1")
    if good:
        call.read(Response(status))
    else:
        with pytest.raises(RefusedError):
            call.read(Response(status))


READS: list[tuple[Callable[..., Call[Any]], str, str]] = [
    (partial(protocol.get_job, job_id="j1"), "GET", "/v1/p1/jobs/j1"),
    (partial(protocol.get_job, job_id="../x?y"), "GET", "/v1/p1/jobs/..%2Fx%3Fy"),
    (partial(protocol.get_image, image_id="i1"), "GET", "/v2/images/i1"),
    (partial(protocol.get_image, image_id="i/1#"), "GET", "/v2/images/i%2F1%23"),
    (partial(protocol.delete_image, image_id="i1"), "DELETE", "/v2/images/i1"),
    (partial(protocol.delete_image, image_id="i/1#"), "DELETE", "/v2/images/i%2F1%23"),
    (protocol.show_quota, "GET", "/v1/cloudimages/quota"),
    (partial(protocol.list_images, filters={}), "GET", "/v2/cloudimages?limit=500"),
    (partial(protocol.list_images, filters={}, marker="i1"), "GET", "/v2/cloudimages?limit=500&marker=i1"),
    (
        partial(protocol.list_images, filters={"name": "A &ü", "protected": False, "limit": 2, "owner": None}),
        "GET",
        "/v2/cloudimages?limit=2&name=A+%26%C3%BC&protected=false",
    ),
]


@pytest.mark.parametrize(("make", "method", "path"), READS)
def test_what_has_no_body_is_a_method_and_a_path(make: Callable[..., Call[Any]], method: str, path: str) -> None:
    request = make(AT).request
    assert (request.method, request.url.removeprefix(AT.url)) == (method, path)
    assert (request.headers, request.body, request.replays) == ({}, b"", 9)


def test_the_documented_documents_are_read() -> None:
    assert protocol.get_job(AT, "j1").read(answer("job-success.json")).image_name == "test"
    images = protocol.list_images(AT, {}).read(answer("images.json"))
    assert [image.name for image in images] == ["CentOS 7.3 64bit vivado"]
    protocol.delete_image(AT, "i1").read(Response(204))
    assert protocol.show_quota(AT).read(answer("quota.json")) == Quota(used=0, limit=20)


def test_of_several_quotas_that_of_images_is_read() -> None:
    rows = [{"type": "other", "used": 1, "quota": 2}, {"type": "image", "used": 3, "quota": 4}]
    document = json.dumps({"quotas": {"resources": rows}}).encode()
    assert protocol.show_quota(AT).read(Response(200, {}, document)) == Quota(used=3, limit=4)


PERMISSIONS: list[tuple[Callable[..., Call[Any]], str, str]] = [
    (partial(protocol.copy_image, image_id="i1", name="copy"), "copy image i1 to 'copy'", "ims:images:copy"),
    (partial(protocol.get_image, image_id="i1"), "look at image i1", "ims:images:get"),
    (partial(protocol.get_job, job_id="image:i1"), "look at image i1", "ims:images:get"),
    (partial(protocol.list_images, filters={}), "list images", "ims:images:list"),
    (protocol.show_quota, "see the quota", "ims:quotas:get"),
    (partial(protocol.delete_image, image_id="i1"), "delete image i1", "ims:images:delete"),
]


@pytest.mark.parametrize(("make", "action", "permission"), PERMISSIONS)
def test_what_was_tried_and_what_it_takes_is_named(
    make: Callable[..., Call[Any]], action: str, permission: str
) -> None:
    with pytest.raises(ForbiddenError, match=f"^Could not {action}: .* permission `{permission}`"):
        make(AT).read(Response(403))


def test_pages_follow_one_another_by_marker(world: World) -> None:
    seen: list[str] = []
    while page := world.ask(partial(protocol.list_images, filters={"limit": 9}, marker=seen[-1] if seen else None)):
        seen += [image.id for image in page]
    assert len(seen) == len(set(seen)) == len(world.cloud.images())
    assert world.counted("GET list") == len(seen) // 9 + 2


BAD = [b"", b"<html>", b"null", b"[]", b"7", b'"text"', b"{}", b'{"job_id": ', b"[" * 100_000, b"\xff\xfe"]
BAD += [b'{"job_id": "", "token": 1, "images": 7, "status": 1}', b'{"job_id": null, "token": null, "images": [1]}']
BAD += [b'{"job_id": {"a": 1}, "images": [{}], "token": []}', b'{"job_id": 5, "token": {"expires_at": 5}, "id": "i"}']
CALLS: list[Callable[[], Call[Any]]] = [
    partial(protocol.copy_image, AT, PLAIN_IMAGE, "copy"),
    partial(protocol.get_image, AT, "i1"),
    partial(protocol.list_images, AT, {}),
    partial(log_in, WHO),
]


@pytest.mark.parametrize("content", BAD)
@pytest.mark.parametrize("make", CALLS, ids=["copy", "image", "list", "log_in"])
def test_a_good_status_with_a_bad_body_is_a_malformed_answer(make: Callable[[], Call[Any]], content: bytes) -> None:
    with pytest.raises(MalformedResponseError) as malformed:
        make().read(Response(200, {"X-Subject-Token": "t", "X-Request-Id": "r1"}, content))
    assert (malformed.value.status, malformed.value.request_id) == (200, "r1")
    assert len(malformed.value.message) < 300


@pytest.mark.parametrize(
    ("job_id", "said"),
    [("", "job_id is empty"), (" ", "job_id is empty"), (7, "job_id is empty"), ("j" * 129, "too long")],
)
def test_what_is_wrong_with_a_job_id_is_said(job_id: object, said: str) -> None:
    call = protocol.copy_image(AT, PLAIN_IMAGE, "copy")
    with pytest.raises(MalformedResponseError, match=said):
        call.read(Response(200, {}, json.dumps({"job_id": job_id}).encode()))
    assert call.read(Response(200, {}, json.dumps({"job_id": f" {'j' * 128} "}).encode())) == "j" * 128


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b'{"job_id": "j1"}', b'{"job_id": "j1", "sta'])
def test_a_bad_job_is_a_malformed_answer(content: bytes) -> None:
    with pytest.raises(MalformedResponseError, match="Could not look at job j1"):
        protocol.get_job(AT, "j1").read(Response(200, {}, content))


@pytest.mark.parametrize(
    ("status", "job_status"),
    [
        ("queued", JobStatus.RUNNING),
        ("saving", JobStatus.RUNNING),
        ("active", JobStatus.SUCCESS),
        ("killed", JobStatus.FAIL),
        ("deleted", JobStatus.FAIL),
        ("something new", JobStatus.UNKNOWN),
    ],
)
def test_a_job_that_is_known_by_its_image(status: str, job_status: JobStatus) -> None:
    call = protocol.get_job(AT, "image:i1")
    job = call.read(Response(200, {}, json.dumps({"id": "i1", "name": "copy", "status": status}).encode()))
    assert (call.request.method, call.request.url) == ("GET", f"{AT.url}/v2/images/i1")
    assert (job.job_id, job.status, job.reported_status, job.image_id) == ("image:i1", job_status, status, "i1")
    assert job.image_name == "copy"
    assert job.fail_reason == (f"The image is '{status}'." if job_status is JobStatus.FAIL else None)


def test_a_job_whose_image_has_vanished_has_failed() -> None:
    job = protocol.get_job(AT, "image:i1").read(Response(404, {}, b"<html>No image found with ID i1</html>"))
    assert (job.status, job.reported_status, job.fail_reason) == (JobStatus.FAIL, "gone", "There is no such image.")
    assert (job.job_id, job.image_id) == ("image:i1", "i1")
