"""``end_in_triggerer``: what it refuses, when a task ends, and that a trigger without it leaves that to a worker."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from contextlib import suppress
from typing import Any

import pytest
from airflow.sdk import DAG, Asset
from airflow.sdk.execution_time.xcom import XCom
from airflow.triggers.base import TaskSuccessEvent, TriggerEvent

from airflow_provider_ims.errors import ArgumentError
from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.sensors import JobSensor
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from airflow_provider_ims.triggers import JobTrigger
from airflow_provider_ims.triggers.ending import AT_MULTIPLES_OF, Ends, ends_here
from tests.shells import TaskInstance, fails_with, run_task

pytestmark = pytest.mark.usefixtures("airflow_home")

JOB_ID = "edc89b490d7d4392898e19b2deb34797"
LOST: list[tuple[str, Any]] = [
    ("outlets", [Asset("golden")]),
    ("on_success_callback", print),
    ("on_success_callback", [print]),
    ("post_execute", print),
    ("deferrable", False),
]


class Posting(CopyImageOperator):
    """An operator with something to do after it has ended."""

    def post_execute(self, context: Any, result: Any = None) -> None:
        raise AssertionError("the worker does this")


def copy(**arguments: Any) -> CopyImageOperator:
    given: dict[str, Any] = {"task_id": "copy_image", "image_id": PLAIN_IMAGE, "name": "golden"}
    return CopyImageOperator(**given, **{"wait_for_completion": True, "end_in_triggerer": True} | arguments)


def sensor(**arguments: Any) -> JobSensor:
    given: dict[str, Any] = {"task_id": "wait_for_copy", "job_id": JOB_ID, "end_in_triggerer": True}
    return JobSensor(**given | arguments)


@pytest.mark.parametrize(("name", "value"), LOST)
@pytest.mark.parametrize("task", [copy, sensor])
def test_what_only_a_worker_heeds_is_refused_at_parsing(task: Any, name: str, value: Any) -> None:
    with pytest.raises(ArgumentError, match=name):
        task(**{name: value})
    assert task(**{name: value, "end_in_triggerer": False})


def test_it_needs_a_wait() -> None:
    with pytest.raises(ArgumentError, match="wait_for_completion"):
        copy(wait_for_completion=False)


def test_an_outlet_from_default_args_is_refused_too() -> None:
    with pytest.raises(ArgumentError, match="outlets"), DAG("a_dag", default_args={"outlets": [Asset("golden")]}):
        copy()


@pytest.mark.parametrize("task", [copy, sensor])
def test_what_is_added_later_is_refused_before_any_request(task: Any, ims_simulator: ImsSimulator) -> None:
    late = task()
    late.outlets = [Asset("golden")]
    with fails_with(ArgumentError, match="outlets"):
        run_task(late)
    assert not ims_simulator.cloud.arrivals


def test_a_mapped_task_is_refused_as_it_is_made_from_its_map() -> None:
    with DAG("a_dag"):
        mapped: Any = CopyImageOperator.partial(
            task_id="copy_image", name="golden", wait_for_completion=True, end_in_triggerer=True, outlets=[Asset("x")]
        ).expand(image_id=[PLAIN_IMAGE])
    with pytest.raises(ArgumentError, match="outlets"):
        mapped.unmap({"image_id": PLAIN_IMAGE})


def test_what_a_subclass_does_afterwards_is_refused_too() -> None:
    with pytest.raises(ArgumentError, match="post_execute"):
        Posting(task_id="copy", image_id=PLAIN_IMAGE, name="golden", wait_for_completion=True, end_in_triggerer=True)


class Pushed(list[Any]):
    """XComs as a trigger has pushed them."""

    def set(self, key: str, value: Any, **of: Any) -> None:
        self.append((key, value, of))


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> Pushed:
    """What Airflow's XCom was told."""
    found = Pushed()
    monkeypatch.setattr(XCom, "set", found.set)
    return found


async def end_of(job_id: str, xcoms: dict[str, str], map_index: int = -1) -> TriggerEvent:
    waiting = JobTrigger(job_id, poll_interval=0.1, first_pause=0.0, xcoms=xcoms)
    waiting.task_instance = TaskInstance(map_index=map_index)  # type: ignore[assignment]
    return await event_of(waiting)


async def event_of(waiting: JobTrigger) -> TriggerEvent:
    return await anext(aiter(waiting.run()))


@pytest.mark.parametrize("map_index", [-1, 0, 3])
def test_a_trigger_pushes_and_ends_its_task(ims_simulator: ImsSimulator, pushed: Pushed, map_index: int) -> None:
    job_id = run_task(copy(wait_for_completion=False, end_in_triggerer=False)).returned
    event = asyncio.run(end_of(job_id, {"image_id": "{image_id}", "page": "https://a.b/{image_id}"}, map_index))
    assert type(event) is TaskSuccessEvent
    (image,) = ims_simulator.cloud.copies()
    of = {"dag_id": "a_dag", "task_id": "a_task", "run_id": "a_run", "map_index": map_index}
    assert pushed == [("image_id", image["id"], of), ("page", f"https://a.b/{image['id']}", of)]


def test_a_failure_comes_back_to_a_worker(ims_simulator: ImsSimulator, pushed: Pushed) -> None:
    ims_simulator.cloud.change(fail_code="IMG.0099")
    job_id = run_task(copy(wait_for_completion=False, end_in_triggerer=False)).returned
    event = asyncio.run(end_of(job_id, {"image_id": "{image_id}"}))
    assert (type(event), event.payload["error"], pushed) == (TriggerEvent, "JobFailedError", [])


