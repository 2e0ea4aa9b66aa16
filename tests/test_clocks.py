"""Hosts whose clocks differ by a minute: nothing ends too soon, comes back too soon, or is taken for fresh too long."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims.client import Client
from airflow_provider_ims.errors import JobTimeoutError, LoginRefusedError
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.triggers import SOONEST_RETURN
from tests.model.kept import ROUNDED
from tests.model.task import Task
from tests.model.worker import Host, SkewedWorld
from tests.world import LOOK, World

SKEW = 60.0
"""Seconds, as promised."""
TIMEOUT = 90
SKEWS: list[dict[Host, float]] = [{}, {"triggerer": SKEW}, {"worker": SKEW, "other worker": SKEW}]
each_skew = pytest.mark.parametrize("ahead", SKEWS, ids=["equal", "triggerer ahead", "workers ahead"])
either_way = pytest.mark.parametrize("ahead", [SKEW, -SKEW], ids=["ahead", "behind"])


def deferred(ahead: dict[Host, float], **cloud: Any) -> Task:
    world = SkewedWorld(**cloud)
    world.ahead = ahead
    task = Task(world, "a_run", has_store=True, wait_for_completion=True, timeout=TIMEOUT)
    task.start()
    task.go()
    assert task.deferral
    return task


@each_skew
def test_what_ends_within_its_timeout_is_waited_for(ahead: dict[Host, float]) -> None:
    task = deferred(ahead, copy_seconds=TIMEOUT - 1)
    task.go_on_waiting()
    task.go()
    assert task.state == "success"


@each_skew
def test_what_does_not_is_given_up_two_minutes_later_at_most(ahead: dict[Host, float]) -> None:
    task = deferred(ahead, copy_seconds=1e6)
    assert task.deferral
    event = task.event(task.deferral)
    assert event
    assert event["error"] == JobTimeoutError.__name__
    assert TIMEOUT - ROUNDED <= task.world.elapsed - task.tried_at <= TIMEOUT + 2 * SKEW + ROUNDED


@each_skew
def test_a_first_look_comes_neither_too_soon_nor_late(ahead: dict[Host, float]) -> None:
    task = deferred(ahead, copy_seconds=1.0)
    assert task.deferral
    task.event(task.deferral)
    assert SOONEST_RETURN <= task.world.elapsed - task.deferral.at <= 30


@each_skew
def test_who_waits_for_a_slot_waits_as_long_as_the_cloud_asks(ahead: dict[Host, float]) -> None:
    world = SkewedWorld()
    world.ahead = ahead
    world.cloud.faults.add(Fault("copy", "status", status=429, retry_after=40))
    task = Task(world, "a_run", has_store=True, wait_for_completion=False, timeout=3600)
    task.start()
    task.go()
    assert task.deferral
    task.event(task.deferral)
    assert 40 <= world.elapsed - task.deferral.at <= 40 + 30


def test_a_triggerer_that_starts_again_does_not_begin_the_wait_for_a_slot_anew() -> None:
    world = SkewedWorld()
    world.cloud.faults.add(Fault("copy", "status", status=429, retry_after=600))
    task = Task(world, "a_run", has_store=True, wait_for_completion=False, timeout=3600)
    task.start()
    task.go()
    assert task.deferral
    world.wait(580)
    task.event(task.deferral)
    assert 600 <= world.elapsed - task.deferral.at <= 630 + SKEW


def other_host(world: World, directory: Path, ahead: float, **fields: Any) -> Client:
    """A new process of another host, with the same directory of tokens."""
    client = world.another_client(directory, **fields)
    return Client(client.settings, client.tokens, lambda: world.now + timedelta(seconds=ahead), client.elapsed)


@either_way
@pytest.mark.parametrize("life", [timedelta(minutes=2), timedelta(minutes=15), timedelta(hours=24)])
def test_a_shared_token_is_used_by_nobody_after_its_end(tmp_path: Path, ahead: float, life: timedelta) -> None:
    world = World(token_lifetime=life.total_seconds())
    began = world.now
    world.perform(other_host(world, tmp_path, 0.0).token())
    for share in (0.45, 0.7, 0.95, 0.99, 1.001):
        world.now = began + life * share
        world.perform(other_host(world, tmp_path, ahead).ask(LOOK))
    assert [arrival.status for arrival in world.cloud.arrivals if arrival.route == "image"] == [200] * 5


@either_way
def test_a_refused_log_in_is_repeated_by_nobody_for_15_minutes(tmp_path: Path, ahead: float) -> None:
    world = World()
    for host, waited in ((0.0, 0), (ahead, 0), (ahead, 899), (0.0, 0)):
        world.wait(waited)
        with pytest.raises(LoginRefusedError):
            world.perform(other_host(world, tmp_path, host, password="wrong horse").token())
    assert world.log_ins == 1
