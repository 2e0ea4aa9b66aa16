"""The machine's memory, in which an Airflow keeps the keys of its tokens."""

from __future__ import annotations

import shutil
from pathlib import Path

from airflow_provider_ims.keys import memory_of


def forget(home: Path) -> None:
    """Remove the keys that this Airflow has left there."""
    shutil.rmtree(memory_of(home), ignore_errors=True)
