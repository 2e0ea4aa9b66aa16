"""The two drivers, in a thread and on a loop: what they answer, what they throw, and that they leave nothing behind."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, NoReturn

import pytest

from airflow_provider_ims.auth import Conversation, Pause
from airflow_provider_ims.errors import ConnectError
from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.transport import run, run_async
from tests.world import World, both_drivers

READ = Request("GET", "https://ims")


@both_drivers
def test_a_driver_answers_pauses_and_functions_and_throws_what_failed(world: World) -> None:
    def conversation() -> Conversation[list[Any]]:
        seen: list[Any] = [(yield lambda: "done"), (yield Pause(7.0))]
        world.reachable = False
        try:
            yield READ
        except ConnectError as error:
            seen.append(error.message)
        return seen

    assert world.perform(conversation()) == ["done", None, "No connection to https://cloud.invalid."]
    assert world.pauses == [7.0]


@both_drivers
def test_an_error_that_is_not_ours_ends_the_conversation(world: World) -> None:
    closed: list[bool] = []

    def conversation() -> Conversation[None]:
        try:
            yield lambda: 1 // 0
        finally:
            closed.append(True)

    with pytest.raises(ZeroDivisionError) as failed:
        world.perform(conversation())
    assert (closed, failed.type) == ([True], ZeroDivisionError)  # closed while the error still holds its frames


def test_unless_there_is_patience_each_request_is_sent_once() -> None:
    sent: list[Request] = []

    def conversation() -> Conversation[Any]:
        return (yield READ)

    def send(request: Request) -> Response:
        sent.append(request)
        return Response(429, {"Retry-After": "0"})

    async def send_async(request: Request) -> Response:
        return send(request)

    assert run(conversation(), send).status == asyncio.run(run_async(conversation(), send_async)).status == 429
    assert sent == [READ, READ]


@both_drivers
def test_what_is_to_be_sent_once_is_not_repeated_by_a_driver(world: World) -> None:
    def conversation() -> Conversation[None]:
        yield Request("GET", "https://ims", once=True)

    world.reachable = False
    with pytest.raises(ConnectError):
        world.perform(conversation(), patience=600.0)
    assert (len(world.requests), world.pauses) == (1, [])


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_cancelled_driver_waits_for_what_it_does_in_a_thread(times: int) -> None:
    go_on, done = threading.Event(), []

    def conversation() -> Conversation[None]:
        yield lambda: done.append(go_on.wait(5))

    async def cancel() -> None:
        driver = asyncio.create_task(run_async(conversation(), _never))
        for _ in range(times):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            driver.cancel()
        await asyncio.sleep(0)
        assert not driver.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await driver
        assert done == [True]

    asyncio.run(cancel())


async def _never(request: Request) -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError
