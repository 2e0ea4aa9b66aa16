"""A directory as a shelf: what lies in it under which name, and how little room there is for others."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from airflow_provider_ims.shelves import PREFIX, Files
from tests.core.test_token_store import TOKEN, WHO, files
from tests.world import token_store


def test_names_never_change_or_what_former_releases_kept_would_not_be_found(tmp_path: Path) -> None:
    token_store(tmp_path).write(WHO, TOKEN)
    assert [path.name for path in files(tmp_path)] == ["ims_token_cb2f660e9e003bb9be1cab216ba42a9c"]


@pytest.mark.parametrize(("shared", "name"), [(False, "x.host.lock"), (True, "x.hosts.lock")])
def test_locks_never_change_or_two_releases_would_not_heed_each_other(tmp_path: Path, shared: bool, name: str) -> None:
    os.close(Files(tmp_path, shared).lock("x"))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "x.host.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        Files(tmp_path).lock("x")
    assert not (tmp_path / "elsewhere").exists()


class Lockless(Files, frozen=True):
    """A file system without locks."""

    def lock(self, name: str) -> int:
        raise OSError("no locks available")


def test_a_shelf_without_locks_does_not_keep_the_next_one_from_having_them(tmp_path: Path) -> None:
    store, other = token_store(None, Lockless(tmp_path / "a"), Files(tmp_path / "b")), token_store(tmp_path / "b")
    assert store.lock(WHO, "me")
    assert not other.lock(WHO, "you")
    store.unlock(WHO, "me")
    assert other.lock(WHO, "you")


def test_a_record_is_written_beside_its_place_under_a_name_that_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed: list[Path] = []

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "os.rename" and str(arguments[1]) == str(tmp_path / "x"):
            renamed.append(Path(str(arguments[0])))

    sys.addaudithook(note)
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    Files(tmp_path).write("x", b"sealed")
    assert [(path.parent, path.name.startswith(f"{PREFIX}new_")) for path in renamed] == [(tmp_path, True)]
    assert Files(tmp_path).read("x") == b"sealed"


def test_what_is_not_there_is_none_and_need_not_be_removed(tmp_path: Path) -> None:
    assert Files(tmp_path).read("none") is None
    Files(tmp_path).remove("none")
