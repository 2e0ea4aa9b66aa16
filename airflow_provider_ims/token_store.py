"""Tokens kept: in this process, and for other processes of the machine in a file that is useless without the password.

File and key come from the password by scrypt, so that neither the file nor its name is a quick way to guess it; the
content is sealed with Fernet; only the owner may read it; a file that is foreign, corrupt or old counts as none, and a
disk that cannot be written costs only the caching. A changed password is another file. Log-ins that IAM refused or did
not answer are kept in the same way, so that nobody repeats them too often. Methods that touch the disk may block: an
event loop calls them in a thread.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import logging
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from airflow_provider_ims.models import Credentials, Token

log = logging.getLogger(__name__)

FAILURE_LASTS = timedelta(minutes=15)
"""IAM locks an account for 15 minutes after five wrong log-ins, and counts them over 15 minutes."""

SWEEP_AFTER = timedelta(days=2)

COST = 2**15
"""scrypt's ``n``: what one guess at the password costs whoever has the files, about a tenth of a second and 32 MB."""

_VERSION = 1
_INSTANTS = ("issued_at", "expires_at", "until")


@dataclass(frozen=True, slots=True)
class FailedLogIns:
    """A user's log-ins that may count as wrong passwords: what IAM said last, and until when that is remembered.

    ``projects``: those for which it answered with 401. ``unanswered``: how many others were sent without an answer.
    """

    message: str
    until: datetime
    code: str | None = None
    request_id: str | None = None
    projects: tuple[str, ...] = ()
    unanswered: int = 0


class TokenStore:
    """Tokens and failed log-ins by credential, in memory and (``directory`` given) on disk. Safe between threads.

    ``cost``: see ``COST``; stores of one directory need the same.
    """

    def __init__(self, directory: Path | None = None, cost: int = COST) -> None:
        self._files = None if directory is None else _Files(directory, cost)
        self._kept: dict[Credentials, Token | FailedLogIns] = {}
        self._owners: dict[Credentials, object] = {}
        self._descriptors: dict[Credentials, int] = {}

    def recall(self, who: Credentials) -> Token | FailedLogIns | None:
        """What this process knows; never touches the disk."""
        return self._kept.get(who)

    def forget(self, who: Credentials, token: Token) -> None:
        """Forget this token, and only this: another may have been put in its place meanwhile."""
        if self._kept.get(who) == token:
            self._kept.pop(who, None)

    def remember(self, who: Credentials, kept: Token | FailedLogIns) -> None:
        """Keep this for this process; never touches the disk."""
        self._kept[who] = kept

    def read(self, who: Credentials) -> Token | FailedLogIns | None:
        """What any process of this machine has kept. May block."""
        return None if self._files is None else self._files.unseal(who)

    def write(self, who: Credentials, kept: Token | FailedLogIns) -> None:
        """Keep this for every process of the machine. May block."""
        self.remember(who, kept)
        if self._files is None:
            return
        try:
            self._files.seal(who, kept)
            self._files.sweep()
        except OSError as problem:
            where = self._files.directory
            log.warning("The token is not kept for other tasks: %s cannot be written (%s)", where, problem)

    def remove(self, who: Credentials) -> None:
        """Forget this, for every process of the machine. May block."""
        self._kept.pop(who, None)
        if self._files is not None:
            with suppress(OSError):
                self._files.path(who).unlink()

    def is_locked(self, who: Credentials) -> bool:
        """Whether somebody in this process holds the lock; never touches the disk."""
        return who in self._owners

    def lock(self, who: Credentials, owner: object) -> bool:
        """Try to become the only one on this machine who logs in with these credentials. May block for a moment."""
        if self._owners.setdefault(who, owner) is not owner:
            return False
        try:
            descriptor = self._files.lock(who) if self._files else None
        except BlockingIOError:
            del self._owners[who]
            return False
        except OSError:
            return True  # a disk without locks: the process's own lock has to do
        if descriptor is not None:
            self._descriptors[who] = descriptor
        return True

    def unlock(self, who: Credentials, owner: object) -> None:
        """Give the lock back; nothing where ``owner`` does not hold it."""
        if self._owners.get(who) is not owner:
            return
        if (descriptor := self._descriptors.pop(who, None)) is not None:
            os.close(descriptor)
        del self._owners[who]


@dataclass(frozen=True, slots=True)
class _Files:
    """A directory of sealed files, one for each credential, and of the locks beside them."""

    directory: Path
    cost: int

    def path(self, who: Credentials) -> Path:
        name = hashlib.sha256(_derived(who.login, self.cost)[0] + who.project.encode()).hexdigest()[:32]
        return self.directory / name

    def seal(self, who: Credentials, kept: Token | FailedLogIns) -> None:
        self._make()
        record = {"version": _VERSION, "kind": type(kept).__name__, **asdict(kept)}
        sealed = self._fernet(who).encrypt(json.dumps(record, default=datetime.isoformat).encode())
        descriptor, name = tempfile.mkstemp(dir=self.directory, prefix="new-")  # mkstemp: readable by the owner alone
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(sealed)
            os.replace(name, self.path(who))
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise

    def unseal(self, who: Credentials) -> Token | FailedLogIns | None:
        try:
            descriptor = os.open(self.path(who), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                owner = os.fstat(file.fileno()).st_uid
                record = json.loads(self._fernet(who).decrypt(file.read())) if owner == os.geteuid() else {}
            return _read_record(record)
        except (OSError, InvalidToken, ValueError, LookupError, TypeError):
            return None

    def lock(self, who: Credentials) -> int:
        """The descriptor that holds the lock; raises ``BlockingIOError`` where somebody else has it."""
        self._make()
        path = self.path(who).with_suffix(".lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.utime(descriptor)  # in use: not to be swept
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def sweep(self) -> None:
        """Remove what former passwords left behind."""
        limit = time.time() - SWEEP_AFTER.total_seconds()
        for path in self.directory.iterdir():
            with suppress(OSError):
                if path.stat().st_mtime < limit:
                    path.unlink()

    def _make(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _fernet(self, who: Credentials) -> Fernet:
        return Fernet(_derived(who.login, self.cost)[1])


@cache
def _derived(login: Credentials, cost: int) -> tuple[bytes, bytes]:
    """What the names of a log-in's files are made of, and the key that seals them."""
    salt = hashlib.sha256(f"airflow-provider-ims {login.identity}".encode()).digest()
    secret = hashlib.scrypt(login.password.encode(), salt=salt, n=cost, r=8, p=1, maxmem=2**26, dklen=64)
    return secret[:32], base64.urlsafe_b64encode(secret[32:])


def _read_record(record: dict[str, Any]) -> Token | FailedLogIns | None:
    if record.pop("version", None) != _VERSION:
        return None
    kind: type[Token | FailedLogIns] = {"Token": Token, "FailedLogIns": FailedLogIns}[str(record.pop("kind"))]
    instants = {key: datetime.fromisoformat(str(record[key])) for key in _INSTANTS if key in record}
    lists = {key: tuple(value) for key, value in record.items() if isinstance(value, list)}
    return kind(**{**record, **instants, **lists})
