"""Keys made from a password, kept in the machine's memory: there for the next process, useless to whoever lacks it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from airflow_provider_ims.credentials import PasswordCredentials
from airflow_provider_ims.keys import QUICK_COST, QUICK_PASSES, derived, memory_of
from tests.world import World

FOUND = World().client.settings.credentials.login
assert isinstance(FOUND, PasswordCredentials)
WHO: PasswordCredentials = FOUND
OTHER = replace(WHO, password="wrong horse")
COST = 2**4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "memory"


def anew(who: PasswordCredentials, memory: Path | None = None, cost: int = COST) -> tuple[bytes, bytes]:
    """As a process that has just started."""
    derived.cache_clear()
    return derived(who, cost, memory)


def kept(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_it_is_the_same_wherever_it_is_made(folder: Path) -> None:
    assert anew(WHO) == anew(WHO, folder) == anew(WHO, folder) == anew(WHO)
    assert anew(OTHER) != anew(WHO) != anew(replace(WHO, user_name="another"))


def test_the_next_process_reads_what_one_has_made(folder: Path) -> None:
    made = anew(WHO, folder)
    [path] = kept(folder)
    anew(WHO, folder, COST * 2)
    [dearer] = set(kept(folder)) - {path}
    dearer.write_bytes(path.read_bytes())  # were it made once more, it would be another one
    assert anew(WHO, folder, COST * 2) == made


def test_another_password_does_not_open_what_is_there(folder: Path) -> None:
    anew(WHO, folder)
    assert anew(OTHER, folder) == anew(OTHER)
    assert anew(WHO, folder) == anew(WHO)


@pytest.mark.parametrize("content", [b"", b"\x00" * 200, b"gAAAAA"])
def test_a_corrupt_one_is_made_and_kept_anew(folder: Path, content: bytes) -> None:
    anew(WHO, folder)
    [path] = kept(folder)
    whole = path.stat().st_size
    path.write_bytes(content)
    assert anew(WHO, folder) == anew(WHO)
    assert path.stat().st_size == whole


def test_nothing_of_it_shows_and_nobody_else_may_read_it(folder: Path) -> None:
    made = anew(WHO, folder)
    [path] = kept(folder)
    shown = path.read_bytes() + path.name.encode()
    assert not [secret for secret in (WHO.password.encode(), WHO.user_name.encode(), *made) if secret in shown]
    modes = stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(folder.stat().st_mode)
    assert modes == (0o600, 0o700)


def test_whoever_has_it_pays_for_each_guess_at_the_password() -> None:
    assert (QUICK_COST, QUICK_PASSES) == (1024, 1)


def test_each_home_has_its_own_folder() -> None:
    assert memory_of(Path("a")) == memory_of(Path("a").absolute()) != memory_of(Path("b"))


def test_without_such_a_memory_nothing_is_kept(tmp_path: Path) -> None:
    assert anew(WHO, tmp_path / "not" / "there") == anew(WHO)
    assert not kept(tmp_path)


def test_a_file_in_its_place_is_left_alone(folder: Path) -> None:
    folder.touch()
    assert anew(WHO, folder) == anew(WHO)
    assert folder.stat().st_size == 0


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o750, 0o777])
def test_a_folder_that_others_may_enter_is_not_used(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)
    assert anew(WHO, folder) == anew(WHO)
    assert not kept(folder)


def test_a_link_in_its_place_is_not_used(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    assert anew(WHO, folder) == anew(WHO)
    assert not kept(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_not_used(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    assert anew(WHO, folder) == anew(WHO)
    assert not kept(folder)
