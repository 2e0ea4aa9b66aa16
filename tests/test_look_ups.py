"""The Airflow connection as those who wait look it up: once for all, and again when it is refused."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from airflow.sdk import BaseHook

from airflow_provider_ims.errors import ConnectionLookUpError, LoginRefusedError
from airflow_provider_ims.hooks import ImsAsyncHook
from airflow_provider_ims.hooks.sharing import BELIEVED
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.waits import MANY, copying, event_of, events_of, strictly, trigger

pytestmark = pytest.mark.usefixtures("airflow_home")


def test_a_connection_that_is_not_there_is_looked_up_once_for_all(look_ups: list[str]) -> None:
    events = strictly(lambda: events_of("0" * 32, ims_conn_id="nowhere", poll_interval=0.001))
    assert {event["error"] for event in events} == {ConnectionLookUpError.__name__}
    assert len(look_ups) < MANY / 2


def test_a_new_password_reaches_those_who_wait_already(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, look_ups: list[str]
) -> None:
    job_id = copying(ims_simulator, 3.0)
    before = ims_simulator.cloud.counters["POST log_in"]

    async def changed_meanwhile() -> list[dict[str, Any]]:
        waiting = asyncio.create_task(events_of(job_id))
        await asyncio.sleep(1.5)
        ims_simulator.cloud.change(password="another")
        ims_simulator.cloud.revoke_tokens()
        monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", ims_simulator.connection_json)
        return await waiting

    assert {event["status"] for event in strictly(changed_meanwhile)} == {"success"}
    assert ims_simulator.cloud.counters["POST log_in"] == before + 2  # the old password once, the new one once
    assert len(look_ups) == 2


def test_a_new_password_reaches_a_hook_of_ones_own(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def changed_meanwhile() -> None:
        async with ImsAsyncHook() as hook:
            await hook.get_image(PLAIN_IMAGE)
            ims_simulator.cloud.change(password="another")
            ims_simulator.cloud.revoke_tokens()
            monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", ims_simulator.connection_json)
            await asyncio.sleep(BELIEVED)
            images = await asyncio.gather(*[hook.get_image(PLAIN_IMAGE) for _ in range(5)])
            assert [image.id for image in images] == [PLAIN_IMAGE] * 5

    strictly(changed_meanwhile)


def test_a_password_that_stays_wrong_ends_the_wait(ims_simulator: ImsSimulator) -> None:
    job_id = copying(ims_simulator, 3600.0)
    ims_simulator.cloud.change(password="another")
    ims_simulator.cloud.revoke_tokens()
    before = ims_simulator.cloud.counters["POST log_in"]
    events = strictly(lambda: events_of(job_id))
    assert {event["error"] for event in events} == {LoginRefusedError.__name__}
    assert ims_simulator.cloud.counters["POST log_in"] == before + 1


def test_a_connection_that_cannot_be_read_again_is_used_as_it_was(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read_again() -> None:
        async with ImsAsyncHook() as hook:
            known = hook.client
            monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", json.dumps({"conn_type": "ims", "login": "someone"}))
            assert await hook.refresh(max_age=0.0) is known
            assert (await hook.get_image(PLAIN_IMAGE)).id == PLAIN_IMAGE

    strictly(read_again)


def test_a_connection_that_airflow_denies_for_a_moment_ends_no_wait(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does where it could not ask for it."""
    job_id = copying(ims_simulator, 0.0)
    monkeypatch.delenv("AIRFLOW_CONN_IMS_DEFAULT")

    async def there_in_a_moment() -> dict[str, Any]:
        waiting = asyncio.create_task(event_of(trigger(job_id, poll_interval=0.5)))
        await asyncio.sleep(0.7)
        monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", ims_simulator.connection_json)
        return await waiting

    assert strictly(there_in_a_moment)["status"] == "success"


def test_a_look_up_that_hangs_holds_nobody_who_knows_the_connection(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = ims_simulator.connection | {"extra": ims_simulator.connection["extra"] | {"timeout": 0.2}}
    monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", json.dumps(impatient))

    async def hang(conn_id: str) -> Any:
        await asyncio.sleep(3600)

    async def look_it_up_again() -> None:
        async with ImsAsyncHook() as hook:
            known = hook.client
            monkeypatch.setattr(BaseHook, "aget_connection", hang)
            async with asyncio.timeout(5):
                assert await hook.refresh(max_age=0.0) is known

    strictly(look_it_up_again)


def test_a_secrets_backend_that_fails_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async def deny(conn_id: str) -> Any:
        raise PermissionError("not yours")

    monkeypatch.setattr(BaseHook, "aget_connection", deny)
    (event,) = strictly(lambda: events_of("0" * 32, 1, poll_interval=0.01))
    assert event["error"] == ConnectionLookUpError.__name__
    assert "'ims_default': PermissionError" in event["args"][0]
