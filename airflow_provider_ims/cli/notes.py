"""What ``airflow ims copy`` and ``probe`` leave to the same command when given again: a file in Airflow's home."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_ims.errors import StateStoreError
from airflow_provider_ims.versions import INSTALL, check_version

log = logging.getLogger(__name__)

VERSION = 1
"""Of the notes' form."""


class FileNotes:
    """The notes of one copy (see ``copying.Notes``), without secrets.

    :param folder: where the files are: one for each copy, and a lock beside it.
    :param copy: what tells this copy from all others: where it is made, of what, and its key.
    :param asked: what else stands in the notes: what the copy is to be like.
    """

    def __init__(self, folder: Path, copy: str, asked: Mapping[str, Any]) -> None:
        self.path = folder / f"{hashlib.sha256(copy.encode()).hexdigest()[:32]}.json"
        self.asked = asked

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within, no other process of this machine begins this copy; waits for one that does."""
        try:
            descriptor = self._lock()
        except OSError as problem:
            raise self._refused(problem) from None
        try:
            yield
        finally:
            os.close(descriptor)

    def _lock(self) -> int:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.path.with_suffix(".lock")  # stays: who removed it could let two others in
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.info("Another process is at this: waiting for it")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def read(self) -> dict[str, Any]:
        """What was noted last; empty where nothing was. Raises ``StateStoreError``, as ``write`` does."""
        try:
            kept = dict(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError) as problem:
            raise self._refused(problem) from None
        remedy = f"{INSTALL} Or, once nobody needs what is noted there, delete the file."
        check_version(str(self.path), kept.get("version"), VERSION, remedy)
        return kept

    def write(self, **facts: Any) -> None:
        """Put these in the place of what was there, whole or not at all."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.path.parent, delete=False) as file:
                json.dump({"version": VERSION, **self.asked, **facts}, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(file.name, self.path)
        except OSError as problem:
            raise self._refused(problem) from None

    def _refused(self, problem: Exception) -> StateStoreError:
        remedy = "nothing was sent; make it readable and writable"
        return StateStoreError(f"What is begun cannot be noted: {self.path} ({problem}): {remedy}.")
