"""What can be said of an address that a user has written."""

from __future__ import annotations

import pytest

from airflow_provider_ims.addresses import address, is_address, is_header, proxy_url, without_user


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        *((url, True) for url in ("https://a", "http://a:1/b", "https://user:pw@a/b", "http://[::1]:80", "https://a:")),
        *((url, False) for url in ("", "a", "https://", "https://a:0", "https://a:b", "https://a:65536", "http://[a")),
        *((url, False) for url in ("https://a/@a", "https://a/b@c", "https://user:p/w@a", "https://user:p#w@a")),
    ],
)
def test_an_address_has_a_host_and_a_port_and_a_user_only_in_front(url: str, is_one: bool) -> None:
    assert is_address(url) is is_one


@pytest.mark.parametrize(
    ("parts", "url"),
    [
        ((None, "https", 443), None),
        ((" ", None, None), None),
        ((" a ", None, None), "https://a"),
        (("a/b", "http", 80), "http://a:80/b"),
        (("https://a//b", "http", 80), "https://a:80//b"),
        (("https://a/b://c", None, 80), "https://a:80/b://c"),
        (("a", "", 0), "https://a"),
    ],
)
def test_host_schema_and_port_make_an_address(
    parts: tuple[str | None, str | None, int | None], url: str | None
) -> None:
    assert address(*parts) == url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a/b", "https://a/b"),
        ("https://user:pw@a/b", "https://***@a/b"),
        ("user:p@w@a", "***@a"),
        ("https://user:p\nw//@a@b", "https://***@b"),
    ],
)
def test_what_stands_before_a_host_is_not_shown(url: str, shown: str) -> None:
    assert without_user(url) == shown


def test_a_proxy_speaks_http_unless_it_says_otherwise() -> None:
    assert [proxy_url(url) for url in ("a:1", "https://a:1")] == ["http://a:1", "https://a:1"]


@pytest.mark.parametrize(("text", "can_be_one"), [("a b~!", True), ("", True), ("a\n", False), ("ä", False)])
def test_a_header_is_printable_ascii(text: str, can_be_one: bool) -> None:
    assert is_header(text) is can_be_one
