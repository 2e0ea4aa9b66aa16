"""``Variables``: sealed records as Airflow Variables, for hosts that share nothing but Airflow.

A task and a trigger reach them through Airflow's API, its own processes and ``airflow ims`` in the database. A
trigger's event loop must not wait for it: the calls are made in a thread, from where Airflow brings them to the loop.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_DESCRIPTION = "A sealed token of the Image Management Service; deleting it costs one log-in."


class Variables:
    """A shelf (see ``shelves.Shelf``) without locks: what is written last stays."""

    place = "token_cache variable"
    remedy = "let Airflow write Variables, or choose another token_cache"

    def read(self, name: str) -> bytes | None:
        """The record; raises ``OSError`` where Airflow does not let it be read."""
        with _variable() as variable:
            value = variable.get(name, None)
        return value.encode() if value else None

    def write(self, name: str, sealed: bytes) -> None:
        """Put this in the place of what was there; raises ``OSError``."""
        with _variable() as variable:
            variable.set(name, sealed.decode(), _DESCRIPTION)
            if not variable.get(name, None):  # Airflow 3.2 only logs what went wrong
                raise LookupError("what was written cannot be read")

    def remove(self, name: str) -> None:
        """Remove the record, if it is there; raises ``OSError``."""
        with _variable() as variable:
            variable.delete(name)

    def lock(self, name: str) -> None:
        """There are none."""


@contextmanager
def _variable() -> Iterator[Any]:
    """Airflow's class for what this process is; whatever it raises becomes an ``OSError``."""
    try:
        yield _class()
    except Exception as problem:  # Airflow's, of its API or its database, or of a secrets backend of the user's own
        raise OSError(f"{type(problem).__name__}: {problem}"[:300]) from None


def _class() -> Any:
    task_runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    if getattr(task_runner, "SUPERVISOR_COMMS", None) is not None:
        from airflow.sdk import Variable

        return Variable
    if os.environ.get("_AIRFLOW_PROCESS_CONTEXT") == "server":
        from airflow.models.variable import Variable as Stored

        return Stored
    raise LookupError("this is no process of Airflow's")
