"""One simulated cloud and one real Airflow for all tests of this folder."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.stack import ASSETS_START_RUNS, PROJECT, Stack

DAG_FILES = Path(__file__).parent / "dags"
"""DAGs that only the tests need, beside the examples of the project."""


def in_worker(example: Path) -> str:
    """An example DAG as ``<its id>_in_worker``, each of whose tasks waits without the triggerer."""
    source = example.read_text().replace(f'"{example.stem}"', f'"{example.stem}_in_worker"')
    source = source.replace("wait_for_completion=True", "wait_for_completion=True, poll_interval=2")
    return re.sub(r'task_id="\w+"', r"\g<0>, deferrable=False", source)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Everything running; a copy takes two seconds."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a SIGTERM stops the processes as well
    sources = {path.name: path.read_text() for path in DAG_FILES.glob("*.py")}
    by_hand = [path for path in (PROJECT / "dags").glob("*.py") if "schedule=[" not in path.read_text()]
    sources |= {path.name: in_worker(path) for path in by_hand}
    with Stack(dag_files=sources, simulator_arguments=["--copy-seconds", "2"], env=ASSETS_START_RUNS) as running:
        yield running
    signal.signal(signal.SIGTERM, before)
