"""``ImageTrigger``: which images it fires for, and what it remembers when Airflow starts it again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.triggers.base import TriggerEvent

from airflow_provider_ims.errors import ArgumentError
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.triggers import ImageTrigger

pytestmark = pytest.mark.usefixtures("airflow_home")
Scene = Callable[["Triggerer"], Awaitable[None]]


class AssetStore:
    """As much of Airflow's asset state store as a trigger asks for; ``fails``: it does not take anything."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.fails = False
        self.hiccups = 0

    async def aget(self, key: str) -> Any:
        if self.hiccups:
            self.hiccups -= 1
            raise json.JSONDecodeError("a backend of the user's own", "", 0)
        return json.loads(self.kept[key]) if key in self.kept else None

    async def aset(self, key: str, value: Any) -> None:
        if self.fails:
            raise RuntimeError("the database is locked")
        self.kept[key] = json.dumps(value)


class Triggerer:
    """As much of Airflow's triggerer as runs one watcher: ``fired`` are the names of the images that it stored.

    :param store: the asset's state store; without one the trigger runs as it does before Airflow 3.3.
    """

    def __init__(self, store: AssetStore | None, **arguments: Any) -> None:
        self.store = store
        self.fired: list[str] = []
        self.payloads: list[dict[str, Any]] = []
        self.dies_before_confirming = False
        given: dict[str, Any] = {"name": "golden-*", "poll_interval": 0.05} | arguments
        path, kwargs = ImageTrigger(**given).serialize()
        assert path == "airflow_provider_ims.triggers.ImageTrigger"  # stored with every watcher: never moves
        self.trigger = ImageTrigger(**json.loads(json.dumps(kwargs)))

    async def run(self) -> None:
        if self.store is None:
            async for event in self.trigger.run():
                self._keep(event)
        else:
            await self._run_acknowledging()

    async def _run_acknowledging(self) -> None:
        self.trigger.asset_state_store = self.store  # type: ignore[assignment]
        producer = self.trigger.create_shared_stream_producer(self.trigger.serialize()[1])
        waiting: list[Any] = []

        async def raw() -> AsyncIterator[Any]:
            async for told, image_id in producer.open_stream():
                waiting.append(image_id)
                yield told
                if not self.dies_before_confirming:
                    outcome = type("Outcome", (), {"is_clean": True})
                    await producer.advance([(waiting.pop(), outcome)])

        async for event in self.trigger.filter_shared_stream(raw()):
            self._keep(event)

    def _keep(self, event: TriggerEvent) -> None:
        payload = json.loads(json.dumps(event.payload))
        self.payloads.append(payload)
        self.fired.append(payload["image_name"])

    async def has_fired(self, *names: str) -> None:
        await until(lambda: len(self.fired) >= len(names))
        assert self.fired == list(names)


def play(simulator: ImsSimulator, triggerer: Triggerer, scene: Scene) -> Triggerer:
    """Play the scene while the triggerer runs and has looked once; in the end it is killed."""

    async def run() -> None:
        running = asyncio.create_task(triggerer.run())
        try:
            await looks(simulator, 1)
            await scene(triggerer)
            await looks(simulator, 2)
        finally:
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    asyncio.run(run())
    return triggerer


async def looks(simulator: ImsSimulator, more: int) -> None:
    """Wait for so many looks that were answered."""
    before = simulator.cloud.counters["GET list"]
    await until(lambda: simulator.cloud.counters["GET list"] >= before + more)
    await asyncio.sleep(0.03)  # until it was read


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 - nobody here sets an event
            await asyncio.sleep(0.02)


async def nothing(triggerer: Triggerer) -> None:
    await asyncio.sleep(0)


with_and_without_a_store = pytest.mark.parametrize("store", [AssetStore, lambda: None], ids=["store", "none"])


@with_and_without_a_store
def test_it_fires_once_for_each_image_that_is_published(ims_simulator: ImsSimulator, store: Any) -> None:
    async def scene(triggerer: Triggerer) -> None:
        ims_simulator.cloud.add_image("golden-a")
        ims_simulator.cloud.add_image("silver-b")
        await triggerer.has_fired("golden-a")
        ims_simulator.cloud.add_image("golden-c")
        await triggerer.has_fired("golden-a", "golden-c")

    triggerer = play(ims_simulator, Triggerer(store(), name="golden-?"), scene)
    assert triggerer.fired == ["golden-a", "golden-c"]
    assert triggerer.payloads[0]["image_type"] == "private"
    assert triggerer.payloads[0]["size"] == 2 * 1024**3


def test_an_old_image_that_becomes_active_late_is_not_missed(ims_simulator: ImsSimulator) -> None:
    slow = ims_simulator.cloud.add_image("golden-slow", status="saving")

    async def scene(triggerer: Triggerer) -> None:
        ims_simulator.cloud.add_image("golden-quick")
        await triggerer.has_fired("golden-quick")
        slow.status = "active"
        await triggerer.has_fired("golden-quick", "golden-slow")

    play(ims_simulator, Triggerer(AssetStore()), scene)


