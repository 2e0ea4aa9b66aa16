"""The grammar of IAM beside the log-in by password: what is asked, byte by byte, and what is refused how."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_ims.credentials import AccessKey, Agency, GivenToken, PasswordCredentials
from airflow_provider_ims.errors import (
    ForbiddenError,
    ImsError,
    LoginRefusedError,
    MalformedResponseError,
    RefusedError,
    UnavailableError,
)
from airflow_provider_ims.logging_in import (
    assume_agency,
    check_token,
    find_project,
    key_refused,
    log_in,
    project_token,
)
from airflow_provider_ims.models import Response, Token
from airflow_provider_ims.protocol import Call

IAM = "https://iam.example"
USER = PasswordCredentials(iam_url=IAM, domain_name="OTC-1", user_name="user", password="pw", whole_domain=True)
AGENCY = Agency(iam_url=IAM, project_name="eu-de", assumed_by=USER, domain_name="OTC-2", agency_name="ag")
GIVEN = GivenToken(iam_url=IAM, token="given")
KEY = AccessKey(iam_url=IAM, project_name="eu-de", access_key="AK", secret_key="SK", security_token="st")
ISSUED = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def token(status: int = 201, lasts: timedelta = timedelta(days=1), **more: Any) -> Response:
    described = {"issued_at": ISSUED.isoformat(), "expires_at": (ISSUED + lasts).isoformat()} | more
    return Response(status, {"X-Subject-Token": "t"}, json.dumps({"token": described}).encode())


def said(call: Call[Any], answer: Response, kind: type[ImsError]) -> str:
    with pytest.raises(kind) as refused:
        call.read(answer)
    assert type(refused.value) is kind
    return refused.value.message


def test_a_log_in_for_the_account_names_no_project() -> None:
    call = log_in(USER)
    assert json.loads(call.request.body)["auth"]["scope"] == {"domain": {"name": "OTC-1"}}
    assert call.read(token()).project_id == ""
    message = said(call, Response(401), LoginRefusedError)
    assert message.endswith(" Check the connection's login, password, domain_name.")
    message = said(log_in(replace(USER, whole_domain=False)), Response(403), LoginRefusedError)
    assert message.endswith(" Check the connection's login, password, domain_name and project_name / project_id.")


def test_a_token_is_taken_as_it_is_though_it_be_the_password() -> None:
    assert log_in(replace(USER, password="t")).read(token()).value == "t"


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (Response(201, {}, token().body), "no X-Subject-Token, issued_at or expires_at"),
        (token(issued_at="soon"), "no X-Subject-Token, issued_at or expires_at"),
        (token(expires_at="soon"), "no X-Subject-Token, issued_at or expires_at"),
        (Response(201, {"X-Subject-Token": "t"}, b"[]"), "not a JSON object"),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(answer: Response, wrong: str) -> None:
    assert wrong in said(log_in(USER), answer, MalformedResponseError)


def test_an_agency_is_assumed_for_one_project() -> None:
    call = assume_agency(AGENCY)
    assert (call.request.method, call.request.url, call.request.replays) == ("POST", f"{IAM}/v3/auth/tokens", 9)
    role = {"methods": ["assume_role"], "assume_role": {"domain_name": "OTC-2", "agency_name": "ag"}}
    scope = {"project": {"name": "eu-de", "domain": {"name": "OTC-2"}}}
    assert json.loads(call.request.body) == {"auth": {"identity": role, "scope": scope}}
    assert call.read(token(project={"id": "p1"})).project_id == "p1"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_agency_that_is_refused_says_what_to_check(status: int) -> None:
    assert said(assume_agency(AGENCY), Response(status), LoginRefusedError) == (
        f"Could not assume agency OTC-2/ag at {IAM} as OTC-1/user: the cloud gave no reason. Check the "
        "connection's agency_domain_name, agency_name and project_name / project_id (of that account), that the agency "
        "trusts OTC-1, and that the user has the permission Agent Operator."
    )
    answer = Response(status, {}, b'{"error": {"message": "No. Check the X. Check the Y."}}')
    assert ": the cloud said: No. Check the connection's" in said(assume_agency(AGENCY), answer, LoginRefusedError)


@pytest.mark.parametrize("make", [partial(log_in, USER), partial(assume_agency, AGENCY), partial(check_token, GIVEN)])
def test_what_is_no_refusal_of_the_log_in_points_at_the_address(make: Callable[[], Call[Token]]) -> None:
    call = make()
    assert said(call, Response(400), RefusedError).endswith("gave no reason. Check the connection's iam_endpoint.")
    assert said(call, Response(302), RefusedError).endswith(" Check the connection's iam_endpoint.")
    assert said(call, Response(503), UnavailableError).startswith("Could not ")


def test_a_given_token_is_asked_about_with_itself() -> None:
    request = check_token(GIVEN).request
    assert (request.method, request.url) == ("GET", f"{IAM}/v3/auth/tokens")
    assert request.headers == {"X-Auth-Token": "given", "X-Subject-Token": "given"}
    read = check_token(GIVEN).read(token(200, project={"id": "p1", "name": "eu-de"}))
    assert (read.value, read.project_id, read.issued_at, read.expires_at - read.issued_at) == (
        *("given", "p1", ISSUED, timedelta(days=1)),
    )


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_given_token_that_is_refused_is_to_be_replaced(status: int) -> None:
    answer = Response(status, {}, b'{"message": "no such token: given"}')
    assert said(check_token(GIVEN), answer, LoginRefusedError) == (
        f"Could not use the given token at {IAM}: the cloud said: no such token: ***. It has ended, was revoked, or is "
        "of another cloud: put a new one into the connection's password."
    )


def test_a_given_token_that_is_for_another_project_or_for_none_is_named() -> None:
    theirs = token(200, project={"id": "p1", "name": "eu-de"})
    for who, found in (
        (
            replace(GIVEN, project_id="p2"),
            "id p1, and the connection names p2: give a token of that project, or leave project_id out.",
        ),
        (
            replace(GIVEN, project_id="p1", project_name="eu-nl"),
            "name eu-de, and the connection names eu-nl: give a token of that project, or leave project_name out.",
        ),
    ):
        assert said(check_token(who), theirs, LoginRefusedError) == (
            f"Could not use the given token at {IAM}: it is for project {found}"
        )
    assert check_token(replace(GIVEN, project_id="p1", project_name="eu-de")).read(theirs).project_id == "p1"
    assert said(check_token(GIVEN), token(200), LoginRefusedError).endswith(
        "it is for no project. Give one that is scoped to a project."
    )


@pytest.mark.parametrize(
    ("lasts", "good"),
    [
        *((timedelta(seconds=1), True), (timedelta(days=3649), True)),
        *((timedelta(0), False), (timedelta(seconds=-1), False), (timedelta(days=3650), False)),
    ],
)
def test_a_token_that_lives_not_at_all_or_for_ever_is_none(lasts: timedelta, good: bool) -> None:
    if good:
        assert log_in(USER).read(token(lasts=lasts)).expires_at == ISSUED + lasts
    else:
        assert "expires_at is not after issued_at" in said(log_in(USER), token(lasts=lasts), MalformedResponseError)


@pytest.mark.parametrize(
    ("entry", "endpoints"),
    [
        ({}, {"eu-de": "https://ims.example"}),
        ({"region": None, "region_id": "eu-nl"}, {"eu-nl": "https://ims.example"}),
        ({"url": "http://ims.example//"}, {"eu-de": "http://ims.example"}),
        ({"url": "https://ims.example/X/"}, {"eu-de": "https://ims.example/X"}),
        ({"url": "https://ims.example:8443/"}, {"eu-de": "https://ims.example:8443"}),
        *(({"url": bad}, {}) for bad in ("ftp://ims.example", "https://", "https://ims.example:0", "https://ims:x")),
        *(({"url": bad}, {}) for bad in ("https://ims.exa mple", "https://ims.exämple", "https://ims.example/\x07")),
        *(({"interface": other}, {}) for other in ("internal", "admin", None)),
    ],
)
def test_what_a_catalog_tells_of_ims(entry: dict[str, Any], endpoints: dict[str, str]) -> None:
    public = {"interface": "public", "region": "eu-de", "url": "https://ims.example/"} | entry
    catalog = [{"type": "image", "endpoints": [public]}, {"type": "image"}, {"endpoints": [public]}]
    assert log_in(USER).read(token(catalog=catalog)).endpoints == endpoints


def test_the_project_of_an_access_key_is_asked_for_once_by_id_or_else_by_name() -> None:
    for who, path in (
        (KEY, "?name=eu-de"),
        (replace(KEY, project_name="eu-de/ü &"), "?name=eu-de%2F%C3%BC%20%26"),
        (replace(KEY, project_id="p/1"), "/p%2F1"),
    ):
        request = find_project(who).request
        assert (request.method, request.url, request.replays) == ("GET", f"{IAM}/v3/projects{path}", 0)


def test_a_project_is_read_from_the_list() -> None:
    def read(*rows: tuple[str, str], who: AccessKey = KEY) -> Response:
        return Response(200, {}, json.dumps({"projects": [{"id": row[0], "name": row[1]} for row in rows]}).encode())

    assert find_project(KEY).read(read(("p0", "eu-nl"), ("p1", "eu-de"))) == project_token("p1")
    action = f"Could not find project eu-de at {IAM} with access key AK: "
    mend = " Mend project_name, or give project_id in the connection."
    assert said(find_project(KEY), read(), RefusedError) == f"{action}there is none that the key can reach.{mend}"
    several = read(("p1", "eu-de"), ("p2", "eu-de"))
    assert said(find_project(KEY), several, RefusedError) == f"{action}there are several (p1, p2).{mend}"
    assert "the project's id can be no header" in said(find_project(KEY), read(("ü", "eu-de")), MalformedResponseError)
    assert find_project(replace(KEY, project_id="p9")).read(Response(200)) == project_token("p9")


def test_who_may_not_look_for_a_project_gives_its_id() -> None:
    message = said(find_project(KEY), Response(403, {}, b'{"message": "no: st"}'), ForbiddenError)
    assert "said: no: ***. Grant the user the permission `iam:projects:listProjects`" in message
    assert message.endswith(" Or give project_id in the connection.")
    for status in (403, 404):
        assert find_project(replace(KEY, project_id="p1")).read(Response(status)) == project_token("p1")
    assert said(find_project(KEY), Response(400), RefusedError).endswith(
        "no reason. If it lasts, ask the cloud's support."
    )


def test_what_stands_for_a_token_where_requests_are_signed() -> None:
    found_at = datetime(1, 1, 1, tzinfo=UTC)
    assert project_token("p1") == Token("", found_at, found_at + timedelta(days=1), "p1")


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("No. Check the project. Check the region.", "Check login and password."),
        ("Signature EXPIRED.", "This machine's clock is more than 15 minutes away from the cloud's: set it (NTP)."),
    ],
)
def test_an_access_key_that_is_refused_says_what_to_do(words: str, advice: str) -> None:
    for status, code in ((401, None), (400, "IAM.1102"), (400, "IAM.1109")):
        refused = key_refused(RefusedError(words, status, code, "r1", 5.0))
        assert refused is not None
        assert refused.args == (f"{words.partition(' Check')[0]} {advice}", status, code, "r1", 5.0)
    assert key_refused(RefusedError(words, 400, "IAM.1101")) is None
