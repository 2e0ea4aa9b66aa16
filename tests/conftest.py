"""What every test has: its own world, and an Airflow home of its own."""

from __future__ import annotations

import pytest
from tests.world import World


@pytest.fixture(params=["thread", "loop"])
def world(request: pytest.FixtureRequest) -> World:
    """A cloud without a socket, its client once in a thread and once on an event loop."""
    return World(on_loop=request.param == "loop")
