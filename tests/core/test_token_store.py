"""Tokens on disk: shared by all processes of the machine, useless to whoever lacks the password, never in the way."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import time
from datetime import UTC, datetime, timedelta
from inspect import signature
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from msgspec.structs import replace

from airflow_provider_ims.credentials import Credentials, PasswordCredentials
from airflow_provider_ims.keys import PASSES
from airflow_provider_ims.models import Request, Token
from airflow_provider_ims.shelves import Files
from airflow_provider_ims.token_store import FailedLogIns, TokenStore
from airflow_provider_ims.transport import run_async
from tests.world import World, token_store

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
FOUND = World().client.settings.credentials
assert isinstance(FOUND, PasswordCredentials)
WHO: PasswordCredentials = FOUND
OTHER = replace(WHO, password="wrong horse")
TOKEN = Token("MIIsecret", NOON, NOON + timedelta(hours=24), "0215ef11e49d4743", {"eu-de": "https://ims.example"})
REFUSAL = FailedLogIns("Wrong password.", NOON + timedelta(minutes=15), "IAM.0062", "req-1")


def files(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if path.suffix != ".lock"]


def read(store: TokenStore, who: Credentials = WHO) -> Token | FailedLogIns | None:
    """What another process would find on this machine."""
    [shelf] = store.shelves
    return store.read(who, shelf)


def kept(directory: Path) -> Path:
    token_store(directory).write(WHO, TOKEN)
    [path] = files(directory)
    return path


@pytest.mark.parametrize("what", [TOKEN, REFUSAL])
def test_what_one_process_keeps_another_reads(tmp_path: Path, what: Token | FailedLogIns) -> None:
    token_store(tmp_path / "deep" / "er").write(WHO, what)
    another = token_store(tmp_path / "deep" / "er")
    assert another.recall(WHO) is None
    assert read(another) == what


def test_what_was_read_or_written_needs_no_disk(tmp_path: Path) -> None:
    store = token_store()
    store.write(WHO, TOKEN)
    assert (store.recall(WHO), store.shelves, store.recall(OTHER)) == (TOKEN, (), None)
    assert list(tmp_path.iterdir()) == []


def test_only_the_owner_can_read_files_and_directory(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        path = kept(tmp_path / "tokens")
        assert token_store(tmp_path / "tokens").lock(WHO, "owner")
    finally:
        os.umask(old)
    modes = {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert (modes, stat.S_IMODE(path.parent.stat().st_mode)) == ({0o600}, 0o700)


def test_the_file_shows_neither_token_nor_password_nor_user(tmp_path: Path) -> None:
    path = kept(tmp_path)
    shown = path.read_bytes() + path.name.encode()
    secrets = (TOKEN.value, WHO.password, WHO.user_name, WHO.domain_name, TOKEN.project_id)
    assert not [secret for secret in secrets if secret.encode() in shown]


def test_another_password_neither_finds_nor_opens_the_file(tmp_path: Path) -> None:
    path = kept(tmp_path)
    assert read(token_store(tmp_path), OTHER) is None
    token_store(tmp_path).write(OTHER, REFUSAL)
    [others] = set(files(tmp_path)) - {path}
    others.write_bytes(path.read_bytes())  # in the place where it would be looked for
    assert read(token_store(tmp_path), OTHER) is None
    assert read(token_store(tmp_path)) == TOKEN


def test_a_guess_at_the_password_costs_what_is_said_and_by_default_what_owasp_advises(tmp_path: Path) -> None:
    path, dearer = kept(tmp_path), TokenStore(Files(tmp_path), cost=2**5)
    assert read(dearer) is None
    dearer.write(WHO, REFUSAL)
    [others] = set(files(tmp_path)) - {path}
    others.write_bytes(path.read_bytes())  # neither the name nor the key is to be had for less
    assert read(dearer) is None
    assert (signature(TokenStore).parameters["cost"].default, PASSES) == (12 * 1024, 3)


@pytest.mark.parametrize("part", [0, 1, 10, -1])
def test_a_truncated_file_is_none_and_replaced(tmp_path: Path, part: int) -> None:
    path = kept(tmp_path)
    path.write_bytes(path.read_bytes()[:part])
    assert read(token_store(tmp_path)) is None
    assert kept(tmp_path) == path
    assert read(token_store(tmp_path)) == TOKEN


@pytest.mark.parametrize("content", [b"\x00" * 1000, b"{}", b"gAAAAA", "ü".encode("latin-1")])
def test_a_corrupt_file_is_none(tmp_path: Path, content: bytes) -> None:
    kept(tmp_path).write_bytes(content)
    assert read(token_store(tmp_path)) is None


def test_a_changed_byte_anywhere_is_seen(tmp_path: Path) -> None:
    path = kept(tmp_path)
    sealed = path.read_bytes()
    for place in range(0, len(sealed), 37):
        path.write_bytes(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])
        assert read(token_store(tmp_path)) is None


def test_a_link_or_a_directory_in_its_place_is_none(tmp_path: Path) -> None:
    path = kept(tmp_path / "tokens")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert read(token_store(path.parent)) is None
    path.unlink()
    path.mkdir()
    assert read(token_store(path.parent)) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_none(tmp_path: Path) -> None:
    os.chown(kept(tmp_path), 65534, 65534)
    assert read(token_store(tmp_path)) is None


def test_a_disk_that_cannot_be_written_costs_only_the_keeping(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    store = token_store(tmp_path / "file" / "tokens")
    with caplog.at_level(logging.WARNING):
        assert store.lock(WHO, "me")
        store.write(WHO, TOKEN)
        store.unlock(WHO, "me")
    assert (store.recall(WHO), read(store)) == (TOKEN, None)
    assert "cannot be used" in caplog.text
    assert TOKEN.value not in caplog.text


@pytest.mark.parametrize(("number", "others"), [(0, "tasks"), (1, "hosts")])
def test_what_is_not_shared_is_said_once_with_its_reason_and_remedy_until_it_is_shared(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, number: int, others: str
) -> None:
    (tmp_path / "file").touch()
    shelves = [Files(tmp_path / "good"), Files(tmp_path / "good too")]
    shelves[number] = Files(tmp_path / "file" / "tokens")
    store = TokenStore(*shelves, cost=2**4)
    for _ in range(2):
        store.write(WHO, TOKEN)
    said = f"The token is not shared with other {others}: {shelves[number].place} cannot be used (Not a directory); "
    assert store.trouble == f"{said}make it writable."
    assert [record.getMessage() for record in caplog.records] == [store.trouble]
    (tmp_path / "file").unlink()
    store.write(WHO, TOKEN)
    assert store.trouble is None


class Unusual(Files, frozen=True):
    """A shelf whose trouble is none that the system has words for."""

    def write(self, name: str, sealed: bytes) -> None:
        raise UnsupportedAlgorithm("no connection")

    def read(self, name: str) -> bytes:
        raise OSError("no connection")


def test_a_trouble_that_the_system_has_no_words_for_is_said_in_its_own(tmp_path: Path) -> None:
    for use in (lambda store: store.note(WHO, TOKEN), read):
        store = token_store(None, Unusual(tmp_path))
        use(store)
        assert f"{tmp_path} cannot be used (no connection); make it writable." in (store.trouble or "")


def test_of_two_that_know_of_failures_nothing_is_lost() -> None:
    silence = FailedLogIns("No answer.", NOON + timedelta(minutes=20), projects=(), unanswered=2)
    refusal = FailedLogIns("Wrong.", NOON + timedelta(minutes=15), "IAM.0062", "req-1", ("p1", "p2"), 1)
    later = replace(refusal, message="Wrong again.", until=NOON + timedelta(minutes=16), projects=("p2", "p3"))
    both = replace(refusal, until=silence.until, unanswered=2)
    assert silence.joined(refusal) == refusal.joined(silence) == both
    joined = replace(later, projects=("p1", "p2", "p3"))
    assert refusal.joined(later) == later.joined(refusal) == joined
    assert silence.joined(replace(silence, message="Nor then.", until=NOON)) == silence


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = kept(tmp_path)
    path.unlink()
    path.mkdir()  # the last step, putting the new file in its place, fails
    token_store(tmp_path).write(WHO, TOKEN)
    assert files(tmp_path) == [path]


def test_only_the_token_that_was_refused_is_forgotten() -> None:
    store, newer = token_store(), replace(TOKEN, value="MIInewer")
    store.write(WHO, newer)
    store.forget(WHO, TOKEN)
    assert store.recall(WHO) == newer
    store.forget(WHO, newer)
    assert store.recall(WHO) is None


@pytest.mark.parametrize("shared", [True, False], ids=["same process", "another process"])
@pytest.mark.parametrize("on_disk", [True, False], ids=["disk", "memory"])
def test_one_holds_the_lock_until_it_is_given_back(tmp_path: Path, shared: bool, on_disk: bool) -> None:
    first = token_store(tmp_path if on_disk else None)
    second = first if shared else token_store(tmp_path if on_disk else None)
    assert first.lock(WHO, "me")
    assert first.is_locked(WHO)
    assert second.lock(WHO, "you") is not (shared or on_disk)
    assert first.lock(OTHER, "you")  # another credential, another lock
    first.unlock(WHO, "you")
    assert first.is_locked(WHO)
    first.unlock(WHO, "me")
    assert second.lock(WHO, "you")


def test_a_lock_file_without_an_owner_does_not_block(tmp_path: Path) -> None:
    first = token_store(tmp_path)
    first.lock(WHO, "me")
    first.unlock(WHO, "me")
    assert list(tmp_path.glob("*.lock"))  # it stays, as after a crash
    assert token_store(tmp_path).lock(WHO, "you")


def test_what_former_passwords_left_is_swept_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    former = tmp_path / "ims_token_former"
    former.touch()
    token_store(tmp_path).lock(OTHER, "a slow one")
    [lock] = tmp_path.glob("*.lock")
    days_ago = time.time() - timedelta(days=3).total_seconds()
    os.utime(former, (days_ago, days_ago))
    path = kept(tmp_path)
    assert (former.exists(), path.exists(), lock.exists()) == (False, True, True)


def test_taking_an_old_lock_keeps_it_from_being_swept(tmp_path: Path) -> None:
    store = token_store(tmp_path)
    store.lock(OTHER, "once")
    store.unlock(OTHER, "once")
    [lock] = tmp_path.glob("*.lock")
    os.utime(lock, (0, 0))
    store.lock(OTHER, "again")
    kept(tmp_path)
    assert not token_store(tmp_path).lock(OTHER, "somebody else")


def test_a_driver_cancelled_in_the_middle_leaves_no_lock(tmp_path: Path) -> None:
    world = World(on_loop=True)
    client = world.another_client(tmp_path)

    async def cancel_while_logging_in() -> None:
        sent = asyncio.Event()

        async def send(request: Request) -> NoReturn:
            sent.set()
            await asyncio.Event().wait()
            raise AssertionError

        asking = asyncio.create_task(run_async(client.token(), send))
        await sent.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(cancel_while_logging_in())
    for each in (client, world.another_client(tmp_path)):
        world.perform(each.token())
    assert (world.pauses, world.counted("POST log_in")) == ([], 1)
