"""Scheduler and triggerer are killed while copies are begun and waited for: one image each, and every task is green."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_ims.simulator import Cloud
from tests.crashes.sweeps import Sweep, lagging_cloud
from tests.real.stack import Stack

TWELVE = [f"copy {number}" for number in range(12)]


def moments(sweep: Sweep, cloud: Cloud) -> dict[str, Callable[[], bool]]:
    """When something is killed: as copies are begun, as they are waited for, and as their tasks come back."""
    return {
        "the second copy": lambda: cloud.counters["copies_accepted"] >= 2,
        "a look from the triggerer": lambda: cloud.counters["GET job"] > cloud.counters["copies_accepted"],
        "a task that comes back": lambda: any(what.startswith("end starts") for _, _, what in sweep.record),
    }


@pytest.mark.parametrize(("part", "alone"), [("scheduler", False), ("scheduler", True), ("triggerer", False)])
def test_a_part_that_dies_three_times_leaves_one_image_each(stack: Stack, part: str, alone: bool) -> None:
    conn_id = f"{part}{'_alone' * alone}"
    with lagging_cloud(stack, conn_id, copy_seconds=10.0) as cloud:
        sweep = Sweep(stack, conn_id, TWELVE)
        for moment, has_come in moments(sweep, cloud).items():
            stack.api.wait_for(moment, has_come)
            stack.kill(part, alone)
            stack.begin(part)
        sweep.check(cloud)
        print(f"{part}: {sweep.summary}")
