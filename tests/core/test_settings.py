"""What a connection says, in each form it can be written in, and what is wrong with it, said before any request."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_ims.addresses import endpoint
from airflow_provider_ims.credentials import AccessKey, Agency, GivenToken, PasswordCredentials
from airflow_provider_ims.errors import SettingsError
from airflow_provider_ims.models import Service, Token
from airflow_provider_ims.settings import Settings

SECRET = "s3cr/et@p:w"
EXTRA = {"region": "eu-de", "domain_name": "OTC-1"}
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def understood(more: dict[str, Any] | None = None, **fields: Any) -> Settings:
    return Settings.of("ims_x", **({"login": "user", "password": SECRET, "extra": EXTRA | (more or {})} | fields))


def complaint(more: dict[str, Any] | None = None, **fields: Any) -> str:
    with pytest.raises(SettingsError) as wrong:
        understood(more, **fields)
    assert SECRET not in str(wrong.value)
    assert "'ims_x'" in str(wrong.value)
    return str(wrong.value)


def token(**endpoints: str) -> Token:
    return Token("t", NOON, NOON, "p1", {name.replace("_", "-"): url for name, url in endpoints.items()})


def test_the_least_that_must_be_said() -> None:
    settings = understood()
    who = settings.credentials
    assert isinstance(who, PasswordCredentials)
    assert (who.iam_url, who.domain_name, who.user_name) == ("https://iam.eu-de.otc.t-systems.com", "OTC-1", "user")
    assert (who.password, who.project_name, who.project_id) == (SECRET, "eu-de", None)
    assert (settings.ims_url, settings.verify, settings.proxies, settings.timeout) == (None, True, {}, 30.0)


def test_blanks_as_the_form_leaves_them_are_absent() -> None:
    keys = ("project_name", "project_id", "iam_endpoint", "verify", "proxies", "timeout", "auth", "security_token")
    for blank in ("", None, "  "):
        assert understood(dict.fromkeys(keys, blank), host=blank, schema="", port=None) == understood()


def test_json_and_the_strings_of_a_uri_say_the_same(tmp_path: Path) -> None:
    bundle, proxy = str(tmp_path), "http://proxy.example:3128"
    as_json = understood({"timeout": 5, "proxies": {"https": proxy}, "verify": False})
    assert as_json == understood({"timeout": " 5.0 ", "proxies": f'{{"HTTPS": "{proxy}"}}', "verify": "False"})
    assert (as_json.timeout, as_json.proxies, as_json.verify) == (5.0, {"https": proxy}, False)
    assert understood({"verify": "true"}).verify is True
    assert understood({"verify": bundle}).verify == bundle


def test_one_proxy_is_for_both_schemes_and_needs_no_scheme_itself() -> None:
    both = {"http": "http://proxy.example:3128", "https": "http://proxy.example:3128"}
    assert understood({"proxies": "proxy.example:3128"}).proxies == both


@pytest.mark.parametrize("suffix", ["", "/", "/v3", "/v3/", "//v3"])
def test_the_iam_endpoint_comes_with_or_without_its_version(suffix: str) -> None:
    assert understood({"iam_endpoint": f" https://iam.example{suffix} "}).credentials.iam_url == "https://iam.example"


def test_the_iam_endpoint_can_stand_for_the_region() -> None:
    extra = {"region": None, "iam_endpoint": "https://iam.example", "project_id": "p1"}
    settings = understood(extra)
    assert (settings.region, settings.credentials.iam_url) == (None, "https://iam.example")
    assert understood({"project_name": "eu-de_sub", "project_id": "p1"}).credentials.project_name == "eu-de_sub"


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "ims.example"}, "https://ims.example"),
        ({"host": "https://ims.example/"}, "https://ims.example"),
        ({"host": "ims.example", "schema": "http", "port": 8080}, "http://ims.example:8080"),
        ({"host": "http://ims.example", "schema": "https", "port": 8080}, "http://ims.example:8080"),
        ({"host": "[::1]", "port": 8080}, "https://[::1]:8080"),
    ],
)
def test_the_host_in_each_form(fields: dict[str, Any], url: str) -> None:
    assert understood(**fields).ims_url == url


def test_the_host_wins_over_the_catalog_and_the_catalog_over_the_pattern() -> None:
    offered = token(eu_de="https://catalog", eu_nl="https://other")
    assert understood(host="https://host").service(offered) == Service("https://host", "p1")
    assert understood().service(offered) == Service("https://catalog", "p1")
    assert understood().service(token(**{"*": "https://global"})) == Service("https://global", "p1")
    assert understood().service(token(eu_nl="https://other")).url == "https://ims.eu-de.otc.t-systems.com"


def test_without_a_region_only_a_single_offer_will_do() -> None:
    settings = understood({"region": None, "iam_endpoint": "https://iam.example", "project_id": "p1"})
    assert settings.service(token(eu_de="https://catalog")).url == "https://catalog"
    with pytest.raises(SettingsError, match="offers IMS in: eu-de, eu-nl"):
        settings.service(token(eu_de="https://catalog", eu_nl="https://other"))
    with pytest.raises(SettingsError, match="offers IMS in: none"):
        settings.service(token())


@pytest.mark.parametrize(
    ("region", "iam", "ims"),
    [
        ("eu-de", "https://iam.eu-de.otc.t-systems.com", "https://ims.eu-de.otc.t-systems.com"),
        ("eu-nl", "https://iam.eu-nl.otc.t-systems.com", "https://ims.eu-nl.otc.t-systems.com"),
        ("eu-ch2", "https://iam-pub.eu-ch2.sc.otc.t-systems.com", "https://ims.eu-ch2.sc.otc.t-systems.com"),
        ("cn-north-4", "https://iam.cn-north-4.myhuaweicloud.com", "https://ims.cn-north-4.myhuaweicloud.com"),
        ("eu-west-101", "https://iam.eu-west-101.myhuaweicloud.com", "https://ims.eu-west-101.myhuaweicloud.com"),
    ],
)
def test_each_region_has_its_addresses(region: str, iam: str, ims: str) -> None:
    assert (endpoint("iam", region), endpoint("ims", region)) == (iam, ims)
    assert understood({"region": region}).credentials.iam_url == iam


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"login": None}, "no login: give"),
        ({"login": "  "}, "no login: give"),
        ({"password": None}, "no password: give"),
        ({"password": ""}, "no password: give"),
        ({"extra": {}}, "no region in its extra: give"),
        ({"extra": None}, "no region in its extra: give"),
        ({"extra": {"region": "eu-de"}}, "no domain_name in its extra: give"),
        ({"extra": {"region": "eu-de", "domain": "OTC-1"}}, "It has domain, which this provider does not know"),
    ],
)
def test_what_is_missing_is_named(fields: dict[str, Any], named: str) -> None:
    assert named in complaint(**fields)


def test_what_is_not_known_is_named_where_it_may_be_meant() -> None:
    said = "Connection 'ims_x' has no domain_name in its extra: give the name (such as OTC-EU-DE-00000000001) of the "
    said += "account of the user."
    assert complaint(extra={"region": "eu-de"}) == said
    more = {"region": "eu-de", "domain": "OTC-1", "account": "x"}
    assert complaint(extra=more) == f"{said} (It has account, domain, which this provider does not know.)"
    assert complaint({"domain": "x"}, login="") == "Connection 'ims_x' has no login: give the IAM user's name."


@pytest.mark.parametrize(
    ("key", "value", "shown", "remedy"),
    [
        ("region", "EU-DE", "'EU-DE'", "such as eu-de"),
        ("region", "eu-de.evil.com/", "'eu-de.evil.com/'", "such as eu-de"),
        ("region", 5, "5", "give text"),
        ("domain_name", ["OTC-1"], "['OTC-1']", "give text"),
        ("project_id", 215, "215", "give text"),
        ("iam_endpoint", "iam.example", "'iam.example'", "such as https://iam.eu-de"),
        ("iam_endpoint", "ftp://iam.example", "'ftp://iam.example'", "give an address"),
        ("iam_endpoint", "https://iam.example?x=1", "'https://iam.example?x=1'", "give an address"),
        ("iam_endpoint", "https://iam.exa mple", "'https://iam.exa mple'", "give an address"),
        ("iam_endpoint", "https://iam.example:port", "'https://iam.example:port'", "give an address"),
        ("verify", "/no/such/bundle.pem", "'/no/such/bundle.pem'", "true, false, or a CA bundle"),
        ("verify", 0, "0", "true, false, or a CA bundle"),
        ("proxies", 5, "", "give a proxy's URL"),
        ("proxies", "{broken", "", "give a proxy's URL"),
        ("proxies", {"https": None}, "", "give a proxy's URL"),
        ("proxies", "socks5://proxy.example", "", "SOCKS is not supported"),
        ("timeout", "soon", "'soon'", "give seconds"),
        ("timeout", 0, "0", "more than 0"),
        ("timeout", -1, "-1", "more than 0"),
        ("timeout", 3601, "3601", "at most 3600"),
        ("timeout", "nan", "'nan'", "give seconds"),
        ("timeout", 10**400, "1000", "give seconds"),
        ("timeout", True, "True", "give seconds"),
        ("timeout", [30], "[30]", "give seconds"),
        ("token_cache", "redis", "'redis'", "one of file, variable, none"),
        ("token_cache", False, "False", "give text"),
        ("token_cache_dir", "mnt/tokens", "'mnt/tokens'", "give an absolute path"),
        ("token_cache_dir", "~/tokens", "'~/tokens'", "give an absolute path"),
    ],
)
def test_what_is_malformed_is_named_with_its_remedy(key: str, value: object, shown: str, remedy: str) -> None:
    said = complaint({key: value})
    assert f"{key} is {shown}" in said
    assert remedy in said
    assert len(said) < 400


def test_where_tokens_are_kept() -> None:
    assert (understood().cache, understood().cache_dir) == ("file", None)
    assert understood({"token_cache": " Variable ", "token_cache_dir": " "}).cache == "variable"
    assert understood({"token_cache": "none"}).cache == "none"
    assert understood({"token_cache_dir": "/mnt/tokens"}).cache_dir == "/mnt/tokens"


@pytest.mark.parametrize("cache", ["variable", "none"])
def test_a_directory_for_tokens_that_are_kept_elsewhere_is_named(cache: str) -> None:
    said = complaint({"token_cache": cache, "token_cache_dir": "/mnt/tokens"})
    assert f"token_cache_dir is '/mnt/tokens'; remove it, or token_cache, which is {cache}" in said


@pytest.mark.parametrize(
    "host", ["ftp://ims.example", "https://", "ims.exa mple", "https://ims.example:0", "a?b", "a#b"]
)
def test_a_malformed_host_is_named(host: str) -> None:
    assert "host is '" in complaint(host=host)
    assert "such as https://ims.eu-de" in complaint(host=host)


@pytest.mark.parametrize("user", [f"user:{SECRET}", f":{SECRET}", SECRET])
def test_a_password_in_an_address_is_refused_and_not_repeated(user: str) -> None:
    for scheme in ("https://", ""):
        assert "***@example" in complaint({"iam_endpoint": f"{scheme}{user}@example/v3"})
        assert "***@example" in complaint(host=f"{scheme}{user}@example")
    assert "@" not in complaint({"proxies": f"socks5://{user}@example"})


def test_a_password_of_several_lines_is_not_repeated_either() -> None:
    assert "***@example" in complaint({"iam_endpoint": f"https://user:{SECRET}\n{SECRET}@example"})


def test_a_proxy_may_have_a_user_who_does_not_print() -> None:
    encoded = quote(SECRET, safe="")
    settings = understood({"proxies": f"http://user:{encoded}@proxy.example:3128"})
    assert encoded in settings.proxies["https"]
    assert encoded not in repr(settings)


@pytest.mark.parametrize("password", ["pa/ss", "pa?ss", "pa#ss", "canary@[::1"])
def test_a_proxy_that_cannot_be_read_is_refused_without_its_password(password: str) -> None:
    with pytest.raises(SettingsError, match="percent-encode") as refused:
        understood({"proxies": f"http://user:{password}@127.0.0.1:9"})
    assert password not in str(refused.value)


@pytest.mark.parametrize("extra", [[1, 2], "x", 5])
def test_an_extra_that_is_no_object_is_named(extra: Any) -> None:
    with pytest.raises(SettingsError, match="extra is no JSON object"):
        Settings.of("ims_default", login="u", password="p", extra=extra)


AKSK = {"auth": "aksk", "domain_name": None}
AGENCY = {"auth": "agency", "agency_domain_name": "OTC-2", "agency_name": "ag"}


def test_each_way_to_log_in_is_read_from_where_its_parts_stand() -> None:
    key = understood(AKSK | {"security_token": "st"}, login=" AK ").credentials
    assert (type(key), key.user, key.secret, key.sent) == (AccessKey, "access key AK", f"{SECRET} st", "st")
    given = understood({"auth": " TOKEN "}, login=None).credentials
    assert (type(given), given.secret, given.project) == (GivenToken, SECRET, "")
    agency = understood(AGENCY).credentials
    assert (type(agency), agency.user, agency.project) == (
        Agency,
        "agency OTC-2/ag, assumed by OTC-1/user",
        "eu-de",
    )
    assert understood({"auth": "Password"}) == understood()


@pytest.mark.parametrize(
    ("more", "fields", "said"),
    [
        ({"auth": "saml"}, {}, "auth is 'saml'; give one of password, aksk, token, agency"),
        ({"auth": 5}, {}, "auth is 5; give text"),
        (AKSK, {"login": ""}, "no login: give the access key (AK)"),
        (AKSK, {"password": ""}, "no password: give the secret key (SK)"),
        ({"auth": "token"}, {}, "login is 'set'; leave it blank"),
        ({"auth": "token"}, {"login": None, "password": " "}, "no password: give the token"),
        ({"auth": "token", "region": None}, {"login": None}, "no region"),
        (AGENCY | {"agency_name": ""}, {}, "no agency_name in its extra: give the agency's name"),
        (AGENCY | {"agency_domain_name": None}, {}, "no agency_domain_name in its extra: give"),
        (AGENCY | {"domain_name": None}, {}, "no domain_name in its extra: give"),
        ({"security_token": "st"}, {}, "has security_token, but auth is 'password': give auth = aksk, or leave"),
        ({"agency_name": "ag"}, {}, "has agency_name, but auth is 'password': give auth = agency"),
        (AKSK, {"login": "AK\nX: y"}, "login has characters that no header has"),
        (AKSK | {"security_token": "s\ntoken"}, {}, "security_token has characters that no header has"),
        ({"auth": "token"}, {"login": "", "password": f"{SECRET}\u00fc"}, "give the token as it was issued"),
        (AKSK | {"agency_domain_name": "OTC-2"}, {}, "has agency_domain_name, but auth is 'aksk'"),
        (AGENCY | {"security_token": "st"}, {}, "has security_token, but auth is 'agency'"),
    ],
)
def test_a_wrong_combination_is_named(more: dict[str, Any], fields: dict[str, Any], said: str) -> None:
    assert said in complaint(more, **fields)


def test_a_token_needs_no_project_where_iam_is_given() -> None:
    extra = {"auth": "token", "region": None, "iam_endpoint": "https://iam.example"}
    assert understood(extra, login="").credentials.project == ""
