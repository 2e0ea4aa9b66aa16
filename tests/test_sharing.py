"""What many triggers of one connection on an event loop cost: one of everything, looks that are spread, one pace."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import BaseHook

from airflow_provider_ims.errors import ConnectError, ResponseLostError
from airflow_provider_ims.hooks import ImsAsyncHook
from airflow_provider_ims.hooks.sharing import MOST_IN_FLIGHT
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from airflow_provider_ims.triggers import SOONEST_RETURN
from tests.waits import MANY, Started, copying, event_of, events_of, strictly, trigger

pytestmark = pytest.mark.usefixtures("airflow_home")


def test_many_triggers_have_one_of_everything(
    ims_simulator: ImsSimulator, airflow_home: Any, look_ups: list[str]
) -> None:
    job_id = copying(ims_simulator, 1.0)
    before = ims_simulator.cloud.counters.copy()
    events = strictly(lambda: events_of(job_id))
    assert [event["status"] for event in events] == ["success"] * MANY
    assert look_ups == ["ims_default"]
    used = ims_simulator.cloud.counters - before
    assert used["POST log_in"] == 0  # the token that the worker has got serves them too
    assert 0 < used["connections"] <= MOST_IN_FLIGHT


def test_cold_they_log_in_once(ims_simulator: ImsSimulator, look_ups: list[str]) -> None:
    async def together() -> list[str]:
        async def ask() -> str:
            async with ImsAsyncHook() as hook:
                return (await hook.get_image(PLAIN_IMAGE)).id

        return await asyncio.gather(*(ask() for _ in range(MANY)))

    assert set(strictly(together)) == {PLAIN_IMAGE}
    assert (len(look_ups), ims_simulator.cloud.counters["POST log_in"]) == (1, 1)
    assert ims_simulator.cloud.counters["connections"] <= MOST_IN_FLIGHT


def test_who_is_cancelled_disturbs_nobody(ims_simulator: ImsSimulator, look_ups: list[str]) -> None:
    job_id = copying(ims_simulator, 1.0)

    async def some_go() -> list[object]:
        waiting = [asyncio.create_task(event_of(trigger(job_id))) for _ in range(MANY)]
        await asyncio.sleep(0.4)
        for task in waiting[: MANY // 2]:
            task.cancel()
        return list(await asyncio.gather(*waiting, return_exceptions=True))

    ends = strictly(some_go)
    assert [type(end) for end in ends] == [asyncio.CancelledError] * (MANY // 2) + [dict] * (MANY // 2)
    assert {end["status"] for end in ends if isinstance(end, dict)} == {"success"}
    assert look_ups == ["ims_default"]


def test_who_is_cancelled_while_it_looks_up_has_done_so_for_the_others(
    ims_simulator: ImsSimulator, look_ups: list[str]
) -> None:
    async def ask() -> str:
        async with ImsAsyncHook() as hook:
            return (await hook.get_image(PLAIN_IMAGE)).id

    async def the_first_goes() -> list[object]:
        asking = [asyncio.create_task(ask()) for _ in range(3)]
        for _ in range(10):
            if not look_ups:
                await asyncio.sleep(0)
        asking[0].cancel()
        return list(await asyncio.gather(*asking, return_exceptions=True))

    assert [str(end) for end in strictly(the_first_goes)] == ["", PLAIN_IMAGE, PLAIN_IMAGE]
    assert look_ups == ["ims_default"]


def test_each_loop_has_its_own(ims_simulator: ImsSimulator, look_ups: list[str]) -> None:
    job_id = copying(ims_simulator, 0.0)
    for _ in range(2):  # as `dag.test()` runs triggers
        assert strictly(lambda: events_of(job_id, 1))[0]["status"] == "success"
    assert len(look_ups) == 2


def test_a_cloud_that_does_not_answer_holds_nobody_for_long(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = copying(ims_simulator, 0.0)
    impatient = ims_simulator.connection | {"extra": ims_simulator.connection["extra"] | {"timeout": 0.5}}
    monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", json.dumps(impatient))
    ims_simulator.cloud.faults.add(Fault("job", "hang", times=None))

    async def ask() -> object:
        async with ImsAsyncHook(patience=0) as hook:
            return await hook.get_job(job_id)

    async def all_ask() -> list[object]:
        return list(await asyncio.gather(*(ask() for _ in range(20 * MOST_IN_FLIGHT)), return_exceptions=True))

    began = time.monotonic()
    ends = strictly(all_ask)
    assert {type(end) for end in ends} == {ConnectError, ResponseLostError}
    assert time.monotonic() - began < 5, "one after the other they would take ten seconds"


async def all_start(job_id: str) -> None:
    """As a triggerer starts what it finds in the database."""
    await asyncio.gather(*(event_of(Started(job_id)) for _ in range(MANY)))


def test_who_is_started_together_does_not_look_together_nor_too_soon(ims_simulator: ImsSimulator) -> None:
    job_id = copying(ims_simulator, 0.0)
    started = datetime.now(UTC)
    strictly(lambda: all_start(job_id))
    looks = [each.instant - started for each in ims_simulator.cloud.arrivals if each.route == "job"]
    assert len(looks) == MANY
    assert min(looks) >= timedelta(seconds=SOONEST_RETURN / 10)
    for begin in (0.6, 1.2, 1.8, 2.4):
        within = [look for look in looks if timedelta(seconds=begin) <= look < timedelta(seconds=begin + 0.6)]
        assert 0 < len(within) < MANY / 2


def test_who_had_to_wait_for_the_same_look_up_does_not_look_together(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, look_up = copying(ims_simulator, 0.0), BaseHook.aget_connection

    async def slow(conn_id: str) -> Any:
        await asyncio.sleep(1.5)  # a triggerer that has just started is busy
        return await look_up(conn_id)

    monkeypatch.setattr(BaseHook, "aget_connection", slow)
    strictly(lambda: all_start(job_id))
    looks = [each.instant for each in ims_simulator.cloud.arrivals if each.route == "job"]
    assert max(looks) - min(looks) > timedelta(seconds=1)


def test_what_one_is_refused_the_others_do_not_ask(ims_simulator: ImsSimulator) -> None:
    job_id = copying(ims_simulator, 2.0)
    ims_simulator.cloud.faults.add(Fault("job", "status", status=429, retry_after=1, times=None))

    async def throttled_for_a_while() -> tuple[int, list[dict[str, Any]]]:
        waiting = asyncio.create_task(events_of(job_id))
        await asyncio.sleep(2.5)
        refused = ims_simulator.cloud.counters["GET job"]
        ims_simulator.cloud.faults.clear()
        return refused, await waiting

    refused, events = strictly(throttled_for_a_while)
    assert refused <= MOST_IN_FLIGHT + 3, "each would have asked ten times"
    assert {event["status"] for event in events} == {"success"}
