"""All that a connection can say, understood as one value, and complaints to the letter."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_ims.credentials import AccessKey, Agency, Credentials, GivenToken, PasswordCredentials
from airflow_provider_ims.settings import Settings
from tests.core.test_settings import AGENCY, AKSK, SECRET, complaint, understood

IAM = "https://iam.eu-de.otc.t-systems.com"
USER = PasswordCredentials(iam_url=IAM, domain_name="OTC-1", user_name="user", password=SECRET)
WAYS: list[tuple[dict[str, Any], dict[str, Any], Credentials]] = [
    (
        {"project_name": " a ", "project_id": "p1"},
        {"login": " user ", "password": f" {SECRET} "},
        PasswordCredentials(
            iam_url=IAM,
            project_name="a",
            project_id="p1",
            domain_name="OTC-1",
            user_name="user",
            password=f" {SECRET} ",
        ),
    ),
    (
        AKSK | {"security_token": " st "},
        {"login": " AK ", "password": " SK "},
        AccessKey(iam_url=IAM, project_name="eu-de", access_key="AK", secret_key="SK", security_token="st"),
    ),
    (
        AKSK | {"project_name": "a", "project_id": "p1"},
        {"login": "AK"},
        AccessKey(iam_url=IAM, project_name="a", project_id="p1", access_key="AK", secret_key=SECRET),
    ),
    ({"auth": "token"}, {"login": " ", "password": " t "}, GivenToken(iam_url=IAM, token="t")),
    (
        {"auth": "token", "project_name": "a", "project_id": "p1"},
        {"login": None, "password": "t"},
        GivenToken(iam_url=IAM, project_name="a", project_id="p1", token="t"),
    ),
    (
        AGENCY | {"project_id": "p1"},
        {},
        Agency(
            iam_url=IAM,
            project_name="eu-de",
            project_id="p1",
            assumed_by=PasswordCredentials(
                iam_url=IAM, domain_name="OTC-1", user_name="user", password=SECRET, whole_domain=True
            ),
            domain_name="OTC-2",
            agency_name="ag",
        ),
    ),
]


@pytest.mark.parametrize(("more", "fields", "who"), WAYS)
def test_who_asks(more: dict[str, Any], fields: dict[str, Any], who: Credentials) -> None:
    assert understood(more, **fields).credentials == who


def test_everything_that_a_connection_can_say() -> None:
    more = {
        "project_name": "eu-de",
        "verify": " FALSE ",
        "proxies": {"HTTPS": "proxy:1"},
        "timeout": "3600",
        "console_url": "HTTPS://c.example/{region}/{project_id}/{image_id}",
        "token_cache_dir": "/mnt",
    }
    assert understood(more, host="ims.example", schema="http", port=1) == Settings(
        credentials=replace(USER, project_name="eu-de"),
        region="eu-de",
        ims_url="http://ims.example:1",
        verify=False,
        proxies={"https": "http://proxy:1"},
        timeout=3600.0,
        console_url="HTTPS://c.example/{region}/{project_id}/{image_id}",
        cache="file",
        cache_dir="/mnt",
    )
    assert understood({"timeout": 0.5}).timeout == 0.5
    assert understood(host="ims.example/X//").ims_url == "https://ims.example/X"
    for schema in ("http", "HTTP", "https"):
        assert understood({"console_url": f"{schema}://c.example"}).console_url == f"{schema}://c.example"
    assert understood({"proxies": '  {"https": "proxy:1"} '}).proxies == {"https": "http://proxy:1"}
    assert understood({"proxies": {"http": "https://proxy:1"}}).proxies == {"http": "https://proxy:1"}
    assert understood({"token_cache": "Variable"}).cache == "variable"


EXAMPLE = "https://console.example.com/ims/?region={region}#/image/{image_id}"
FIELDS = "{region}, {project_id}, {image_id}"
PROXY = 'a proxy\'s URL, or an object such as {"https": "http://proxy.example:3128"}'
COMPLAINTS: list[tuple[dict[str, Any], str]] = [
    ({"region": "-a"}, "region is '-a'; give a region's id such as eu-de."),
    ({"iam_endpoint": "https://u:p@a"}, "iam_endpoint is 'https://***@a'; give an address such as " + IAM + "."),
    ({"iam_endpoint": "iam"}, "iam_endpoint is 'iam'; give an address such as " + IAM + "."),
    ({"timeout": 0}, "timeout is 0; give seconds, more than 0 and at most 3600."),
    (
        {"console_url": "https://u:p@c/{x}"},
        f"console_url is 'https://***@c/{{x}}'; give an address such as {EXAMPLE}, with {FIELDS} where they belong.",
    ),
    ({"token_cache": "Redis"}, "token_cache is 'redis'; give one of file, variable, none."),
    ({"token_cache_dir": "a"}, "token_cache_dir is 'a'; give an absolute path that is the same on every host."),
    ({"proxies": 5}, f"proxies is 'set to something else'; give {PROXY}."),
    ({"proxies": "{"}, f"proxies is 'set to something else'; give {PROXY}."),
    ({"proxies": {"https": ""}}, f"proxies is 'set to something else'; give {PROXY}."),
    ({"proxies": "socks5://a"}, f"proxies is 'not an HTTP proxy'; SOCKS is not supported; give {PROXY}."),
    ({"proxies": "http://a:b"}, f"proxies is 'not a URL'; percent-encode user and password; give {PROXY}."),
    ({"verify": "/none"}, "verify is '/none'; there is no such file here; give true, false, or a CA bundle's path."),
    ({"verify": 1}, "verify is 1; give true, false, or a CA bundle's path."),
    ({"auth": "x" * 300}, f"auth is '{'x' * 199}; give one of password, aksk, token, agency."),
    ({"domain_name": 5}, "domain_name is 5; give text."),
    (
        {"auth": "aksk", "security_token": {"securitytoken": "t"}},
        "security_token is 'set to something else'; give text.",
    ),
]


@pytest.mark.parametrize(("more", "said"), COMPLAINTS)
def test_what_is_wrong_is_said(more: dict[str, Any], said: str) -> None:
    assert complaint(more) == f"Connection 'ims_x': {said}"


OF = "the name (such as OTC-EU-DE-00000000001) of the account"
MISSING: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"login": ""}, "login: give the IAM user's name."),
    ({}, {"password": ""}, "password: give the IAM user's password."),
    ({"domain_name": ""}, {}, f"domain_name in its extra: give {OF} of the user."),
    (AGENCY | {"agency_domain_name": ""}, {}, f"agency_domain_name in its extra: give {OF} whose agency it is."),
    (AGENCY | {"agency_name": ""}, {}, "agency_name in its extra: give the agency's name."),
    (AKSK, {"login": ""}, "login: give the access key (AK)."),
    (AKSK, {"password": " "}, "password: give the secret key (SK)."),
    ({"auth": "token"}, {"login": "", "password": ""}, "password: give the token."),
    (
        AKSK | {"region": "", "iam_endpoint": IAM, "project_id": "p1"},
        {},
        "region in its extra: give one such as eu-de, or the host of IMS: access keys come without a catalog.",
    ),
    *(
        (
            {"region": ""} | more,
            {},
            "region in its extra: give one such as eu-de (or iam_endpoint together with project_name or project_id).",
        )
        for more in ({}, {"iam_endpoint": IAM}, {"project_id": "p1"}, {"project_name": "a"})
    ),
]


@pytest.mark.parametrize(("more", "fields", "said"), MISSING)
def test_what_is_missing_is_said(more: dict[str, Any], fields: dict[str, Any], said: str) -> None:
    assert complaint(more, **fields) == f"Connection 'ims_x' has no {said}"


@pytest.mark.parametrize(
    ("more", "fields", "said"),
    [
        (AKSK, {"login": "ä"}, ": login has characters that no header has; give the access key (AK) as it was issued."),
        (
            AKSK | {"security_token": "ä"},
            {},
            ": security_token has characters that no header has; give it whole as it was issued.",
        ),
        (
            {"auth": "token"},
            {"login": "", "password": "ä"},
            ": password has characters that no header has; give the token as it was issued.",
        ),
        (
            {"auth": "token"},
            {},
            ": login is 'set'; leave it blank: with auth = token the token is the password.",
        ),
        (
            {"agency_name": "ag"},
            {},
            " has agency_name, but auth is 'password': give auth = agency, or leave agency_name out.",
        ),
        (
            {"token_cache": "none", "token_cache_dir": "/mnt"},
            {},
            ": token_cache_dir is '/mnt'; remove it, or token_cache, which is none and needs none.",
        ),
    ],
)
def test_what_does_not_fit_together_is_said(more: dict[str, Any], fields: dict[str, Any], said: str) -> None:
    assert complaint(more, **fields) == f"Connection 'ims_x'{said}"


@pytest.mark.parametrize("host", ["ftp://a", "https://a/?b"])
def test_the_host_is_that_of_ims(host: str) -> None:
    said = f"host is '{host}'; give an address such as https://ims.eu-de.otc.t-systems.com."
    assert complaint(host=host) == f"Connection 'ims_x': {said}"