def test_an_xcom_that_cannot_be_written_leaves_the_end_to_a_worker(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(key: str, value: Any, **of: Any) -> None:
        raise ConnectionError("The backend is not there.")

    monkeypatch.setattr(XCom, "set", refuse)
    job_id = run_task(copy(wait_for_completion=False, end_in_triggerer=False)).returned
    event = asyncio.run(end_of(job_id, {"image_id": "{image_id}"}))
    assert (type(event), event.payload["status"]) == (TriggerEvent, "success")


def test_without_its_task_a_trigger_leaves_the_end_to_the_worker(ims_simulator: ImsSimulator) -> None:
    """As under ``dag.test()``, which does not understand a task that ends in the triggerer."""
    run = run_task(copy(poll_interval=0.1))
    assert (run.trigger or ("", {}))[1]["xcoms"] == {"image_id": "{image_id}"}
    (image,) = ims_simulator.cloud.copies()
    assert run.xcom == {"return_value": run.returned, "image_id": image["id"]}
    assert ims_simulator.cloud.state.images[run.xcom["image_id"]].name == "golden"


@pytest.mark.parametrize(("pushes", "keys"), [(True, ["return_value"]), (False, list[str]())])
def test_a_sensor_pushes_what_it_would_return(ims_simulator: ImsSimulator, pushes: bool, keys: list[str]) -> None:
    job_id = run_task(copy(wait_for_completion=False, end_in_triggerer=False)).returned
    run = run_task(sensor(job_id=job_id, poke_interval=0.1, do_xcom_push=pushes))
    assert (run.trigger or ("", {}))[1]["xcoms"] == dict.fromkeys(keys, "{image_id}")
    assert ims_simulator.cloud.state.images[run.returned].name == "golden"


def test_who_is_not_to_push_pushes_no_job_id(ims_simulator: ImsSimulator) -> None:
    run = run_task(copy(poll_interval=0.1, do_xcom_push=False))
    assert list(run.xcom) == ["image_id"]


async def order_of_ends(every: float, seconds: dict[str, float]) -> list[str]:
    """Who has ended, in that order: those whose jobs end after so many seconds, and the jobs themselves."""
    ends, found = Ends(every), list[str]()

    async def end(name: str) -> None:
        with ends.expected():
            await asyncio.sleep(seconds[name])
            found.append(f"job {name}")
        await ends.together()
        found.append(name)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for name in seconds:
            group.create_task(end(name))
    return found


def test_ends_wait_for_those_that_are_to_come() -> None:
    found = asyncio.run(order_of_ends(1e12, {"a": 0.0, "b": 0.05, "c": 0.1}))
    assert found[:3] == ["job a", "job b", "job c"]
    assert sorted(found[3:]) == ["a", "b", "c"]


def test_ends_do_not_wait_for_long() -> None:
    assert asyncio.run(order_of_ends(0.05, {"a": 0.0, "b": 0.3})) == ["job a", "a", "job b", "b"]


def test_who_fails_is_not_waited_for() -> None:
    async def fail_and_end() -> None:
        ends = Ends(1e12)
        with suppress(ConnectionError), ends.expected():
            raise ConnectionError
        async with asyncio.timeout(5):
            await ends.together()

    asyncio.run(fail_and_end())


def test_a_trigger_waits_for_the_others_of_its_loop(ims_simulator: ImsSimulator, pushed: Pushed) -> None:
    async def waits() -> bool:
        left = AT_MULTIPLES_OF - time.time() % AT_MULTIPLES_OF
        await asyncio.sleep(left if left < 7 else 0)  # then none waits any more
        with ends_here().expected():
            waiting = asyncio.create_task(end_of(job_id, {"image_id": "{image_id}"}))
            done, _ = await asyncio.wait([waiting], timeout=5)
        return bool(pushed) and not done and type(await waiting) is TaskSuccessEvent

    ims_simulator.cloud.change(copy_seconds=0.1)
    job_id = run_task(copy(wait_for_completion=False, end_in_triggerer=False)).returned
    assert asyncio.run(waits())


@pytest.mark.parametrize("xcoms", [None, {"image_id": "{image_id}"}], ids=["ends in a worker", "fails"])
def test_a_trigger_that_does_not_end_here_is_not_waited_for(
    ims_simulator: ImsSimulator, pushed: Pushed, xcoms: dict[str, str] | None
) -> None:
    async def end_without_it() -> bool:
        waiting = JobTrigger(job_id, poll_interval=0.1, first_pause=0.0, xcoms=xcoms)
        task = asyncio.create_task(event_of(waiting))
        await asyncio.sleep(0)
        if xcoms:
            await task
        async with asyncio.timeout(0.5):
            await ends_here().together()
        is_first = not task.done()
        await task
        return is_first

    ims_simulator.cloud.change(copy_seconds=1.0, fail_code="IMG.0099" if xcoms else "")
    job_id = run_task(copy(wait_for_completion=False, end_in_triggerer=False)).returned
    assert asyncio.run(end_without_it()) is (xcoms is None)


def test_a_loop_that_has_ended_is_forgotten() -> None:
    async def end_here() -> weakref.ref[asyncio.AbstractEventLoop]:
        async def another() -> None:
            with ends_here().expected():
                await asyncio.sleep(0.01)

        task = asyncio.create_task(another())
        await asyncio.sleep(0)
        await ends_here().together()
        await task
        return weakref.ref(asyncio.get_running_loop())

    loop = asyncio.run(end_here())
    gc.collect()
    assert loop() is None
