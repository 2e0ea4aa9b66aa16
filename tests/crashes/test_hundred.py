"""A hundred copies on a bad day: replies are lost, the cloud errs, processes die. One image each, every task green."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import suppress

from airflow_provider_ims.simulator import Cloud
from airflow_provider_ims.simulator.faults import Fault
from tests.crashes.sweeps import Sweep, lagging_cloud, wait_for_copies
from tests.real.stack import Stack

HUNDRED = [f"copy {number}" for number in range(100)]
BAD_DAY = (
    Fault("copy", "reset_after", times=None, probability=0.3),
    Fault("*", "status", times=None, probability=0.1, status=503),
)


def test_a_hundred_copies_on_a_bad_day_are_a_hundred_images(stack: Stack) -> None:
    with lagging_cloud(stack, "bad_day") as cloud:
        cloud.faults.add(*BAD_DAY)
        sweep = Sweep(stack, "bad_day", HUNDRED, dag_id="many_copies")
        killed = 0
        for begun in range(5, 100, 10):
            wait_for_copies(sweep.run, cloud, begun)
            killed += kill_tasks(stack, sweep)
            if begun % 30 == 5:
                stack.kill("triggerer")
                stack.begin("triggerer")
        sweep.check(cloud, 900)
        assert each_has_its_own_fingerprint(cloud)
        assert killed >= 10
        print(f"{killed} tasks killed, {sweep.summary}, {dict(cloud.counters)}")


def test_a_hundred_copies_five_at_a_time_are_a_hundred_images(stack: Stack) -> None:
    with lagging_cloud(stack, "five", concurrent_copies=5, copy_seconds=2.0) as cloud:
        sweep = Sweep(stack, "five", HUNDRED, dag_id="many_copies")
        sweep.check(cloud, 1500)
        assert each_has_its_own_fingerprint(cloud)
        print(f"{sweep.summary}, {dict(cloud.counters)}")


def kill_tasks(stack: Stack, sweep: Sweep, most: int = 3) -> int:
    """Kill the tasks' processes that were started last, as far as they live; returns how many."""
    started = [int(what.split()[-1]) for _, _, what in sweep.record if " starts " in what]
    killed = 0
    for pid in reversed(started[-8:]):
        with suppress(ProcessLookupError):
            if killed < most and os.getsid(pid) == stack.pid("scheduler"):
                os.kill(pid, signal.SIGKILL)
                killed += 1
    return killed


def each_has_its_own_fingerprint(cloud: Cloud) -> bool:
    """Whether no two copies have the same first word."""
    words = Counter(image["__description"].partition(" ")[0] for image in cloud.copies())
    return len(words) == len(HUNDRED) and set(words.values()) == {1}
