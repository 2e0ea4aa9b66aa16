"""One task's tries, killed, paused, cleared and lied to in any order: never two images, never a success without one.

Copies are begun (``Submission``) and waited for (``Watch``) step by step, as operator and trigger do, on a simulated
cloud whose list lags as much as the promise allows. What Airflow does is modelled: notes that each try finds, and that
it refuses to a process which outlived its try, and ``max_tries``, which a clear raises.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import timedelta
from typing import Any

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

from airflow_provider_ims.copying import SUBMIT_GRACE, Submission
from airflow_provider_ims.errors import ImsError, ImsPermanentError, StateStoreError
from airflow_provider_ims.idempotency import Fingerprint, Order, copy_key
from airflow_provider_ims.models import Request
from airflow_provider_ims.simulator.faults import Fault, FaultKind, FaultRoute
from airflow_provider_ims.simulator.images import status_of
from airflow_provider_ims.simulator.nouns import StoredImage
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from airflow_provider_ims.waiting import Watch
from tests.world import Walk, World

ROUTES: tuple[FaultRoute, ...] = ("log_in", "copy", "job", "image", "list")
KINDS: tuple[FaultKind, ...] = ("reset_before", "reset_after", "truncated", "bad_json", "hang", "empty", "html")
FAULTS = [Fault(route, kind) for route in ROUTES for kind in KINDS]
FAULTS += [Fault(route, "status", status=status) for route in ROUTES for status in (401, 408, 429, 500, 502, 503, 504)]
FAULTS += [Fault(route, "status", status=504, when="after") for route in ROUTES]
FAULTS += [Fault("copy", "status", status=400, code=code) for code in ("IMG.0060", "IMG.0018", "IMG.0187")]
FAULTS += [Fault("copy", "status", status=400, code="IMG.0061", when="after"), Fault("copy", "job_fails")]
APPEARANCES: list[dict[str, Any]] = [
    {"image_appears": "submit", "list_lag": 0.0, "description_lag": 0.0},
    {"image_appears": "submit", "list_lag": SUBMIT_GRACE, "description_lag": 0.0},
    {"image_appears": "submit", "list_lag": 0.0, "description_lag": SUBMIT_GRACE},
    {"image_appears": "running", "list_lag": 40.0, "description_lag": 30.0},
]


class Notebook:
    """The state store as one process sees it: shared by all tries, closed to one that outlived its own."""

    def __init__(self, kept: dict[str, Any]) -> None:
        self.kept, self.is_closed = kept, False

    def write(self, **facts: Any) -> None:
        if self.is_closed:
            raise StateStoreError("The task instance is not running.")
        self.kept.clear()
        self.kept.update(facts)


class Process:
    """One process of a try that begins the copy."""

    def __init__(self, submission: Submission, noted: dict[str, Any], world: World, notes: Notebook) -> None:
        self.submission, self.notes = submission, notes
        self.walk = Walk(world, submission.submit(noted))

    @property
    def is_about_to_send(self) -> bool:
        return isinstance(self.walk.step, Request) and self.walk.step.url.endswith("/copy")


class OneTask(RuleBasedStateMachine):
    """One task of one run, and another run that shares its ``copy_key``."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(copy_seconds=100.0, concurrent_copies=1000, quota=1000)
        self.clock_is_off = timedelta(0)
        self.client = dataclasses.replace(self.world.client, now=lambda: self.world.now + self.clock_is_off)
        self.world.perform(self.client.token())
        self.kept: dict[str, Any] = {}
        self.other_kept: dict[str, Any] = {}
        self.tries, self.clearing = 0, 0
        self.process: Process | None = None
        self.paused: list[Process] = []
        self.watch: Watch | None = None

    @initialize(has_store=st.booleans())
    def begin(self, has_store: bool) -> None:
        self.has_store = has_store

    @property
    def order(self) -> Order:
        return Order(
            copy_key("dag", "run", "task", -1, clearing=str(self.clearing), started="2026"), PLAIN_IMAGE, "golden"
        )

    # What Airflow does.

    @precondition(lambda self: self.process is None)
    @rule()
    def try_it(self) -> None:
        self.tries, self.watch = self.tries + 1, None
        notes = Notebook(self.kept if self.has_store else {})
        submission = Submission(self.client, self.order, notes, may_follow=self.tries > 1)
        self.process = Process(submission, dict(notes.kept), self.world, notes)

    @precondition(lambda self: self.process is not None)
    @rule(steps=st.integers(1, 6))
    def go_on(self, steps: int) -> None:
        for _ in range(steps):
            if self.process and self.process.walk.step is not None:
                self.process.walk.go()
        self.see_to_the_end_of_the_process()

    @precondition(lambda self: self.process is not None)
    @rule()
    def go_on_to_the_end(self) -> None:
        while self.process and self.process.walk.step is not None:
            self.process.walk.go()
        self.see_to_the_end_of_the_process()

    def see_to_the_end_of_the_process(self) -> None:
        if self.process is None or self.process.walk.step is not None:
            return
        error, job_id = self.process.walk.error, self.process.walk.result
        refused_twice = error is not None and error.status == 401  # a token revoked again as soon as it was renewed
        assert refused_twice or not isinstance(error, ImsPermanentError), error
        if error is None:
            deadline = self.client.now() + timedelta(hours=2)
            self.watch = Watch(self.client, job_id, 10.0, deadline, self.process.submission.order)
        self.process = None

    @precondition(lambda self: self.process is not None)
    @rule()
    def kill_it(self) -> None:
        self.process = None

    @precondition(lambda self: self.process is not None)
    @rule()
    def kill_it_with_the_copy_on_its_way(self) -> None:
        assert self.process is not None
        while self.process.walk.step is not None and not self.process.is_about_to_send:
            self.process.walk.go()
        if self.process.walk.step is not None:
            self.process.walk.go()
        self.process = None

    @precondition(lambda self: self.process is None or not self.process.is_about_to_send)
    @rule()
    def another_run_asks_for_the_same_copy_meanwhile(self) -> None:
        """With the same ``copy_key``, and longer than the grace before and after whatever this one sends."""
        self.world.wait(SUBMIT_GRACE + 40)
        notes = Notebook(self.other_kept if self.has_store else {})
        other = Process(Submission(self.client, self.order, notes), dict(notes.kept), self.world, notes)
        while other.walk.step is not None:
            other.walk.go()
        self.world.wait(SUBMIT_GRACE + 40)

    @precondition(lambda self: self.process is not None and self.has_store and not self.process.is_about_to_send)
    @rule()
    def pause_it_until_its_try_is_given_up(self) -> None:
        assert self.process is not None
        self.process.notes.is_closed = True
        self.paused.append(self.process)
        self.process = None

    @precondition(lambda self: self.paused)
    @rule()
    def wake_one_that_outlived_its_try(self) -> None:
        process = self.paused.pop()
        while process.walk.step is not None:
            assert not process.is_about_to_send
            process.walk.go()

    @rule()
    def clear_it(self) -> None:
        self.process, self.watch = None, None
        self.clearing = max(self.clearing + 1, self.tries)

    @precondition(lambda self: self.watch is not None)
    @rule(looks=st.integers(1, 8))
    def wait_for_it(self, looks: int) -> None:
        before = len(self.world.requests)
        for _ in range(looks):
            if self.watch is None:
                break
            self.look(self.watch)
        assert {each.method for each in self.world.requests[before:] if "/auth/" not in each.url} <= {"GET"}

    def look(self, watch: Watch) -> None:
        try:
            image = self.world.perform(watch.look())
        except ImsError:
            self.watch = None
            return
        if image is None:
            self.world.wait(watch.pause)
            return
        stored = self.world.cloud.state.images[image.id]
        assert status_of(stored, self.world.cloud.state) == "active"
        assert stored.name == "golden"
        self.watch = None

    # What the cloud does.

    @rule(fault=st.sampled_from(FAULTS))
    def let_something_go_wrong(self, fault: Fault) -> None:
        self.world.cloud.faults.add(fault)

    @rule(kind=st.sampled_from(["reset_before", "reset_after", "hang", "empty"]))
    def let_an_answer_to_the_copy_be_lost(self, kind: FaultKind) -> None:
        self.world.cloud.faults.add(Fault("copy", kind, when="after"))

    @rule(appearance=st.sampled_from(APPEARANCES), fate=st.sampled_from(["killed", "removed"]))
    def show_images_otherwise(self, appearance: dict[str, Any], fate: str) -> None:
        self.world.cloud.change(**appearance, image_after_fail=fate)

    @rule()
    def revoke_tokens(self) -> None:
        self.world.cloud.revoke_tokens()

    @rule(seconds=st.sampled_from([1.0, 6.0, 30.0, 90.0, 1000.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(seconds=st.sampled_from([-3600.0, -60.0, 60.0, 3600.0, 100_000.0]))
    def set_the_clock(self, seconds: float) -> None:
        self.clock_is_off += timedelta(seconds=seconds)

    @precondition(lambda self: self.usable())
    @rule()
    def delete_one_by_hand(self) -> None:
        self.usable()[0].deleted_at = self.world.now

    # What must hold.

    def usable(self) -> list[StoredImage]:
        """The images that copies have made, or are making, and that are or may become usable."""
        state = self.world.cloud.state
        made = [image for image in state.images.values() if image.job and image.deleted_at is None]
        return [image for image in made if image.job and image.job.phase(self.world.now) != "FAIL"]

    @invariant()
    def no_key_has_two_images(self) -> None:
        words = (Fingerprint.read(image.description) for image in self.usable())
        count = Counter((word.stem, word.clearing) for word in words if word)
        assert not [key for key, images in count.items() if images > 1]

    def teardown(self) -> None:
        """Once all is well again, the task succeeds, with one image."""
        self.world.cloud.faults.clear()
        self.world.wait(1000.0)
        self.process = None
        for _ in range(6):
            if self.watch is None:
                self.try_it()
                self.go_on_to_the_end()
            while self.watch is not None:
                self.look(self.watch)
            mine = [image for image in self.usable() if self.is_mine(image)]
            if mine and status_of(mine[0], self.world.cloud.state) == "active":
                break
        assert len(mine) == 1

    def is_mine(self, image: StoredImage) -> bool:
        found, mine = Fingerprint.read(image.description), self.order.fingerprint
        return bool(found and mine and (found.stem, found.clearing) == (mine.stem, mine.clearing))


def test_never_two_images_whatever_happens_in_whatever_order() -> None:
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        OneTask, settings=settings(max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=slow)
    )
