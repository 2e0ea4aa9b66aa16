"""One task's tries, killed, paused, cleared and lied to in any order: never two images, never a success without one.

Operator, trigger and hooks are the real ones, on a simulated cloud whose list lags as much as the promise allows.
What stands in for Airflow is in ``tests/model``: tries, clears, deferrals, the state store and its fence.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from airflow_provider_ims.copying import SUBMIT_GRACE
from airflow_provider_ims.idempotency import Fingerprint
from airflow_provider_ims.simulator.faults import Fault, FaultKind
from tests.model.task import Task
from tests.model.troubles import APPEARANCES, BOUNDARIES, FAULTS, LOST, PAUSES
from tests.model.worker import Host, SkewedWorld

APART = SUBMIT_GRACE + 40


class OneTask(RuleBasedStateMachine):
    """One task of one run, and another run that may share its ``copy_key``."""

    def __init__(self) -> None:
        super().__init__()
        self.world = SkewedWorld(copy_seconds=100.0, concurrent_copies=1000, quota=1000, images=0)

    @initialize(
        has_store=st.booleans(),
        deferrable=st.sampled_from([True, True, True, False]),
        wait_for_completion=st.sampled_from([True, True, True, False]),
        key=st.sampled_from([{}, {}, {"copy_key": "golden"}]),
        appearance=st.sampled_from(APPEARANCES),
        active_lag=st.sampled_from([0.0, 200.0]),
        ahead=st.fixed_dictionaries(dict.fromkeys(get_args(Host), st.sampled_from([0.0, 60.0]))),
        timeout=st.sampled_from([90, 3600]),
    )
    def begin(
        self,
        has_store: bool,
        key: dict[str, str],
        appearance: Any,
        active_lag: float,
        ahead: dict[Host, float],
        **arguments: Any,
    ) -> None:
        self.world.ahead = ahead
        self.world.cloud.change(**appearance, active_lag=active_lag)  # for good: what is active remains so
        self.task = Task(self.world, "a_run", has_store, **arguments, **key)
        self.other = Task(self.world, "another_run", has_store, **arguments, **key)

    # What Airflow does.

    def can_run(self) -> bool:
        return self.task.state in ("scheduled", "up_for_reschedule", "running")

    def run_until(self, boundary: str) -> None:
        """Let the process of the try that is on stand there, if it comes there: a new one where there is none."""
        if self.task.process is None:
            self.task.start()
        self.task.go(until=boundary)

    def is_about_to_send(self) -> bool:
        return self.task.process is not None and self.task.process.at == "before copy"

    @precondition(can_run)
    @rule(boundary=st.sampled_from(BOUNDARIES))
    def run_it(self, boundary: str) -> None:
        self.run_until(boundary)

    @precondition(can_run)
    @rule()
    def run_it_to_the_end(self) -> None:
        self.run_until("the end")

    @precondition(can_run)
    @rule(kind=st.sampled_from(LOST))
    def run_it_and_lose_the_answer_to_its_copy(self, kind: FaultKind) -> None:
        self.world.cloud.faults.add(Fault("copy", kind, when="after"))
        self.run_until("the end")

    @precondition(can_run)
    @rule(boundary=st.sampled_from([*BOUNDARIES, "after copy", "after copy"]))
    def kill_it(self, boundary: str) -> None:
        self.run_until(boundary)
        self.task.kill()

    def can_be_paused(self) -> bool:
        """Without a store nothing tells a process that its try is over; and nothing calls a sent request back."""
        return self.can_run() and self.task.has_store and not self.is_about_to_send()

    @precondition(can_be_paused)
    @rule(boundary=st.sampled_from(PAUSES))
    def pause_it_until_its_try_is_given_up(self, boundary: str) -> None:
        self.run_until(boundary)
        if self.task.process:
            self.task.pause()

    @precondition(can_be_paused)
    @rule(boundary=st.sampled_from(PAUSES))
    def pause_it_until_the_next_try_is_over(self, boundary: str) -> None:
        self.pause_it_until_its_try_is_given_up(boundary)
        if self.task.paused:
            if self.can_run():
                self.run_until("the end")
            self.task.wake()

    @precondition(lambda self: self.task.paused)
    @rule()
    def wake_one_that_outlived_its_try(self) -> None:
        self.task.wake()

    @rule()
    def clear_it(self) -> None:
        self.task.clear()

    @precondition(lambda self: "copy_key" in self.task.arguments and not self.is_about_to_send())
    @rule()
    def another_run_asks_for_the_same_copy_meanwhile(self) -> None:
        """Longer than the grace before and after whatever this one sends."""
        self.world.wait(APART)
        if self.other.state in ("success", "failed", "deferred"):
            self.other.clear()
        self.other.start()
        self.other.go()
        self.world.wait(APART)

    def is_deferred(self) -> bool:
        return self.task.state == "deferred"

    @precondition(is_deferred)
    @rule(looks=st.integers(1, 8))
    def wait_for_it(self, looks: int) -> None:
        self.task.go_on_waiting(looks)

    @precondition(is_deferred)
    @rule()
    def give_up_waiting(self) -> None:
        self.task.give_up_waiting()

    @precondition(lambda self: self.is_deferred() and self.task.orphans)
    @rule()
    def let_an_event_come_to_the_wrong_task(self) -> None:
        """SQLite uses the ids of triggers again, and so an event of one that was given up may come."""
        if event := self.task.event(self.task.orphans.pop()):
            self.task.tried_at = -math.inf  # it may tell of the end of an earlier try
            self.task.resume(event)

    @precondition(is_deferred)
    @rule()
    def clear_it_and_let_the_event_of_before_come(self) -> None:
        self.task.clear()
        self.run_until("the end")
        if self.is_deferred():
            self.let_an_event_come_to_the_wrong_task()

    @precondition(lambda self: self.task.has_store)
    @rule(trouble=st.sampled_from(["before", "after"]))
    def let_airflow_not_answer(self, trouble: str) -> None:
        self.task.troubles.append(trouble)

    # What the cloud does.

    @rule(fault=st.sampled_from(FAULTS))
    def let_something_go_wrong(self, fault: Fault) -> None:
        self.world.cloud.faults.add(fault)

    @rule(appearance=st.sampled_from(APPEARANCES), fate=st.sampled_from(["killed", "removed", "saving"]))
    def show_images_otherwise(self, appearance: dict[str, Any], fate: str) -> None:
        self.world.cloud.change(**appearance, image_after_fail=fate)

    @rule()
    def revoke_tokens(self) -> None:
        self.world.cloud.revoke_tokens()

    @rule(seconds=st.sampled_from([1.0, 6.0, 30.0, 90.0, 1000.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(seconds=st.sampled_from([-3600.0, -60.0, 60.0, 3600.0, 100_000.0]))
    def set_the_clocks(self, seconds: float) -> None:
        self.world.clocks_are_off += timedelta(seconds=seconds)
        self.task.is_clock_set = self.other.is_clock_set = True

    @precondition(lambda self: self.world.usable_copies())
    @rule()
    def delete_one_by_hand(self) -> None:
        self.world.usable_copies()[0].deleted_at = self.world.now

    # What must hold.

    @invariant()
    def no_key_has_two_images(self) -> None:
        words = (Fingerprint.read(image.description) for image in self.world.usable_copies())
        count = Counter((word.stem, word.clearing) for word in words if word)
        assert not [key for key, images in count.items() if images > 1]

    def teardown(self) -> None:
        """Once all is well again, the task succeeds, with one image."""
        try:
            if hasattr(self, "task"):
                self.let_all_be_well()
        finally:
            for process in self.task.paused if hasattr(self, "task") else []:
                process.kill()

    def let_all_be_well(self) -> None:
        self.task.kill()
        self.task.troubles.clear()
        self.world.cloud.faults.clear()
        self.world.cloud.change(image_after_fail="killed")
        self.world.wait(1000.0)
        for _ in range(6):
            if self.task.state == "success" and self.task.copies():
                break
            if self.task.state in ("success", "failed"):
                self.task.clear()
            while self.task.state not in ("success", "failed"):
                self.task.go_on_waiting() if self.task.state == "deferred" else self.task.start()
                self.task.go()
        assert self.task.state == "success"
        self.world.wait(1000.0)
        assert [self.task.status_of(image.id) for image in self.task.copies()] == ["active"]


@pytest.fixture
def quiet() -> Iterator[None]:
    """Nothing is logged, which would take most of the time."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


SETTINGS = settings(
    max_examples=300,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.mark.usefixtures("quiet")
def test_never_two_images_whatever_happens_in_whatever_order() -> None:
    run_state_machine_as_test(OneTask, settings=SETTINGS)


def test_an_image_that_is_shown_and_then_not_for_a_while_is_not_made_again() -> None:
    world = SkewedWorld(copy_seconds=100.0, image_appears="submit")
    task = Task(world, "a_run", has_store=True, wait_for_completion=True, copy_key="golden")
    world.cloud.faults.add(Fault("copy", "reset_after"))
    task.start()
    task.go()
    assert task.state == "deferred"
    task.clear()
    world.cloud.change(image_appears="running", list_lag=40.0)
    task.start()
    task.go()
    assert (task.state, world.counted("POST copy")) == ("deferred", 1)
