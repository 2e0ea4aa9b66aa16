"""What records are named and sealed with: made from a secret, so slowly that nobody can guess a password from a record.

A task's process would spend a good part of its time on that. So what was made is left to the next one in the machine's
memory (a tmpfs, which may be swapped), in a folder of Airflow's own user id, sealed with a quicker key of the same
secret: whoever reads the memory of that user has the password anyway. It knows no token and no socket; all of it may
block.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from airflow_provider_ims.credentials import Credentials
from airflow_provider_ims.shelves import PREFIX, Files

COST, PASSES = 12 * 1024, 3
"""KiB of memory and passes that each guess takes of whoever has the records, as OWASP advises."""

QUICK_COST, QUICK_PASSES = 1024, 1
"""The same for whoever has what lies in the memory."""

MEMORY = Path("/dev/shm")  # noqa: S108 - only a folder in it that is nobody else's is used
"""What Linux has in memory for all processes."""


def memory_of(home: Path) -> Path:
    """The folder in memory of the Airflow of this home and this user."""
    owner = hashlib.sha256(f"{os.geteuid()} {home.absolute()}".encode()).hexdigest()
    return MEMORY / f"airflow-ims-{owner[:16]}"


@cache
def derived(login: Credentials, cost: int = COST, memory: Path | None = None) -> tuple[bytes, bytes]:
    """What the names of a log-in's records are made of, and the Fernet key that seals them; kept in this folder.

    Raises ``UnsupportedAlgorithm`` where OpenSSL is older than 3.2.
    """
    shelf = Files(memory) if memory and _is_ours_alone(memory) else None
    secret = _kept(login, cost, shelf) if shelf else _derive(login, "", 64, cost, PASSES)
    return secret[:32], base64.urlsafe_b64encode(secret[32:])


def _is_ours_alone(directory: Path) -> bool:
    """Whether this folder, which is made where there is none, is nobody else's."""
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
    except OSError:  # the machine has no such memory, or a file is there
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _kept(login: Credentials, cost: int, shelf: Files) -> bytes:
    name = f"{PREFIX}key_{hashlib.sha256(f'1 {cost} {PASSES} {login.identity}'.encode()).hexdigest()[:32]}"
    quick = Fernet(base64.urlsafe_b64encode(_derive(login, " in memory", 32, QUICK_COST, QUICK_PASSES)))
    with suppress(OSError, InvalidToken):  # InvalidToken: of another password
        if sealed := shelf.read(name):
            return quick.decrypt(sealed)
    secret = _derive(login, "", 64, cost, PASSES)
    with suppress(OSError):
        shelf.write(name, quick.encrypt(secret))
    return secret


def _derive(login: Credentials, purpose: str, length: int, cost: int, passes: int) -> bytes:
    salt = hashlib.sha256(f"airflow-provider-ims{purpose} {login.identity}".encode()).digest()
    slow = Argon2id(salt=salt, length=length, iterations=passes, lanes=1, memory_cost=cost)
    return slow.derive(login.secret.encode())
