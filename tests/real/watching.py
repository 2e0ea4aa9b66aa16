"""What publishes images, and knows when they are watched for: for tests of ``ImageTrigger`` on a real triggerer."""

from __future__ import annotations

from tests.real.stack import Stack


def looks(stack: Stack) -> int:
    """How often triggers have looked for active images (as far as the simulator remembers)."""
    asked = stack.simulator.control("requests")["requests"]
    return sum(arrival["route"] == "list" and arrival["query"].get("status") == "active" for arrival in asked)


def wait_for_first_look(stack: Stack) -> None:
    """Wait until what is published from now on is news."""
    stack.api.wait_for("the DAG", lambda: stack.api.has_dag("copies_of_watched"))
    stack.api.wait_for("a look", lambda: looks(stack) > 4)


def publish(stack: Stack, name: str) -> str:
    """Let an active image of that name be there, which no copy has made; returns its id."""
    return str(stack.simulator.control("images", name=name)["id"])