def test_a_restart_loses_none_and_repeats_none(ims_simulator: ImsSimulator) -> None:
    store = AssetStore()

    async def scene(triggerer: Triggerer) -> None:
        ims_simulator.cloud.add_image("golden-1")
        await triggerer.has_fired("golden-1")

    play(ims_simulator, Triggerer(store), scene)
    ims_simulator.cloud.add_image("golden-while-down")
    assert play(ims_simulator, Triggerer(store, poll_interval=0.06), nothing).fired == ["golden-while-down"]
    assert play(ims_simulator, Triggerer(store), nothing).fired == []


def test_what_airflow_has_not_confirmed_comes_again(ims_simulator: ImsSimulator) -> None:
    store = AssetStore()
    dying = Triggerer(store)
    dying.dies_before_confirming = True

    async def scene(triggerer: Triggerer) -> None:
        ims_simulator.cloud.add_image("golden-1")
        await triggerer.has_fired("golden-1")

    assert play(ims_simulator, dying, scene).fired == ["golden-1"]
    assert play(ims_simulator, Triggerer(store), nothing).fired == ["golden-1"]


def test_a_store_that_fails_for_a_moment_repeats_nothing(ims_simulator: ImsSimulator) -> None:
    store = AssetStore()

    async def scene(triggerer: Triggerer) -> None:
        store.fails = True
        ims_simulator.cloud.add_image("golden-1")
        await triggerer.has_fired("golden-1")
        await looks(ims_simulator, 2)
        store.fails = False

    assert play(ims_simulator, Triggerer(store), scene).fired == ["golden-1"]
    assert play(ims_simulator, Triggerer(store), nothing).fired == []


def test_a_store_that_does_not_answer_for_a_moment_is_asked_again(ims_simulator: ImsSimulator) -> None:
    store = AssetStore()
    play(ims_simulator, Triggerer(store), nothing)
    ims_simulator.cloud.add_image("golden-old", created_at=datetime.now(UTC) - timedelta(hours=2))
    store.hiccups = 1
    assert play(ims_simulator, Triggerer(store), nothing).fired == ["golden-old"]


def test_without_a_store_a_start_repeats_the_last_hour(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.add_image("golden-1")
    triggerer = play(ims_simulator, Triggerer(None, name="golden-[0-9]"), nothing)
    assert triggerer.fired == ["golden-1"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("list", "status", status=503),
        Fault("list", "reset_before"),
        Fault("log_in", "status", status=500),
    ],
    ids=lambda fault: f"{fault.route} {fault.kind}",
)
def test_a_look_that_fails_is_no_news_and_no_end(ims_simulator: ImsSimulator, fault: Fault) -> None:
    ims_simulator.cloud.faults.add(fault)

    async def scene(triggerer: Triggerer) -> None:
        await looks(ims_simulator, 1)
        ims_simulator.cloud.add_image("golden-1")
        await triggerer.has_fired("golden-1")

    play(ims_simulator, Triggerer(AssetStore()), scene)


def test_refused_credentials_are_said_and_do_not_end_it(
    ims_simulator: ImsSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    ims_simulator.cloud.faults.add(Fault("log_in", "status", status=401, times=None))

    async def run() -> None:
        running = asyncio.create_task(Triggerer(AssetStore()).run())
        await until(lambda: "No look at the images" in caplog.text)
        assert not running.done()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(run())
    assert "Check the connection's login, password" in caplog.text
    assert ims_simulator.cloud.settings.password not in caplog.text
    assert ims_simulator.cloud.counters["POST log_in"] == 1


def test_type_and_tag_are_asked_for(ims_simulator: ImsSimulator) -> None:
    async def scene(triggerer: Triggerer) -> None:
        ims_simulator.cloud.add_image("tagged", tags=("stage=test",))
        ims_simulator.cloud.add_image("tagged-public", tags=("stage=test",), public=True)
        ims_simulator.cloud.add_image("other", tags=("stage=live",))
        await triggerer.has_fired("tagged")

    triggerer = Triggerer(AssetStore(), name=None, tag="stage=test", image_type="private")
    assert play(ims_simulator, triggerer, scene).payloads[0]["tags"] == ["stage=test"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "No filter is given"),
        ({"name": " "}, "name is ' '"),
        ({"tag": "stage"}, "tag is 'stage': give key=value"),
        ({"image_type": "public"}, "image_type is 'public': give one of private, gold"),
        ({"name": "golden-*", "poll_interval": 0}, "poll_interval is 0"),
    ],
)
def test_what_is_malformed_is_refused_at_parsing(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        ImageTrigger(**arguments)
