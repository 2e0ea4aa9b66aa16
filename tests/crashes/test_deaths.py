"""A task's process is killed at every point, before and after all that leaves it: one image, and the task is green."""

from __future__ import annotations

from airflow_provider_ims.simulator.faults import Fault
from tests.crashes.sweeps import Sweep, around, lagging_cloud
from tests.real.stack import Stack

BEFORE_THE_COPY = around("begin", "connection", "list", "image", "write of notes")
AFTER_THE_COPY = around("begin", "copy", "write of notes 2", "job", "defer")
LOG_IN = around("begin", "log-in")
RESUMED = around("end", "push of image_id", "write of notes")
RESUMED += around("end", "push of return_value", "success")
LINKS = around("begin", "push of _link_ConsoleLink") + around("end", "push of _link_ImageLink")
POINTS = BEFORE_THE_COPY + AFTER_THE_COPY + LINKS + RESUMED

AFTER_A_LOST_REPLY = (
    around("begin", "copy", "list 2", "list 3", "list 4", "write of notes 2", "image 2", "defer") + LINKS + RESUMED
)


def test_every_point_is_known(stack: Stack) -> None:
    with lagging_cloud(stack, "traced") as cloud:
        sweep = Sweep(stack, "traced", ["nothing"])
        sweep.check(cloud)
        assert sorted(sweep.points()) == sorted(POINTS + LOG_IN)


def test_a_death_at_any_point_leaves_one_image(stack: Stack) -> None:
    with lagging_cloud(stack, "dying", list_lag=20.0) as cloud:  # or the retry sees the image at its first look
        sweep = Sweep(stack, "dying", POINTS)
        sweep.check(cloud)
        sweep.check_deaths()
        print(sweep.summary)


def test_a_death_around_the_log_in_leaves_one_image(stack: Stack) -> None:
    with lagging_cloud(stack, "before") as before, lagging_cloud(stack, "after") as after:
        sweeps = [Sweep(stack, "before", LOG_IN[:1]), Sweep(stack, "after", LOG_IN[1:])]
        for sweep, cloud in zip(sweeps, (before, after), strict=True):
            sweep.check(cloud)
            sweep.check_deaths()


def test_a_death_after_a_lost_reply_leaves_one_image(stack: Stack) -> None:
    with lagging_cloud(stack, "losing", copy_seconds=20.0, image_appears="submit") as cloud:
        cloud.faults.add(Fault("copy", "reset_after", times=None))
        sweep = Sweep(stack, "losing", ["nothing", *AFTER_A_LOST_REPLY])
        sweep.check(cloud)
        assert set(sweep.points()) - set(LOG_IN) == {*BEFORE_THE_COPY, *AFTER_A_LOST_REPLY}
        sweep.check_deaths("nothing")
        print(sweep.summary)
