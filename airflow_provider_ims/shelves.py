"""Where sealed records lie outside a process: what a shelf is, and ``Files``, a directory with locks.

Knows nothing of what is in the records. All of it may block: an event loop calls it in a thread.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from airflow_provider_ims.values import Value

PREFIX = "ims_token_"
"""What each record's name begins with, and so what is certainly ours."""

SWEEP_AFTER = timedelta(days=2)


class Shelf(Protocol):
    """Records by name. Each method may block, and raises ``OSError`` where the shelf cannot be used."""

    @property
    def place(self) -> str:
        """What it is, to a user."""

    @property
    def remedy(self) -> str:
        """What a user can do where it cannot be used."""

    def read(self, name: str) -> bytes | None:
        """The record, None where there is none."""

    def write(self, name: str, sealed: bytes) -> None:
        """Put this in the place of what was there, whole or not at all."""

    def remove(self, name: str) -> None:
        """Remove the record, if it is there."""

    def lock(self, name: str) -> int | None:
        """A descriptor that holds the lock until it is closed, None where there are no locks.

        Raises ``BlockingIOError`` where somebody else has it.
        """


class Files(Value, frozen=True):
    """A directory with a file for each record, and the locks beside them.

    The files are for their owner alone; where the directory is writable for its group, for that group: hosts may run
    as different users. ``shared``: it is there for all hosts, so it is never made here, where it would be another one.
    """

    directory: Path
    shared: bool = False

    @property
    def place(self) -> str:
        """The directory's path, and where that was chosen."""
        return f"token_cache_dir {self.directory}" if self.shared else str(self.directory)

    @property
    def remedy(self) -> str:
        """What makes it usable."""
        return "mount it on this host, writable for Airflow" if self.shared else "make it writable"

    def read(self, name: str) -> bytes | None:
        """The record; None where there is none that this user or the directory's group has written."""
        try:
            descriptor = os.open(self.directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            if self.shared:
                self.directory.stat()  # raises where the directory itself is missing
            return None
        with os.fdopen(descriptor, "rb") as file:
            is_foreign = os.fstat(descriptor).st_uid != os.geteuid()
            return None if is_foreign and not self._is_for_group() else file.read()

    def write(self, name: str, sealed: bytes) -> None:
        """Put this in the place of what was there, and remove what former passwords left behind."""
        self._make()
        descriptor, new = tempfile.mkstemp(dir=self.directory, prefix=f"{PREFIX}new_")  # for the owner alone
        try:
            with os.fdopen(descriptor, "wb") as file:
                self._admit_group(descriptor)
                file.write(sealed)
            os.replace(new, self.directory / name)
        except BaseException:
            with suppress(OSError):
                os.unlink(new)
            raise
        self._sweep()

    def remove(self, name: str) -> None:
        """Remove the record, if it is there."""
        (self.directory / name).unlink(missing_ok=True)

    def lock(self, name: str) -> int:
        """The descriptor that holds the lock; raises ``OSError`` where the file system has no locks."""
        self._make()
        path = self.directory / f"{name}.{'hosts' if self.shared else 'host'}.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            self._admit_group(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(OSError):
                os.utime(descriptor)  # in use: not to be swept
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def _make(self) -> None:
        if not self.shared:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _is_for_group(self) -> bool:
        return bool(self.directory.stat().st_mode & stat.S_IWGRP)

    def _admit_group(self, descriptor: int) -> None:
        if self._is_for_group():
            with suppress(OSError):  # it is another's, who has done so, or this file system has no modes
                os.fchmod(descriptor, 0o660)

    def _sweep(self) -> None:
        limit = time.time() - SWEEP_AFTER.total_seconds()
        for path in self.directory.glob(f"{PREFIX}*"):
            with suppress(OSError):
                if path.stat().st_mtime < limit:
                    path.unlink()
