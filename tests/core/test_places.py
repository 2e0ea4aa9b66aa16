"""Where hosts share tokens: a place that cannot be used, or is shared with others, and who may read it."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims.credentials import PasswordCredentials
from airflow_provider_ims.errors import LoginRefusedError
from airflow_provider_ims.shelves import PREFIX, Files, Shelf
from tests.variables import Variables
from tests.world import LOOK, World

WRONG = "wrong horse"


@contextmanager
def unusable(shelf: str, directory: Path) -> Iterator[Shelf]:
    """A shelf that cannot be used: not there, not a directory, denied."""
    if shelf == "variables":
        variables = Variables()
        variables.denied = True
        yield variables
    elif shelf == "a file":
        (directory / "file").touch()
        yield Files(directory / "file", shared=True)
    else:
        yield Files(directory / "mistyped", shared=True)
        assert not (directory / "mistyped").exists(), "made here it would be another one on each host"


@pytest.mark.parametrize("shelf", ["missing", "a file", "variables"])
def test_a_shelf_that_cannot_be_used_costs_only_the_sharing(
    world: World, host: Any, directory: Path, caplog: pytest.LogCaptureFixture, shelf: str
) -> None:
    with unusable(shelf, directory) as shared, caplog.at_level(logging.WARNING):
        first = host(0, shared)
        for process in (first, host(0, shared)):
            world.perform(process.ask(LOOK))
        assert world.log_ins == 1
        world.perform(host(1, shared).ask(LOOK))
        assert world.log_ins == 2
        said = [record.getMessage() for record in caplog.records]
        assert len(said) == 2, "one warning a process that logs in"
        assert f"not shared with other hosts: {shared.place} cannot be used" in said[0]
        assert said[0].endswith(f"{shared.remedy}.")
        assert said[0] == first.tokens.trouble


def test_a_shelf_that_works_again_is_no_trouble_any_more(world: World, host: Any) -> None:
    shared = Variables()
    shared.denied = True
    process = host(0, shared)
    world.perform(process.ask(LOOK))
    shared.denied = False
    world.perform(process.new_token())
    assert process.tokens.trouble is None


def test_a_record_that_somebody_else_has_put_there_is_none(world: World, host: Any) -> None:
    shared = Variables()
    world.perform(host(0, shared).ask(LOOK))
    shared.kept = dict.fromkeys(shared.kept, b"what a secrets backend says")
    world.perform(host(1, shared).ask(LOOK))
    assert world.log_ins == 2


def test_neither_name_nor_record_tells_anything(world: World, host: Any, beyond: Shelf, directory: Path) -> None:
    world.perform(host(0, beyond).ask(LOOK))
    with pytest.raises(LoginRefusedError):
        world.perform(host(0, beyond, password=WRONG).ask(LOOK))
    if isinstance(beyond, Variables):
        shown = {name: sealed for name, sealed in beyond.kept.items()}
    else:
        shown = {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix != ".lock"}
    assert len(shown) == 2, "a token, and a refusal of another password"
    assert all(name.startswith(PREFIX) for name in shown)
    who = world.client.settings.credentials
    assert isinstance(who, PasswordCredentials)
    everything = b"".join(shown.values()) + "".join(shown).encode()
    secrets = [*world.cloud.state.tokens, who.password, WRONG, who.user_name, who.domain_name]
    assert len(secrets) == 5
    assert not [secret for secret in secrets if secret.encode() in everything]


def test_nothing_of_others_in_the_directory_is_touched(world: World, host: Any, directory: Path) -> None:
    for name in ("0" * 32, "new-report", "results.lock"):
        (directory / name).touch()
        os.utime(directory / name, (0, 0))
    former = directory / f"{PREFIX}former"
    former.touch()
    os.utime(former, (0, 0))
    world.perform(host(0, Files(directory, shared=True)).ask(LOOK))
    assert {"0" * 32, "new-report", "results.lock"} < {path.name for path in directory.iterdir()}
    assert not former.exists()


def test_the_same_directory_for_one_host_and_all_is_fine(world: World, directory: Path) -> None:
    for _ in range(2):
        world.perform(world.another_client(directory, Files(directory, shared=True)).ask(LOOK))
    assert (world.log_ins, world.pauses) == (1, [])


@pytest.mark.parametrize(("mode", "files"), [(0o700, 0o600), (0o755, 0o600), (0o770, 0o660), (0o2770, 0o660)])
def test_files_are_for_the_group_where_the_directory_is(
    world: World, host: Any, directory: Path, mode: int, files: int
) -> None:
    directory.chmod(mode)
    world.perform(host(0, Files(directory, shared=True)).ask(LOOK))
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {files}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize(("mode", "log_ins"), [(0o777, 1), (0o755, 2)])
def test_hosts_that_run_as_different_users_of_a_group_share(
    world: World, host: Any, directory: Path, mode: int, log_ins: int
) -> None:
    """As on OpenShift: another user id for each pod, and one group."""
    directory.chmod(mode)
    world.perform(host(0, Files(directory, shared=True)).ask(LOOK))
    for path in directory.iterdir():
        os.chown(path, 65534, -1)
    world.perform(host(1, Files(directory, shared=True)).ask(LOOK))
    assert world.log_ins == log_ins
