"""Logging in, being refused, being locked out, and how long a token holds."""

from __future__ import annotations

import pytest

from airflow_provider_ims.simulator import Account, Project
from tests.simulator.visitor import BASE, PROJECT, Visitor, code, logged_in, read

OTHER = Account("u2", "other", "secret", "d2", "OTHER", (Project("f" * 32, "eu-de"),))


def test_a_token_says_what_it_is_for() -> None:
    token = read(Visitor().log_in())["token"]
    assert token["project"]["id"] == PROJECT
    assert token["issued_at"] == "2026-03-01T12:00:00.000000Z"
    assert token["expires_at"] == "2026-03-02T12:00:00.000000Z"
    assert [each["url"] for each in token["catalog"][1]["endpoints"]] == ["http://cloud.test"]


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"project": {"id": PROJECT}}, 201),
        ({"project": {"name": "eu-de", "domain": {"name": "OTC-SIMULATOR"}}}, 201),
        ({"project": {"name": "eu-de", "domain": {"name": "ELSEWHERE"}}}, 401),
        ({"project": {"name": "eu-nl"}}, 401),
        ({"project": {}}, 400),
        ({"domain": {"name": "OTC-SIMULATOR"}}, 201),
    ],
)
def test_scopes(scope: object, status: int) -> None:
    assert Visitor().log_in(scope=scope).status == status


def test_a_user_can_be_named_by_id() -> None:
    visitor = Visitor()
    user_id = read(visitor.log_in())["token"]["user"]["id"]
    assert visitor.log_in(id=user_id).status == 201
    assert visitor.log_in(id="0" * 32).status == 401


def test_a_domain_token_opens_no_project() -> None:
    visitor = Visitor()
    token = read(visitor.log_in(scope={"domain": {"name": "OTC-SIMULATOR"}}))["token"]
    assert token["domain"]["name"] == "OTC-SIMULATOR"
    assert "project" not in token
    assert code(visitor.ask("GET", "/v2/cloudimages")) == (403, "APIGW.0310")


def test_a_token_of_another_region_is_refused() -> None:
    visitor = Visitor(more_projects=("eu-nl", "eu-de_sub"))
    visitor.log_in(scope={"project": {"name": "eu-nl"}})
    assert code(visitor.ask("GET", "/v2/cloudimages")) == (401, "APIGW.0307")
    visitor.log_in(scope={"project": {"name": "eu-de_sub"}})
    assert visitor.ask("GET", "/v2/cloudimages").status == 200


def test_the_catalog_can_be_left_out() -> None:
    assert "catalog" not in read(Visitor().log_in(query="?nocatalog=true"))["token"]


@pytest.mark.parametrize("body", [{}, {"auth": {}}, {"auth": {"identity": {"methods": ["password"]}}}, []])
def test_a_log_in_that_cannot_be_read_is_no_wrong_password(body: object) -> None:
    visitor = Visitor()
    assert visitor.ask("POST", "/v3/auth/tokens", body).status == 400
    assert visitor.cloud.counters["log_ins_refused"] == 0


def test_five_wrong_passwords_lock_the_user_for_fifteen_minutes() -> None:
    visitor = Visitor()
    for _ in range(5):
        assert read(visitor.log_in("wrong"))["error"]["message"] == "The username or password is wrong."
    assert read(visitor.log_in())["error"]["message"] == "The account is locked."
    visitor.clock.move(899)
    assert visitor.log_in().status == 401
    visitor.clock.move(1)
    assert visitor.log_in().status == 201
    assert visitor.cloud.counters["log_ins_refused"] == 7
    assert visitor.cloud.counters["log_ins_locked"] == 2


def test_wrong_passwords_far_apart_do_not_lock() -> None:
    visitor = Visitor()
    for _ in range(10):
        visitor.log_in("wrong")
        visitor.clock.move(226)
    assert visitor.log_in().status == 201
    assert visitor.cloud.counters["log_ins_locked"] == 0


def test_the_count_begins_anew_after_a_log_in_and_after_a_lock() -> None:
    visitor = Visitor(lockout_window=3600.0)
    for passwords in (["wrong"] * 4, ["wrong"] * 4, ["wrong"] * 5):
        assert [visitor.log_in(password).status for password in passwords] == [401] * len(passwords)
        if len(passwords) == 5:
            visitor.clock.move(900)
            visitor.log_in("wrong")
        assert visitor.log_in().status == 201


