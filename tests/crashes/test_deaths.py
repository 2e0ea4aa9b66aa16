"""A task's process is killed at every point, before and after all that leaves it: one image, and the task is green."""

from __future__ import annotations

import json

from airflow_provider_ims.simulator import Cloud
from airflow_provider_ims.simulator.faults import Fault
from tests.crashes.sweeps import Sweep, around, lagging_cloud
from tests.real.stack import Stack

BEFORE_THE_COPY = around("begin", "read of notes", "connection", "list", "image", "write of notes")
AFTER_THE_COPY = around("begin", "copy", "write of notes 2", "job", "defer")
LOG_IN = around("begin", "log-in")
RESUMED = around("end", "push of image_id", "read of notes", "write of notes", "push of return_value", "success")
POINTS = BEFORE_THE_COPY + AFTER_THE_COPY + RESUMED

FOUND_NO_SLOT = around("begin", "copy", "write of notes 2", "defer")
SENT_AGAIN = [point.replace("begin", "again") for point in BEFORE_THE_COPY + AFTER_THE_COPY]
AFTER_A_LOST_REPLY = around("begin", "copy", "list 2", "list 3", "write of notes 2", "image 2", "defer") + RESUMED


def test_every_point_is_known(stack: Stack) -> None:
    with lagging_cloud(stack, "traced") as cloud:
        sweep = Sweep(stack, "traced", ["nothing"])
        sweep.check(cloud)
        assert sorted(sweep.points()) == sorted(POINTS + LOG_IN)


def test_a_death_at_any_point_leaves_one_image(stack: Stack) -> None:
    with lagging_cloud(stack, "dying") as cloud:
        sweep = Sweep(stack, "dying", POINTS)
        sweep.check(cloud)
        assert sorted(sweep.died()) == sorted(POINTS)
        print(f"{len(POINTS)} deaths, {sweep.starts} processes, {sweep.run.seconds:.0f} s")
        print({(t["map_index"], t["try_number"]) for t in sweep.run.tasks})


def test_a_death_around_the_log_in_leaves_one_image(stack: Stack) -> None:
    with lagging_cloud(stack, "before") as before, lagging_cloud(stack, "after") as after:
        sweeps = [Sweep(stack, "before", LOG_IN[:1]), Sweep(stack, "after", LOG_IN[1:])]
        for sweep, cloud in zip(sweeps, (before, after), strict=True):
            sweep.check(cloud)
            assert sweep.died() == sweep.deaths


def test_a_death_on_either_side_of_a_wait_for_a_slot_leaves_one_image(stack: Stack) -> None:
    deaths = ["nothing", *FOUND_NO_SLOT, *SENT_AGAIN]
    with lagging_cloud(stack, "full", concurrent_copies=0) as cloud:
        sweep = Sweep(stack, "full", deaths)
        stack.api.wait_for("a request for each copy", lambda: asked_for(cloud) >= set(deaths) - {FOUND_NO_SLOT[0]}, 120)
        cloud.change(concurrent_copies=200)
        sweep.check(cloud)
        print(sweep.points())
        assert sorted(sweep.died()) == sorted(deaths[1:])
        print(f"{len(deaths) - 1} deaths, {sweep.starts} processes, {sweep.run.seconds:.0f} s")


def asked_for(cloud: Cloud) -> set[str]:
    """The names of the copies that have been asked for."""
    return {json.loads(arrival.body)["name"] for arrival in cloud.requests("copy")}


def test_a_death_of_the_supervisor_at_any_point_leaves_one_image(stack: Stack) -> None:
    with lagging_cloud(stack, "orphaned") as cloud:
        sweep = Sweep(stack, "orphaned", POINTS, victim="supervisor")
        sweep.check(cloud)
        assert sorted(sweep.died()) == sorted(POINTS)
        print(f"{len(POINTS)} deaths, {sweep.starts} processes, {sweep.run.seconds:.0f} s")


def test_a_death_after_a_lost_reply_leaves_one_image(stack: Stack) -> None:
    with lagging_cloud(stack, "losing", copy_seconds=12.0, image_appears="submit") as cloud:
        cloud.faults.add(Fault("copy", "reset_after", times=None))
        sweep = Sweep(stack, "losing", ["nothing", *AFTER_A_LOST_REPLY])
        sweep.check(cloud)
        assert set(sweep.points()) - set(LOG_IN) == {*BEFORE_THE_COPY, *AFTER_A_LOST_REPLY}
        assert sorted(sweep.died()) == sorted(AFTER_A_LOST_REPLY)
        print(f"{len(AFTER_A_LOST_REPLY)} deaths, {sweep.starts} processes, {sweep.run.seconds:.0f} s")
