"""One simulated cloud and one real Airflow for all tests of this folder."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.stack import Stack

DAG_FILES = Path(__file__).parent / "dags"
"""DAGs that only the tests need, beside the examples of the project."""


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Everything running; a copy takes two seconds."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a SIGTERM stops the processes as well
    sources = {path.name: path.read_text() for path in DAG_FILES.glob("*.py")}
    with Stack(dag_files=sources, simulator_arguments=["--copy-seconds", "2"]) as running:
        yield running
    signal.signal(signal.SIGTERM, before)
