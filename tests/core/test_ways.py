"""The four ways to log in: what is promised of the password holds for each, and what is refused says what to mend."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_ims.auth import LogIn
from airflow_provider_ims.credentials import Credentials
from airflow_provider_ims.errors import LoginRefusedError
from airflow_provider_ims.listing import own_images
from airflow_provider_ims.models import Request, Token
from airflow_provider_ims.settings import Settings
from airflow_provider_ims.simulator.nouns import StoredKey
from airflow_provider_ims.transport import run
from tests.world import COPY, LOOK, WAYS, World, both_drivers, token_store

each_way = pytest.mark.parametrize("auth", WAYS)
ASKED_OF_IAM = {"password": 1, "aksk": 1, "token": 1, "agency": 2}
"""Requests to IAM until the first look."""


def asked_of_iam(world: World) -> int:
    return sum("/v3/" in request.url for request in world.requests)


def refusal(world: World, auth: str, **fields: Any) -> LoginRefusedError:
    with pytest.raises(LoginRefusedError) as refused:
        world.perform(world.another_client(fields.pop("directory", None), auth=auth, **fields).ask(LOOK), patience=60.0)
    return refused.value


@both_drivers
@each_way
def test_one_log_in_serves_many_calls_and_processes(world: World, tmp_path: Path, auth: str) -> None:
    for _ in range(3):
        client = world.another_client(tmp_path, auth=auth)
        assert world.perform(client.ask(LOOK)).is_active
        assert world.perform(client.ask(COPY))
    assert asked_of_iam(world) == ASKED_OF_IAM[auth]


@each_way
@pytest.mark.parametrize("shared", [True, False], ids=["one process", "processes"])
def test_twenty_that_start_together_log_in_once(world: World, tmp_path: Path, auth: str, shared: bool) -> None:
    one = world.another_client(tmp_path, auth=auth)
    clients = [one if shared else world.another_client(tmp_path, auth=auth) for _ in range(20)]
    tokens = world.in_turns([client.token() for client in clients])
    assert isinstance(tokens[0], Token)
    assert tokens == [tokens[0]] * 20
    assert asked_of_iam(world) == ASKED_OF_IAM[auth]


@each_way
def test_what_was_kept_is_renewed_before_its_end(world: World, auth: str) -> None:
    client = world.another_client(auth=auth)
    world.perform(client.ask(LOOK))
    world.wait(86400.0 - 301)
    world.perform(client.ask(LOOK))
    assert asked_of_iam(world) == ASKED_OF_IAM[auth]
    world.wait(1)
    world.perform(client.ask(LOOK))
    assert asked_of_iam(world) == 2 * ASKED_OF_IAM[auth]


@both_drivers
@pytest.mark.parametrize("auth", ["password", "agency"])
def test_a_revoked_token_costs_one_renewal(world: World, auth: str) -> None:
    client = world.another_client(auth=auth)
    world.perform(client.ask(COPY))
    world.cloud.revoke_tokens()
    world.perform(client.ask(COPY))
    world.perform(client.ask(COPY))
    # with an agency the user's own token is revoked, too: it is tried, renewed, and the agency assumed once more
    assert asked_of_iam(world) == {"password": 2, "agency": 5}[auth]
    assert world.counted("copies_accepted") == 3


@each_way
def test_no_secret_goes_where_it_does_not_belong(
    world: World, tmp_path: Path, auth: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = world.another_client(tmp_path, auth=auth)
    world.perform(client.ask(COPY))
    secret = client.settings.credentials.secret.strip()
    *to_iam, copy = world.requests
    assert secret not in f"{copy.url}{copy.body!r}" + (str(dict(copy.headers)) if auth != "token" else "")
    shown = f"{client}{client.settings}{world.requests}{caplog.text}{[str(path) for path in tmp_path.iterdir()]}"
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for hidden in (secret, *world.cloud.state.tokens):
        assert hidden not in shown
        assert hidden.encode() not in kept
    if auth == "aksk":
        assert not [request for request in to_iam if secret in str(dict(request.headers)) + request.url]


BODIES = [lambda said: f'{{"error_msg": "you sent {said}", "error_code": "APIGW.0301"}}', lambda said: f"<p>{said}</p>"]


@each_way
@pytest.mark.parametrize("status", [302, 400, 401, 403, 503])
@pytest.mark.parametrize("body", BODIES, ids=["json", "html"])
@pytest.mark.parametrize("place", ["/v3/", "/v2/"])
def test_what_the_server_repeats_is_in_no_error(auth: str, status: int, body: Any, place: str) -> None:
    world = World()
    account = world.cloud.state.accounts[0]
    world.cloud.add_key(StoredKey("TEMP", "temporary-secret", account, "security-token-of-it"))
    fields: dict[str, Any] = {}
    if auth == "aksk":
        fields = {"login": "TEMP", "password": "temporary-secret", "more": {"security_token": "security-token-of-it"}}
    client = world.another_client(auth=auth, **fields)
    sent: list[str] = []

    def send(request: Request) -> Any:
        secrets = [request.headers.get(name) for name in ("X-Auth-Token", "X-Security-Token")]
        said = next(filter(None, secrets), client.settings.credentials.secret.strip())
        if place not in request.url:
            return world.answer(request)
        sent.append(said)
        return replace(world.answer(request), status=status, headers={"Location": f"/{said}"}, body=body(said).encode())

    with pytest.raises(Exception, match="Could not") as refused:
        run(client.ask(LOOK), send, 0.0, world.wait)
    shown = str(refused.value) + repr(refused.value)
    assert sent
    assert not [said for said in sent if said[:20] in shown]


def test_a_given_token_that_has_ended_says_so_and_another_one_is_used_at_once(world: World, tmp_path: Path) -> None:
    world.perform(world.another_client(tmp_path, auth="token").ask(LOOK))
    world.wait(86400)
    for _ in range(3):
        said = str(refusal(world, "token", directory=tmp_path))
        assert "put a new one into the connection's password" in said
    asked = asked_of_iam(world)
    assert asked == 2
    new = world.cloud.issue_token()
    assert world.perform(world.another_client(tmp_path, auth="token", password=new).ask(LOOK)).is_active


def test_a_given_token_that_is_revoked_is_refused_with_what_iam_says(world: World) -> None:
    client = world.another_client(auth="token")
    world.perform(client.ask(COPY))
    world.cloud.revoke_tokens()
    with pytest.raises(LoginRefusedError, match="X-Auth-Token is invalid"):
        world.perform(client.ask(COPY))
    assert world.counted("copies_accepted") == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"project_id": "p1"}, "it is for project id 0215ef11e49d4743be23dd97a1561e91, and the connection names p1"),
        ({"project_name": "eu-de_x"}, "it is for project name eu-de, and the connection names eu-de_x"),
    ],
)
def test_a_given_token_for_another_project_is_not_used(world: World, more: dict[str, str], said: str) -> None:
    assert said in str(refusal(world, "token", more=more))
    assert world.counted("GET image") == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"agency_name": "none"}, "Could not find agency: none"),
        ({"agency_domain_name": "NOBODY"}, "agency_domain_name"),
        ({"project_name": "eu-de_none"}, "project_name / project_id"),
    ],
)
def test_an_agency_that_cannot_be_assumed_says_what_to_check(world: World, more: dict[str, str], said: str) -> None:
    error = str(refusal(world, "agency", more=more))
    assert said in error
    assert "Agent Operator" in error
    assert "assume agency" in error


def test_who_may_not_assume_an_agency_is_told_so(world: World) -> None:
    cloud = world.cloud.settings
    error = refusal(world, "agency", login=cloud.user_name, more={"domain_name": cloud.domain_name})
    assert (error.status, "Agent Operator" in str(error)) == (403, True)


def test_a_wrong_password_for_an_agency_is_sent_once(world: World, tmp_path: Path) -> None:
    clients = [world.another_client(tmp_path, auth="agency", password="wrong") for _ in range(10)]
    ends = world.in_turns([client.ask(LOOK) for client in clients])
    assert {type(end) for end in ends} == {LoginRefusedError}
    assert all("Check the connection's login, password, domain_name." in str(end) for end in ends)
    assert world.log_ins == 1


def test_two_agencies_of_a_user_share_the_users_log_in(world: World, tmp_path: Path) -> None:
    world.cloud.change(more_projects=("eu-de_sub",))
    for project in ("eu-de", "eu-de_sub"):
        world.perform(world.another_client(tmp_path, auth="agency", more={"project_name": project}).token())
    assert [request.body.count(b'"password"') > 0 for request in world.requests] == [True, False, False]


@both_drivers
@each_way
def test_whose_credentials_are_refused_looks_once_at_the_connection(world: World, auth: str) -> None:
    looked: list[str] = []
    good, wrong = world.connected(auth), world.connected(auth, password="not-this-one")

    def look(found: Settings) -> Settings:
        looked.append(auth)
        return found

    mended = replace(world.another_client(auth=auth, password="not-this-one"), look_again=lambda: look(good))
    assert world.perform(mended.ask(COPY))
    still = replace(mended, look_again=lambda: look(wrong))
    with pytest.raises(LoginRefusedError):
        world.perform(still.ask(COPY))
    assert (len(looked), world.counted("copies_accepted")) == (2, 1)


@both_drivers
@each_way
def test_a_look_at_all_images_takes_the_new_credentials_too(world: World, auth: str) -> None:
    client = world.another_client(auth=auth, password="not-this-one")
    images, _ = world.perform(own_images(replace(client, look_again=lambda: world.connected(auth))))
    assert images


def test_a_connection_that_is_another_one_each_time_is_looked_at_once(world: World) -> None:
    passwords = iter("abc")
    client = replace(
        world.another_client(password="wrong"), look_again=lambda: world.connected(password=next(passwords))
    )
    with pytest.raises(LoginRefusedError):
        world.perform(client.ask(LOOK))
    assert (next(passwords), world.log_ins) == ("b", 2)


def test_a_way_that_nobody_knows_is_named(world: World) -> None:
    who = Credentials(iam_url="https://iam")
    with pytest.raises(TypeError, match=r"^no way to log in: Credentials$"):
        world.perform(LogIn(who, token_store(), lambda: world.now).obtain())


def test_who_does_not_know_its_project_yet_names_none(world: World) -> None:
    world.perform(world.another_client(auth="aksk").ask(LOOK))
    assert ["X-Project-Id" in request.headers for request in world.requests] == [False, True]
