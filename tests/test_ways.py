"""The four ways to log in, on real sockets and with both HTTP libraries: what is signed is what arrives."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims.errors import LoginRefusedError
from airflow_provider_ims.hooks import ImsAsyncHook, ImsHook
from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.protocol import list_images
from airflow_provider_ims.simulator import connection_to
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.nouns import StoredKey
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.shells import GET_IMAGE, Ask, ask_in_thread, ask_on_loop, run_task
from tests.world import WAYS

pytestmark = pytest.mark.usefixtures("airflow_home")
BOTH = pytest.mark.parametrize("ask", [ask_in_thread, ask_on_loop])
EACH_WAY = pytest.mark.parametrize("auth", WAYS)
STRANGE_NAME = "a b+c~*(d)/é%&=?'"


def connect(simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, auth: str, **fields: Any) -> None:
    cloud = simulator.cloud
    token = cloud.issue_token() if auth == "token" else ""
    connection = connection_to(simulator.url, cloud.settings, auth, token) | fields
    monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", json.dumps(connection))


@BOTH
@EACH_WAY
def test_both_hooks_ask_in_each_way(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], auth: str
) -> None:
    connect(ims_simulator, monkeypatch, auth)
    assert ask(GET_IMAGE).id == PLAIN_IMAGE
    assert ask(lambda at: list_images(at, {"name": STRANGE_NAME, "__imagetype": "private"})) == []
    if auth == "aksk":
        signed = [each for each in ims_simulator.cloud.arrivals if "authorization" in each.headers]
        assert len(signed) == len(ims_simulator.cloud.arrivals)
    assert [each.query["name"] for each in ims_simulator.cloud.requests("list")] == [STRANGE_NAME]


@EACH_WAY
def test_a_copy_from_its_begin_to_its_end_in_each_way(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, auth: str
) -> None:
    connect(ims_simulator, monkeypatch, auth)
    task = CopyImageOperator(
        task_id="copy_image", image_id=PLAIN_IMAGE, name="golden ü", wait_for_completion=True, poll_interval=0.1
    )
    run_task(task)
    assert [image["name"] for image in ims_simulator.cloud.copies()] == ["golden ü"]


@EACH_WAY
def test_calls_without_a_method_go_through_run(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, auth: str
) -> None:
    connect(ims_simulator, monkeypatch, auth)
    hook = ImsHook()
    assert hook.run("/v1/cloudimages/quota").json()["quotas"]["resources"][0]["type"] == "image"
    assert hook.run("/v2/cloudimages", {"name": STRANGE_NAME}).json() == {"images": []}
    hook.method = "POST"
    copied = hook.run(f"/v1/cloudimages/{PLAIN_IMAGE}/copy", json={"name": "by hand"})
    assert copied.json()["job_id"]


WHO = {
    "password": "OTC-SIMULATOR/ims-operator",
    "aksk": "access key AKSIMULATOR000000001",
    "token": "a given token",
    "agency": "agency OTC-SIMULATOR/ims-agency, assumed by OTC-PARTNER/partner",
}


@EACH_WAY
def test_the_connection_test_says_who_and_which_way(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, auth: str
) -> None:
    connect(ims_simulator, monkeypatch, auth)
    works, said = ImsHook().test_connection()
    assert works, said
    assert f"as {WHO[auth]}, project {ims_simulator.cloud.settings.project_id}" in said
    assert (", until 20" in said) == (auth != "aksk")
    fields = {"login": "NOBODY"} if auth == "aksk" else {"password": "not-this-one"}
    connect(ims_simulator, monkeypatch, auth, **fields)
    works, said = ImsHook().test_connection()
    assert not works
    assert re_said(said)
    assert "not-this-one" not in said


def re_said(said: str) -> bool:
    """Whether it names a field to mend, and the cloud's id of the request."""
    return "connection's" in said and "request id" in said and said.startswith("Log-in at IAM")


@EACH_WAY
@BOTH
def test_no_redirect_takes_a_secret_along(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], auth: str
) -> None:
    connect(ims_simulator, monkeypatch, auth)
    ims_simulator.cloud.faults.add(Fault("image", "status", status=307))
    with pytest.raises(Exception, match="HTTP 307") as refused:
        ask(GET_IMAGE)
    assert ims_simulator.cloud.counters["GET image"] == 1
    assert refused.value.__context__ is None


def test_a_hook_whose_credentials_are_refused_reads_the_connection_once_more(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(ims_simulator, monkeypatch, "token")
    with ImsHook() as hook:
        hook.get_image(PLAIN_IMAGE)
        ims_simulator.cloud.revoke_tokens()
        with pytest.raises(LoginRefusedError, match="put a new one into the connection"):
            hook.get_image(PLAIN_IMAGE)
        connect(ims_simulator, monkeypatch, "token")  # somebody has put a new one there
        assert hook.get_image(PLAIN_IMAGE).id == PLAIN_IMAGE
        assert hook.get_image(PLAIN_IMAGE).id == PLAIN_IMAGE
    assert ims_simulator.cloud.counters["GET token"] == 3


def test_a_temporary_key_shows_neither_key_nor_token_in_the_log(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, airflow_home: Path
) -> None:
    account = ims_simulator.cloud.state.accounts[0]
    key = StoredKey("TEMP", "canary-secret-key", account, "canary-security-token")
    ims_simulator.cloud.add_key(key)
    extra = ims_simulator.connection["extra"] | {"auth": "aksk", "security_token": key.security_token}
    connect(ims_simulator, monkeypatch, "aksk", login="TEMP", password=key.secret_key, extra=extra)
    caplog.set_level("DEBUG")

    async def look() -> None:
        async with ImsAsyncHook() as hook:
            await hook.get_image(PLAIN_IMAGE)

    asyncio.run(look())
    ask_in_thread(GET_IMAGE)
    ims_simulator.cloud.add_key(replace(key, security_token="another"))
    with pytest.raises(LoginRefusedError) as refused:
        ask_in_thread(GET_IMAGE)
    kept = b"".join(path.read_bytes() for path in airflow_home.rglob("*") if path.is_file())
    shown = f"{caplog.text}{refused.value!r}{kept!r}"
    assert "canary" not in shown
