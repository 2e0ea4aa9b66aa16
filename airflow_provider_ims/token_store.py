"""Tokens kept: in this process, and on shelves where other processes find them, useless without the password.

The first shelf is this machine's: files. A second one, where the connection asks for it, is there for all machines: a
directory that they share, or Airflow's Variables. A record's name and its key come from the password (see ``keys``), so
that neither record nor name is a quick way to guess it; the content is sealed with Fernet; what is foreign, corrupt or
old counts as none, and a shelf that cannot be used costs only the sharing. A changed password is another record.
Log-ins that IAM refused or did not answer are kept in the same way, so that nobody repeats them too often. Methods that
touch a shelf may block: an event loop calls them in a thread.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.fernet import Fernet, InvalidToken
from msgspec.structs import asdict, replace

from airflow_provider_ims.credentials import Credentials
from airflow_provider_ims.keys import COST, derived
from airflow_provider_ims.models import Token
from airflow_provider_ims.shelves import PREFIX, Shelf
from airflow_provider_ims.values import Value
from airflow_provider_ims.versions import known_fields

log = logging.getLogger(__name__)

FAILURE_LASTS = Credentials.refusal_lasts
"""IAM locks an account for 15 minutes after five wrong log-ins, and counts them over 15 minutes."""

_VERSION = 1
_UNUSABLE = (OSError, UnsupportedAlgorithm)
"""Where a shelf cannot be used, or OpenSSL is older than 3.2, only the sharing is lost."""

_INSTANTS = ("issued_at", "expires_at", "until")


class FailedLogIns(Value, frozen=True):
    """A user's log-ins that may count as wrong passwords: what IAM said last, and until when that is remembered.

    ``projects``: those for which it answered with 401. ``unanswered``: how many others were sent without an answer.
    """

    message: str
    until: datetime
    code: str | None = None
    request_id: str | None = None
    projects: tuple[str, ...] = ()
    unanswered: int = 0

    def joined(self, other: FailedLogIns) -> FailedLogIns:
        """What both tell, each of which may know of the other's: IAM's own word goes before its silence."""
        first, last = sorted((self, other), key=lambda each: (bool(each.projects), each.until))
        return replace(
            last,
            until=max(first.until, last.until),
            projects=tuple(dict.fromkeys((*first.projects, *last.projects))),
            unanswered=max(first.unanswered, last.unanswered),
        )


class TokenStore:
    """Tokens and failed log-ins by credential, in memory and on ``shelves``. Safe between threads.

    ``shelves``: this machine's, then that of all machines, as far as there are any. ``cost``, which stores of one shelf
    need alike, and ``memory``: see ``keys``.
    """

    def __init__(self, *shelves: Shelf, cost: int = COST, memory: Path | None = None) -> None:
        self.shelves = shelves
        self._cost = cost
        self._memory = memory
        self._kept: dict[Credentials, Token | FailedLogIns] = {}
        self._owners: dict[Credentials, object] = {}
        self._descriptors: dict[Credentials, list[int]] = {}
        self._troubles: dict[str, str] = {}

    def recall(self, who: Credentials) -> Token | FailedLogIns | None:
        """What this process knows; touches no shelf."""
        return self._kept.get(who)

    def forget(self, who: Credentials, token: Token) -> None:
        """Forget this token, and only this: another may have been put in its place meanwhile."""
        if self._kept.get(who) == token:
            self._kept.pop(who, None)

    def remember(self, who: Credentials, kept: Token | FailedLogIns) -> None:
        """Keep this for this process; touches no shelf."""
        self._kept[who] = kept

    def read(self, who: Credentials, shelf: Shelf) -> Token | FailedLogIns | None:
        """What lies on this shelf. May block."""
        try:
            sealed = shelf.read(self._name(who))
            return _read_record(json.loads(self._fernet(who).decrypt(sealed))) if sealed else None
        except _UNUSABLE as problem:
            self._complain(shelf, problem)
        except (InvalidToken, ValueError, LookupError, TypeError):
            pass
        return None

    def note(self, who: Credentials, kept: Token | FailedLogIns) -> None:
        """Keep this for the processes of this machine. May block."""
        self.remember(who, kept)
        self._write(who, kept, self.shelves[:1])

    def write(self, who: Credentials, kept: Token | FailedLogIns) -> None:
        """Keep this for all processes that share a shelf. May block."""
        self.remember(who, kept)
        self._write(who, kept, self.shelves)

    def remove(self, who: Credentials) -> None:
        """Forget this, for all processes that share a shelf. May block."""
        self._kept.pop(who, None)
        for shelf in self.shelves:
            with suppress(*_UNUSABLE):
                shelf.remove(self._name(who))

    def is_locked(self, who: Credentials) -> bool:
        """Whether somebody in this process holds the lock; touches no shelf."""
        return who in self._owners

    def lock(self, who: Credentials, owner: object) -> bool:
        """Try to become the only one who logs in with these credentials, as far as shelves have locks. May block."""
        if self._owners.setdefault(who, owner) is not owner:
            return False
        descriptors = self._descriptors[who] = []
        for shelf in self.shelves:
            try:
                descriptor = shelf.lock(self._name(who))
            except BlockingIOError:
                self.unlock(who, owner)
                return False
            except _UNUSABLE:
                continue  # a shelf without locks: those before it have to do
            if descriptor is not None:
                descriptors.append(descriptor)
        return True

    def unlock(self, who: Credentials, owner: object) -> None:
        """Give the lock back; nothing where ``owner`` does not hold it."""
        if self._owners.get(who) is not owner:
            return
        for descriptor in self._descriptors.pop(who, ()):
            os.close(descriptor)
        del self._owners[who]

    @property
    def trouble(self) -> str | None:
        """Why what is kept is not shared as it should be, and what to do; None where it is, as far as is known."""
        return " ".join(self._troubles.values()) or None

    def _write(self, who: Credentials, kept: Token | FailedLogIns, shelves: tuple[Shelf, ...]) -> None:
        record = {"version": _VERSION, "kind": type(kept).__name__, **asdict(kept)}
        for shelf in shelves:
            try:
                sealed = self._fernet(who).encrypt(json.dumps(record, default=datetime.isoformat).encode())
                shelf.write(self._name(who), sealed)
                self._troubles.pop(shelf.place, None)
            except _UNUSABLE as problem:
                self._complain(shelf, problem)

    def _complain(self, shelf: Shelf, problem: Exception) -> None:
        others = "tasks" if shelf is self.shelves[0] else "hosts"
        why = getattr(problem, "strerror", None) or problem
        said = f"The token is not shared with other {others}: {shelf.place} cannot be used ({why}); {shelf.remedy}."
        if self._troubles.setdefault(shelf.place, said) is said:
            log.warning("%s", said)

    def _name(self, who: Credentials) -> str:
        secret = derived(who.login, self._cost, self._memory)[0]
        return PREFIX + hashlib.sha256(secret + who.project.encode()).hexdigest()[:32]

    def _fernet(self, who: Credentials) -> Fernet:
        return Fernet(derived(who.login, self._cost, self._memory)[1])


def _read_record(record: dict[str, Any]) -> Token | FailedLogIns | None:
    if record.get("version") != _VERSION:
        return None
    kinds: dict[str, type[Token] | type[FailedLogIns]] = {"Token": Token, "FailedLogIns": FailedLogIns}
    kind = kinds[str(record["kind"])]
    instants = {key: datetime.fromisoformat(str(record[key])) for key in _INSTANTS if key in record}
    lists = {key: tuple(value) for key, value in record.items() if isinstance(value, list)}
    return kind(**known_fields(kind, {**record, **instants, **lists}))
