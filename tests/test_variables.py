"""Tokens in Airflow Variables: what a task's process asks of Airflow, and what comes of an Airflow that refuses."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import DeleteVariable, ErrorResponse, GetVariable, PutVariable, VariableResult

from airflow_provider_ims.hooks import ImsAsyncHook, ImsHook
from airflow_provider_ims.hooks.connection import token_store
from airflow_provider_ims.hooks.variables import Variables
from airflow_provider_ims.shelves import Files, Shelf
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.shells import connect

pytestmark = pytest.mark.usefixtures("airflow_home")


class Supervisor:
    """What a task's process says to Airflow of Variables, and what it is answered; ``down``: an API that fails."""

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}
        self.threads: list[str] = []
        self.down = False

    def send(self, message: Any) -> Any:
        if isinstance(message, GetVariable | PutVariable | DeleteVariable):
            self.threads.append(threading.current_thread().name)
            if self.down:
                raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": 503}))
        match message:
            case GetVariable() if message.key in self.variables:
                return VariableResult(key=message.key, value=self.variables[message.key])
            case GetVariable():
                return ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND)
            case PutVariable():
                self.variables[message.key] = str(message.value)
            case DeleteVariable():
                self.variables.pop(message.key, None)
        return None


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch, ims_simulator: ImsSimulator) -> Supervisor:
    """This is a task's process, and its connection keeps tokens in Variables."""
    connect(monkeypatch, ims_simulator.connection, token_cache="variable")
    airflow = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", airflow, raising=False)
    return airflow


def ask_as_another_host(monkeypatch: pytest.MonkeyPatch, home: Any) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(home))
    token_store.cache_clear()
    with ImsHook() as hook:
        hook.get_image(PLAIN_IMAGE)


async def look() -> None:
    async with ImsAsyncHook() as hook:
        await hook.get_image(PLAIN_IMAGE)


def test_hosts_share_a_token_that_the_variable_does_not_show(
    supervisor: Supervisor, ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, airflow_home: Any
) -> None:
    for number in range(4):
        ask_as_another_host(monkeypatch, airflow_home / str(number))
    assert ims_simulator.cloud.counters["POST log_in"] == 1
    [(name, value)] = supervisor.variables.items()
    assert name.startswith("ims_token_")
    cloud = ims_simulator.cloud
    assert not [secret for secret in (*cloud.state.tokens, cloud.settings.password) if secret in name + value]


def test_the_event_loop_waits_for_no_variable(supervisor: Supervisor) -> None:
    asyncio.run(look())
    assert supervisor.threads
    assert threading.current_thread().name not in supervisor.threads


@pytest.mark.parametrize("down", [True, False], ids=["its API fails", "no process of Airflow's"])
def test_without_variables_a_host_still_logs_in_once(
    supervisor: Supervisor,
    ims_simulator: ImsSimulator,
    monkeypatch: pytest.MonkeyPatch,
    airflow_home: Any,
    caplog: pytest.LogCaptureFixture,
    down: bool,
) -> None:
    supervisor.down = True
    if not down:
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", None)
    for _ in range(3):
        ask_as_another_host(monkeypatch, airflow_home)
    assert ims_simulator.cloud.counters["POST log_in"] == 1
    said = [each.getMessage() for each in caplog.records if each.name == "airflow_provider_ims.token_store"]
    assert len(said) == 1
    assert "token_cache variable cannot be used" in said[0]
    assert ("this is no process of Airflow's" in said[0]) is not down


def test_the_connections_test_says_that_tokens_are_not_shared(supervisor: Supervisor) -> None:
    supervisor.down = True
    works, said = ImsHook().test_connection()
    assert works
    assert said.endswith("or choose another token_cache.")
    supervisor.down = False
    assert "token_cache" not in ImsHook().test_connection()[1]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (("file", None), [Files]),
        (("variable", None), [Files, Variables]),
        (("none", None), []),
        (("file", "/mnt/tokens"), [Files, Files]),
    ],
)
def test_each_choice_has_its_shelves(airflow_home: Any, chosen: Any, expected: list[type[Shelf]]) -> None:
    shelves = token_store(*chosen).shelves
    assert [type(shelf) for shelf in shelves] == expected
    assert [each.shared for each in shelves if isinstance(each, Files)] == [False, True][: expected.count(Files)]
    assert not list(airflow_home.iterdir())
