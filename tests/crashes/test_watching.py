"""The triggerer ends ten times while images are published, every other time by SIGKILL: each is copied, and once."""

from __future__ import annotations

from collections import Counter

from tests.real.processes import pause
from tests.real.stack import Stack
from tests.real.watching import looks, publish, wait_for_first_look

RESTARTS = 10


def copies_by_source(stack: Stack) -> Counter[str]:
    """How many active copies each image has."""
    images = stack.simulator.control("state")["images"]
    return Counter(image["__originalimagename"] for image in images if image["name"].startswith("copy-"))


def test_no_image_is_lost_and_none_is_copied_twice(stack: Stack) -> None:
    stack.simulator.control("settings", copy_seconds=2.0, quota=500, concurrent_copies=200)
    wait_for_first_look(stack)
    published = []
    for restart in range(RESTARTS):
        published += [publish(stack, f"watched-{restart}-before"), publish(stack, f"watched-{restart}-too")]
        pause(0.4 * restart)  # so that it ends before the look, between look and event, and after both
        (stack.kill if restart % 2 else stack.end)("triggerer")
        published.append(publish(stack, f"watched-{restart}-while-down"))
        seen = looks(stack)
        stack.begin("triggerer")
        stack.api.wait_for("the next look", lambda before=seen: looks(stack) > before)  # type: ignore[misc]
    stack.api.wait_for("a copy of each", lambda: set(copies_by_source(stack)) >= set(published), 300)
    wait_until_quiet(stack)
    assert copies_by_source(stack) == Counter(published)
    assert len(published) == 3 * RESTARTS


def wait_until_quiet(stack: Stack) -> None:
    """Wait until no run is left that could copy once more."""

    def is_quiet() -> bool:
        runs = stack.api.get("/dags/copies_of_watched/dagRuns", limit=200, order_by="-run_after")["dag_runs"]
        return all(run["state"] in ("success", "failed") for run in runs)

    pause(5)
    stack.api.wait_for("the end of all runs", is_quiet, 300)
