"""More deaths: around a wait for a free slot, and of the supervisor, whose orphan goes on: one image each."""

from __future__ import annotations

import json

from airflow_provider_ims.simulator import Cloud
from tests.crashes.sweeps import Sweep, around, lagging_cloud
from tests.crashes.test_deaths import AFTER_THE_COPY, BEFORE_THE_COPY, POINTS
from tests.real.stack import Stack

FOUND_NO_SLOT = around("begin", "copy", "write of notes 2", "defer")
SENT_AGAIN = [point.replace("begin", "again") for point in BEFORE_THE_COPY + AFTER_THE_COPY]


def test_a_death_on_either_side_of_a_wait_for_a_slot_leaves_one_image(stack: Stack) -> None:
    deaths = ["nothing", *FOUND_NO_SLOT, *SENT_AGAIN]
    with lagging_cloud(stack, "full", concurrent_copies=0) as cloud:
        sweep = Sweep(stack, "full", deaths)
        stack.api.wait_for("a request for each copy", lambda: asked_for(cloud) >= set(deaths) - {FOUND_NO_SLOT[0]})
        cloud.change(concurrent_copies=200)
        sweep.check(cloud)
        sweep.check_deaths("nothing")
        print(sweep.summary)


def asked_for(cloud: Cloud) -> set[str]:
    """The names of the copies that have been asked for."""
    return {json.loads(arrival.body)["name"] for arrival in cloud.requests("copy")}


def test_a_death_of_the_supervisor_at_any_point_leaves_one_image(stack: Stack) -> None:
    with lagging_cloud(stack, "orphaned") as cloud:
        sweep = Sweep(stack, "orphaned", POINTS, victim="supervisor")
        sweep.check(cloud)
        sweep.check_deaths()
        print(sweep.summary)
