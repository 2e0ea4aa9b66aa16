"""Signed requests, as the simulated gateway judges them: both forms, the clock, locked, temporary and ended keys."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.simulator.nouns import StoredKey
from airflow_provider_ims.simulator.signatures import Signature, expected
from airflow_provider_ims.simulator.wire import Call
from tests.simulator.visitor import PROJECT, Visitor, code, read

VECTORS = json.loads((Path(__file__).parents[1] / "samples" / "signatures.json").read_text())
ACCESS_KEY, SECRET = "AKSIMULATOR000000001", "simulator-only-secret-key"


def call_of(vector: dict[str, Any]) -> Call:
    url = vector["url"].partition("?")[0] + f"?{vector.get('sent_query', urlsplit(vector['url']).query)}"
    headers = {**vector.get("headers", {}), "Host": urlsplit(url).netloc, "X-Sdk-Date": VECTORS["date"]}
    if "security_token" in vector:
        headers["X-Security-Token"] = vector["security_token"]
    return Call.read(Request(vector.get("method", "GET"), url, headers, vector.get("body", "").encode()), "")


@pytest.mark.parametrize("vector", [*VECTORS["requests"], VECTORS["scoped"]], ids=lambda vector: vector["name"])
def test_the_gateway_expects_the_signatures_of_the_clouds_own_sdk_in_both_forms(vector: dict[str, Any]) -> None:
    scope = vector.get("scope")
    who = f"Credential={VECTORS['access_key']}/{scope}" if scope else f"Access={VECTORS['access_key']}"
    header = f"SDK-HMAC-SHA256 {who}, SignedHeaders={vector['signed_headers']}, Signature={vector['signature']}"
    signature = Signature.read(header)
    assert signature
    assert expected(signature, VECTORS["secret_key"], call_of(vector)) == vector["signature"]


class Signer(Visitor):
    """A visitor who signs, with what the gateway itself would expect."""

    def sign(
        self,
        path: str,
        secret: str = SECRET,
        access_key: str = ACCESS_KEY,
        scope: str = "",
        late: float = 0.0,
        **more: Any,
    ) -> Response:
        stamp = f"{self.clock.now - timedelta(seconds=late):%Y%m%dT%H%M%SZ}"
        headers = {"Host": "cloud.test", "X-Sdk-Date": stamp, "X-Project-Id": PROJECT}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        names = tuple(sorted(name.lower() for name in headers))
        call = Call.read(Request("GET", f"http://cloud.test{path}", headers), "")
        value = expected(Signature(access_key, scope, names, ""), secret, call)
        who = f"Credential={access_key}/{scope}" if scope else f"Access={access_key}"
        authorization = f"SDK-HMAC-SHA256 {who}, SignedHeaders={';'.join(names)}, Signature={value}"
        return self.ask("GET", path, None, **headers, Authorization=authorization)


def said(response: Response) -> str:
    assert code(response) == (401, "APIGW.0301")
    return str(read(response)["error_msg"])


@pytest.mark.parametrize("scope", ["", "20260301///sdk_request", "20260301/eu-de/ims/sdk_request"])
def test_both_forms_open_iam_and_ims(scope: str) -> None:
    signer = Signer()
    assert signer.sign("/v2/cloudimages?name=a%20b%2A", scope=scope).status == 200
    assert read(signer.sign("/v3/projects?name=eu-de", scope=scope))["projects"][0]["id"] == PROJECT
    assert read(signer.sign(f"/v3/projects/{PROJECT}", scope=scope))["project"]["name"] == "eu-de"
    assert signer.sign("/v3/projects/unknown", scope=scope).status == 404
    assert "verify aksk signature fail" in said(signer.sign("/v2/cloudimages", secret="wrong", scope=scope))


@pytest.mark.parametrize(("late", "good"), [(900, True), (901, False), (-900, True), (-901, False)])
def test_a_signature_is_good_for_fifteen_minutes_before_and_after(late: float, good: bool) -> None:
    response = Signer().sign("/v2/cloudimages", late=late)
    assert (response.status == 200) is good
    if not good:
        assert "signature expired, signature time:" in said(response)
        assert "server time:20260301T120000Z" in said(response)


def test_what_was_changed_on_the_way_is_seen() -> None:
    signer = Signer()
    headers = {"Host": "cloud.test", "X-Sdk-Date": "20260301T120000Z", "X-Project-Id": PROJECT}
    names = ("host", "x-project-id", "x-sdk-date")
    call = Call.read(Request("GET", "http://cloud.test/v2/cloudimages?limit=1", headers), "")
    value = expected(Signature(ACCESS_KEY, "", names, ""), SECRET, call)
    good = f"SDK-HMAC-SHA256 Access={ACCESS_KEY}, SignedHeaders={';'.join(names)}, Signature={value}"
    assert signer.ask("GET", "/v2/cloudimages?limit=1", None, **headers, Authorization=good).status == 200
    for path, changed in (("/v2/cloudimages?limit=2", {}), ("/v2/cloudimages?limit=1", {"X-Project-Id": "other"})):
        said(signer.ask("GET", path, None, **{**headers, **changed}, Authorization=good))
    for bad in (good.replace("host;", ""), good.replace("Access", "Credential"), good[:-1], "SDK-HMAC-SHA256 nonsense"):
        said(signer.ask("GET", "/v2/cloudimages?limit=1", None, **headers, Authorization=bad))


def test_more_than_five_failures_lock_the_key_for_five_minutes() -> None:
    signer = Signer()
    for _ in range(5):
        signer.sign("/v2/cloudimages", secret="wrong")
    assert signer.sign("/v2/cloudimages").status == 200  # five are not more than five
    for _ in range(6):
        signer.sign("/v2/cloudimages", secret="wrong")
    assert "reach the limit,forbidden" in said(signer.sign("/v2/cloudimages"))
    signer.clock.move(299)
    assert "reach the limit,forbidden" in said(signer.sign("/v2/cloudimages"))
    signer.clock.move(1)
    assert signer.sign("/v2/cloudimages").status == 200


def test_temporary_inactive_and_unknown_keys() -> None:
    signer = Signer()
    account = signer.cloud.state.accounts[0]
    ends = signer.clock.now + timedelta(minutes=15)
    temporary = StoredKey("TEMP", "secret", account, "security-token", ends)
    signer.cloud.add_key(temporary)
    signer.cloud.add_key(replace(temporary, access_key="OFF", security_token="", expires_at=None, enabled=False))
    with_token: dict[str, Any] = {"X_Security_Token": "security-token"}
    assert signer.sign("/v2/cloudimages", "secret", "TEMP", **with_token).status == 200
    assert "ak TEMP not exist" in said(signer.sign("/v2/cloudimages", "secret", "TEMP"))
    assert "ak NONE not exist" in said(signer.sign("/v2/cloudimages", "secret", "NONE"))
    assert "decrypt token fail" in said(signer.sign("/v2/cloudimages", "secret", "TEMP", X_Security_Token="other"))
    assert "inactive" in said(signer.sign("/v2/cloudimages", "secret", "OFF"))
    assert code(signer.sign("/v3/projects?name=eu-de", "secret", "OFF")) == (400, "IAM.1107")
    signer.clock.move(900)
    assert "securityToken has expired" in said(signer.sign("/v2/cloudimages", "secret", "TEMP", **with_token))
    assert code(signer.sign("/v3/projects?name=eu-de", "secret", "TEMP", **with_token)) == (400, "IAM.1108")


def test_beside_another_iam_no_key_of_this_one_counts() -> None:
    signer = Signer(iam_url="http://keystone.test/v3")
    assert f"ak {ACCESS_KEY} not exist" in said(signer.sign("/v2/cloudimages"))


def test_a_signed_request_is_for_a_project_of_the_keys_account() -> None:
    assert code(Signer().sign("/v2/cloudimages", X_Project_Id="f" * 32)) == (403, "APIGW.0310")


AGENCY = {"domain_name": "OTC-SIMULATOR", "agency_name": "ims-agency"}


def assume(visitor: Visitor, agency: dict[str, str], **scope: Any) -> Response:
    identity = {"methods": ["assume_role"], "assume_role": agency}
    auth = {"identity": identity, "scope": scope or {"project": {"name": "eu-de"}}}
    return visitor.ask("POST", "/v3/auth/tokens", {"auth": auth})


def test_an_agency_is_assumed_by_a_user_of_another_account() -> None:
    visitor = Visitor()
    partner: dict[str, Any] = {"name": "partner", "domain": {"name": "OTC-PARTNER"}}
    visitor.log_in(scope={"domain": {"name": "OTC-PARTNER"}}, **partner)
    assumed = assume(visitor, AGENCY)
    token = read(assumed)["token"]
    assert (assumed.status, token["methods"], token["user"]["name"]) == (
        201,
        ["assume_role"],
        "OTC-SIMULATOR/ims-agency",
    )
    assert (token["assumed_by"]["user"]["name"], token["project"]["id"]) == ("partner", PROJECT)
    by_xrole = {"domain_name": "OTC-SIMULATOR", "xrole_name": "ims-agency"}  # as the page's own example has it
    assert assume(visitor, by_xrole).status == 201
    assert assume(visitor, AGENCY | {"agency_name": "none"}).status == 404
    assert assume(visitor, {"agency_name": "ims-agency"}).status == 400
    visitor.token = assumed.header("x-subject-token") or ""
    assert visitor.ask("GET", "/v2/cloudimages").status == 200
    assert assume(visitor, AGENCY).status == 403  # an agency assumes no agency


def test_who_may_not_assume_an_agency_is_refused() -> None:
    visitor = Visitor()
    assert assume(visitor, AGENCY).status == 401
    visitor.log_in()
    assert assume(visitor, AGENCY).status == 403
