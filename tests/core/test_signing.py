"""Signatures, held against those of the cloud's own SDK."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_ims.credentials import AccessKey
from airflow_provider_ims.models import Request
from airflow_provider_ims.signing import signed

VECTORS = json.loads((Path(__file__).parents[1] / "samples" / "signatures.json").read_text())
SIGNED_AT = datetime.strptime(VECTORS["date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def key(security_token: str | None = None) -> AccessKey:
    return AccessKey(
        iam_url="https://iam",
        access_key=VECTORS["access_key"],
        secret_key=VECTORS["secret_key"],
        security_token=security_token,
    )


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda vector: vector["name"])
def test_the_signatures_are_those_of_the_clouds_own_sdk(vector: dict[str, Any]) -> None:
    unsigned = Request(vector["method"], vector["url"], vector["headers"], vector.get("body", "").encode())
    sent = signed(unsigned, key(vector.get("security_token")), SIGNED_AT)
    said = f"Access={VECTORS['access_key']}, SignedHeaders={vector['signed_headers']}, Signature={vector['signature']}"
    assert sent.headers["Authorization"] == f"SDK-HMAC-SHA256 {said}"
    assert urlsplit(sent.url).query == vector.get("sent_query", urlsplit(vector["url"]).query)
    assert VECTORS["secret_key"] not in str(dict(sent.headers))


def test_what_is_added_to_a_request() -> None:
    sent = signed(Request("GET", "https://ims:8443/v1/x?b=&a=/&a=%2F ~", {"X-More": "1"}), key("st"), SIGNED_AT)
    assert sent.url == "https://ims:8443/v1/x?a=%2F&a=%2F%20~&b="
    assert list(sent.headers) == ["X-More", "Host", "X-Sdk-Date", "X-Security-Token", "Authorization"]
    assert [sent.headers[name] for name in ("Host", "X-Sdk-Date", "X-Security-Token")] == (
        ["ims:8443", VECTORS["date"], "st"]
    )


@pytest.mark.usefixtures("in_tokyo")
def test_an_instant_of_another_zone_is_the_same_instant() -> None:
    assert signed(Request("GET", "https://ims"), key(), SIGNED_AT).headers["X-Sdk-Date"] == VECTORS["date"]
    there = SIGNED_AT.astimezone(timezone(timedelta(hours=9)))
    request = Request("GET", "https://ims/v1/x")
    assert signed(request, key(), there).headers == signed(request, key(), SIGNED_AT).headers


@pytest.mark.parametrize(("path", "same"), [("/v1/a%20b~c/", "/v1/a b~c"), ("/v1/x", "/v1/x/"), ("/%7E", "/~/")])
def test_paths_that_mean_the_same_are_signed_alike(path: str, same: str) -> None:
    def signature(path: str) -> str:
        return signed(Request("GET", f"https://ims{path}"), key(), SIGNED_AT).headers["Authorization"]

    assert signature(path) == signature(same)
    assert signature(path) != signature(f"{same}/more")


def test_a_request_is_signed_when_it_is_sent_and_not_before() -> None:
    instants = iter([SIGNED_AT, SIGNED_AT.replace(hour=4)])
    request = Request("GET", "https://ims/v1/x", sign=lambda unsigned: signed(unsigned, key(), next(instants)))
    assert "Authorization" not in request.headers
    assert Request("GET", "https://ims/v1/x", sign=lambda unsigned: unsigned).as_sent().sign is None
    assert [request.as_sent().headers["X-Sdk-Date"] for _ in range(2)] == ["20250102T030405Z", "20250102T040405Z"]