def test_a_token_ends_at_its_instant() -> None:
    visitor = logged_in(token_lifetime=60.0)
    visitor.clock.move(59.9)
    assert visitor.ask("GET", "/v2/cloudimages").status == 200
    visitor.clock.move(0.1)
    response = visitor.ask("GET", "/v2/cloudimages")
    assert code(response) == (401, "APIGW.0301")
    assert "token expires, expires_at:2026-03-01T12:01:00.000000Z" in read(response)["error_msg"]


def test_a_new_token_leaves_the_old_one_standing_until_all_are_revoked() -> None:
    visitor = logged_in()
    old = visitor.token
    visitor.log_in()
    assert visitor.token != old
    assert visitor.ask("GET", "/v2/cloudimages", X_Auth_Token=old).status == 200
    assert visitor.cloud.revoke_tokens() == 2
    assert code(visitor.ask("GET", "/v2/cloudimages")) == (401, "APIGW.0307")
    visitor.log_in()
    assert visitor.ask("GET", "/v2/cloudimages").status == 200


@pytest.mark.parametrize(("token", "text"), [("", "x-auth-token not found"), ("nonsense", "decrypt token fail")])
def test_who_brings_no_token_stays_outside(token: str, text: str) -> None:
    visitor = Visitor()
    visitor.token = token
    assert text in read(visitor.ask("GET", "/v2/cloudimages"))["error_msg"]


def test_a_token_can_be_checked_and_given_back() -> None:
    visitor = logged_in()
    subject = visitor.token
    checked = visitor.ask("GET", "/v3/auth/tokens", X_Subject_Token=subject)
    assert (checked.status, read(checked)["token"]["project"]["id"]) == (200, PROJECT)
    assert visitor.ask("HEAD", "/v3/auth/tokens", X_Subject_Token=subject).body == b""
    refused = visitor.ask("HEAD", "/v3/auth/tokens", X_Subject_Token="nonsense")
    assert (refused.status, refused.body) == (404, b"")
    visitor.log_in()
    assert visitor.ask("DELETE", "/v3/auth/tokens", X_Subject_Token=subject).status == 204
    assert visitor.ask("GET", "/v3/auth/tokens", X_Subject_Token=subject).status == 404


def test_a_changed_password_counts_at_once() -> None:
    visitor = Visitor()
    visitor.cloud.change(password="new")
    assert visitor.log_in().status == 401
    assert visitor.log_in("new").status == 201


def test_accounts_do_not_see_each_other() -> None:
    visitor = logged_in()
    visitor.cloud.add_account(OTHER)
    copied = visitor.copy()
    assert visitor.log_in("secret", name="other", domain={"name": "OTHER"}).status == 201
    assert {row["visibility"] for row in visitor.images()} == {"public"}
    assert visitor.ask("GET", f"/v1/{PROJECT}/jobs/{read(copied)['job_id']}").status == 400
    assert visitor.ask("GET", f"/v1/{'f' * 32}/jobs/{read(copied)['job_id']}").status == 400


def test_projects_are_found_by_name() -> None:
    visitor = logged_in(more_projects=("eu-de_sub",))
    found = read(visitor.ask("GET", "/v3/projects?name=eu-de_sub"))["projects"]
    assert [project["name"] for project in found] == ["eu-de_sub"]
    assert len(read(visitor.ask("GET", "/v3/auth/projects"))["projects"]) == 2
    assert visitor.ask("GET", "/v3/projects?page=1").status == 400


def test_the_identity_version_is_discovered() -> None:
    visitor = Visitor()
    assert read(visitor.ask("GET", "/v3"))["version"]["id"].startswith("v3.")
    root = visitor.ask("GET", "/")
    versions = {version["id"]: version["links"][0]["href"] for version in read(root)["versions"]["values"]}
    assert (root.status, versions["v3.6"], versions["v2.2"]) == (300, f"{BASE}/v3/", f"{BASE}/v2/")


def test_rates_are_limited_when_asked_for() -> None:
    visitor = Visitor(ims_rate_limit=2, iam_rate_limit=1, retry_after=7)
    assert visitor.log_in().status == 201
    refused = visitor.log_in()
    assert (refused.header("retry-after"), *code(refused)) == ("7", 429, "IAM.0012")
    statuses = [visitor.ask("GET", "/v2/cloudimages").status for _ in range(3)]
    assert statuses == [200, 200, 429]
    visitor.clock.move(60)
    assert visitor.ask("GET", "/v2/cloudimages").status == 200
