"""The report of ``airflow ims probe``: what it says where something is refused, and what it does not tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_ims.errors import ForbiddenError, LoginRefusedError
from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from airflow_provider_ims.simulator.settings import Settings, read_settings
from tests.probing import OnWorld, Probed, copies, noted, probe
from tests.world import ADDRESS, WAYS, World

pytestmark = pytest.mark.usefixtures("airflow_home")

ALL = ("--duplicate-name", "--concurrency")


NAMES: dict[str, Any] = {"user_name": "jane.doe", "domain_name": "ACME-GMBH-0001", "project_name": "eu-de_payroll"}


def told(world: World, probed: Probed) -> list[str]:
    """What the files tell of whose account it is, and its secrets."""
    cloud = world.cloud.settings
    account = world.cloud.state.accounts[0]
    (image,) = (image for image in world.cloud.images() if image["id"] == PLAIN_IMAGE)
    secrets = [*NAMES.values(), cloud.password, cloud.project_id, account.user_id, account.domain_id, image["id"]]
    secrets += [image["name"], ADDRESS, "cloud.invalid", *world.cloud.state.tokens]
    secrets += [job.id for job in world.cloud.jobs] + [job.image_id for job in world.cloud.jobs]
    files = probed.report + json.dumps(probed.settings)
    return [secret for secret in secrets if secret in files]


def world_of_names(**settings: Any) -> tuple[World, OnWorld]:
    world = World(**NAMES, **settings)
    hook = OnWorld(world)
    extra = {"region": "eu-de", "iam_endpoint": ADDRESS} | {key: NAMES[key] for key in ("domain_name", "project_name")}
    hook.client = world.another_client(extra=extra)
    return world, hook


@pytest.mark.parametrize("missing", [(), ("ims:images:copy",), ("ims:images:delete",)])
def test_the_report_tells_neither_secrets_nor_whose_account_it_is(airflow_home: Path, missing: tuple[str, ...]) -> None:
    world, hook = world_of_names(missing_permissions=missing)
    words = (
        f"User jane.doe of ACME-GMBH-0001 ({world.cloud.settings.project_id}, eu-de_payroll) may not copy "
        f"golden-source-ubuntu-24.04, {PLAIN_IMAGE}; password {world.cloud.settings.password}"
    )
    world.cloud.faults.add(Fault("job", "status", status=400, code="IMG.0023", message=words))
    probed = probe(hook, airflow_home, *ALL)
    assert "User *** of *** (***, ***) may not copy ***, ***; password ***" in probed.report
    assert len(world.cloud.state.tokens) == 1
    assert told(world, probed) == []


def test_a_token_that_the_cloud_repeats_is_not_told_even_in_part(airflow_home: Path) -> None:
    world, hook = world_of_names()

    def repeat(request: Request) -> None:
        for token in world.cloud.state.tokens if "/jobs/" in request.url and not world.counted("GET job") else ():
            world.cloud.faults.add(Fault("job", "status", status=400, code="IMG.0023", message=f"not {token}"))

    hook.before = repeat
    probed = probe(hook, airflow_home)
    (token,) = world.cloud.state.tokens
    assert "| not *** |" in probed.report
    assert token[:20] not in probed.report


def test_a_failed_jobs_reason_is_no_leak(airflow_home: Path) -> None:
    world, hook = world_of_names(fail_code="IMG.0099", fail_reason="jane.doe may not use eu-de_payroll's key")
    probed = probe(hook, airflow_home)
    assert probed.status == 1
    assert probed.row("fail_word") == {
        "question": "fail_word",
        "verdict": "confirmed",
        "seen": "FAIL",
        "setting": "FAIL",
    }
    assert told(world, probed) == []


@pytest.mark.parametrize("auth", WAYS)
def test_each_way_to_log_in_is_probed_and_not_told(airflow_home: Path, auth: str) -> None:
    names: dict[str, Any] = {
        "agency_name": "partners",
        "agency_user_name": "joe.public",
        "agency_user_domain_name": "PARTNER-0002",
    }
    world = World(**NAMES, **names)
    cloud = world.cloud.settings
    known = {"password": [cloud.password], "aksk": [cloud.access_key, cloud.secret_key], "token": [world.given_token]}
    mine = known.get(auth, [*names.values(), cloud.password])
    hook = OnWorld(world)
    hook.client = world.another_client(auth=auth, more={"project_name": NAMES["project_name"]})
    world.cloud.faults.add(Fault("job", "status", status=400, code="IMG.0023", message=f"not {', '.join(mine)}"))
    probed = probe(hook, airflow_home, *ALL)
    assert (probed.status, copies(world)) == (0, [])
    assert (probed.row("token_length")["verdict"] == "found") is (auth != "aksk")
    assert probed.row("iam_error_shape")["setting"] == "keystone"
    assert f"not {', '.join('***' for _ in mine)} |" in probed.report
    assert [secret for secret in mine if secret in probed.report] == []
    assert told(world, probed) == []


@pytest.mark.parametrize("body", ["IMG.0026", "IMG.0161", "APIGW.0302", "policy"])
@pytest.mark.parametrize(
    "action",
    ["ims:images:get", "ims:images:list", "ims:images:copy", "ims:images:delete", "ims:imageJobs:getPercentage"],
)
def test_a_missing_permission_ends_it_with_a_report(airflow_home: Path, action: str, body: str) -> None:
    world = World(missing_permissions=(action,), permission_body=body)
    probed = probe(OnWorld(world), airflow_home)
    assert probed.settings["permission_body"] == body
    if action in ("ims:images:get", "ims:images:list", "ims:images:copy"):
        assert isinstance(probed.error, ForbiddenError)
        assert action in str(probed.error)
        assert (copies(world), noted(airflow_home)) == ([], [])
    elif action == "ims:images:delete":
        (left,) = world.cloud.copies()
        assert probed.status == 1
        assert f"Left in the cloud: image {left['id']} '{left['name']}'" in probed.on_interrupt
    else:
        assert (probed.status, copies(world)) == (0, [])
        assert probed.row("progress_api")["verdict"] == "otherwise"


def test_a_wrong_password_is_sent_once_and_nothing_is_made(world: World, airflow_home: Path) -> None:
    hook = OnWorld(world)
    hook.client = world.another_client(password="not-this-one")
    probed = probe(hook, airflow_home)
    assert isinstance(probed.error, LoginRefusedError)
    assert world.log_ins == 1
    assert "not-this-one" not in probed.report


class Distorting(OnWorld):
    """A cloud that writes one field, wherever it is, in a way of its own."""

    def __init__(self, world: World, field: str, value: Any) -> None:
        super().__init__(world)
        self.field, self.value = field, value

    def send(self, request: Request) -> Response:
        response = super().send(request)
        if not response.body.startswith(b"{"):
            return response
        return replace(response, body=json.dumps(self._distorted(json.loads(response.body))).encode())

    def _distorted(self, document: Any) -> Any:
        if isinstance(document, list):
            return [self._distorted(each) for each in document]
        if not isinstance(document, dict):
            return document
        return {key: self.value if key == self.field else self._distorted(each) for key, each in document.items()}


FIELDS = [
    "catalog",
    "endpoints",
    "url",
    "region",
    "entities",
    "status",
    "begin_time",
    "end_time",
    "created_at",
    "images",
]
FIELDS += ["__description", "__data_origin", "__image_size", "image_id", "error_code", "error", "user", "type"]


@pytest.mark.parametrize("value", [None, "", "\u2028|`", 7, [[]], {"error": {}}], ids=repr)
@pytest.mark.parametrize("field", FIELDS)
def test_whatever_the_cloud_writes_there_is_a_report(airflow_home: Path, field: str, value: Any) -> None:
    world = World(quota=100)
    probed = probe(Distorting(world, field, value), airflow_home, "--timeout", "100")
    assert "## Not probed" in probed.report
    assert Settings(**read_settings(probed.settings))
    if copies(world):
        assert copies(world)[0] in probed.on_interrupt
