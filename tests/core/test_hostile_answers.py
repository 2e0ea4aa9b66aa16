"""Whatever the cloud answers, each conversation ends in one of our errors or a valid value."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_ims import protocol
from airflow_provider_ims.credentials import PasswordCredentials
from airflow_provider_ims.errors import ImsError, MalformedResponseError
from airflow_provider_ims.logging_in import log_in
from airflow_provider_ims.models import Response, Service
from airflow_provider_ims.refusals import Refusal, refusal_of, request_id
from airflow_provider_ims.watching import told_of
from tests.hostile import CONVERSATIONS, converse

SAMPLES = {path.name: path.read_bytes() for path in Path(__file__).parents[1].joinpath("samples").glob("*.json")}
STRANGE: list[Any] = [None, True, 0, -1, 10**400, float("nan"), float("inf"), "", " ", "\ud800", "x" * 70_000, [], {}]
STRANGE += ["http://[", "ftp://x", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "IMG.0060", "APIGW.0301", [[]]]

anything = st.recursive(
    st.sampled_from(STRANGE) | st.text(st.characters(), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The document with something else at that place."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


@st.composite
def nearly_documented(draw: st.DrawFn) -> bytes:
    document = json.loads(SAMPLES[draw(st.sampled_from(sorted(SAMPLES)))])
    for _ in range(draw(st.integers(0, 2))):
        document = put(document, draw(st.sampled_from(places(document))), draw(anything))
    written = json.dumps(document, ensure_ascii=draw(st.booleans()))
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"]))
    content = written.encode(encoding, errors="surrogatepass" if "utf" in encoding else "replace")
    return content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 4)) == 0 else content


bodies = nearly_documented() | anything.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200)
bodies |= st.sampled_from([b"[" * 100_000, b'{"a":' * 900 + b"1" + b"}" * 900, b"<" * 50_000, b"\x1f\x8b" + bytes(99)])
header_values = st.text(st.characters(), max_size=20) | st.sampled_from(["9" * 70_000, "-1", "1e9", "Fri, 99 Foo 0"])
headers = st.fixed_dictionaries(
    {"X-Subject-Token": st.just("token") | header_values},
    optional=dict.fromkeys(("Retry-After", "X-Request-Id", "Location", "Content-Type"), header_values),
)
statuses = st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 408, 429, 500, 503]) | st.integers(0, 999)


@pytest.mark.parametrize("name", CONVERSATIONS)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(answers=st.lists(st.builds(Response, statuses, headers, bodies), max_size=6))
def test_a_conversation_with_a_hostile_cloud_ends_well(name: str, answers: list[Response]) -> None:
    converse(name, answers)


AT = Service("https://ims.invalid", "p1")
WHO = PasswordCredentials(
    iam_url="https://iam.invalid", domain_name="d", user_name="u", password="geheim", project_name="eu-de"
)


def token(**fields: Any) -> Response:
    document = json.loads(SAMPLES["token.json"])
    document["token"] |= fields
    return Response(201, {"X-Subject-Token": "t"}, json.dumps(document).encode())


def test_a_quota_without_end_is_malformed() -> None:
    body = b'{"quotas": {"resources": [{"type": "image", "used": 1e999, "quota": 1}]}}'
    with pytest.raises(MalformedResponseError):
        protocol.show_quota(AT).read(Response(200, {}, body))


@pytest.mark.parametrize(
    ("issued_at", "expires_at"),
    [
        ("0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z"),
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ],
)
def test_a_token_that_lives_for_ever_or_not_at_all_is_malformed(issued_at: str, expires_at: str) -> None:
    with pytest.raises(MalformedResponseError, match="expires_at is not after issued_at"):
        log_in(WHO).read(token(issued_at=issued_at, expires_at=expires_at))
    life = log_in(WHO).read(token(issued_at="2026-01-01T00:00:00Z", expires_at="2026-01-01T00:00:01Z"))
    assert life.expires_at - life.issued_at == timedelta(seconds=1)


@pytest.mark.parametrize("value", ["tok\u00e9n", "\udc80", "a\nb"])
def test_a_token_that_can_be_no_header_is_malformed(value: str) -> None:
    with pytest.raises(MalformedResponseError, match="can be no header"):
        log_in(WHO).read(Response(201, {"X-Subject-Token": value}, token().body))


@pytest.mark.parametrize("url", ["http://[", "ftp://ims", "https://", "https://x:0", "https://x:y", "https://a b", 7])
def test_an_address_that_is_none_is_not_taken_from_the_catalog(url: object) -> None:
    endpoint = {"interface": "public", "region": "eu-nl", "url": url}
    catalog = [{"type": "image", "endpoints": [endpoint, endpoint | {"region": "eu-de", "url": "https://ims:443/"}]}]
    assert log_in(WHO).read(token(catalog=catalog)).endpoints == {"eu-de": "https://ims:443"}


def test_half_a_surrogate_pair_and_a_foreign_encoding_spoil_no_list() -> None:
    for name, expected in ((rb"\ud83d", "?"), ("é".encode("latin-1"), "\ufffd"), (rb"\\ud83d", r"\ud83d")):
        body = b'{"images": [{"id": "i1", "status": "active", "name": "' + name + b'"}]}'
        (image,) = protocol.list_images(AT, {}).read(Response(200, {}, body))
        assert image.name == expected


@pytest.mark.parametrize(("length", "is_read"), [(128, True), (129, False)])
def test_a_job_id_as_long_as_a_page_is_malformed(length: int, is_read: bool) -> None:
    call = protocol.copy_image(AT, "i1", "copy")
    answer = Response(200, {}, json.dumps({"job_id": "j" * length}).encode())
    if is_read:
        assert call.read(answer) == "j" * length
    else:
        with pytest.raises(MalformedResponseError, match="too long"):
            call.read(answer)


def test_what_is_repeated_of_headers_is_short_and_text() -> None:
    long = {"X-Request-Id": "\udc80" * 9_000, "Location": "/\udc80" * 9_000}
    error = refusal_of(Response(302, long), "look")
    assert error.request_id == "?" * 200
    assert len(str(error)) < 700
    str(error).encode()
    assert request_id(Response(400, {}, json.dumps({"request_id": "r" * 9_000}).encode())) == "r" * 200


@pytest.mark.parametrize("depth", range(100, 1_000, 50))
def test_what_is_nested_deeply_is_refused_with_our_errors_at_any_depth(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    answer = Response(400, {}, b'{"error_code": %s, "request_id": %s}' % (deep, deep))
    assert isinstance(refusal_of(answer, "look"), ImsError)


def test_a_page_of_open_brackets_is_read_in_a_moment() -> None:
    assert Refusal.read(Response(502, {}, b"<" * 20_000)).words == "<" * 400
    assert Refusal.read(Response(502, {}, b"<p>a<b>c</b>")).words == "a c"


@pytest.mark.parametrize("tags", [7, "text", {"a": 1}, None])
def test_tags_that_are_no_list_are_none(tags: object) -> None:
    body = json.dumps({"images": [{"id": "i1", "status": "active", "tags": tags}]}).encode()
    (image,) = protocol.list_images(AT, {}).read(Response(200, {}, body))
    assert told_of(image)["tags"] == []
