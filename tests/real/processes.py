"""Processes of this project's own: each in a session of its own, stopped by its id, with its children.

Signals only leave a note here; ``pause`` raises at the next safe point, so that no process gets lost between its start
and its being written down.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

STOP_WITHIN = 6.0
"""Seconds that all processes together have for an orderly end before they are killed (a scheduler waits for tasks)."""

NOT_EPHEMERAL = range(20_000, 32_000)
"""Ports that neither Linux nor macOS chooses by itself."""

_noted: list[int] = []


class StackError(Exception):
    """The stack did not do what it should; the message says what and shows the last log lines."""


class InterruptedBySignal(Exception):
    """Somebody asked to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number
        self.is_ctrl_c = number == signal.SIGINT


def heed_signals() -> None:
    """Make Ctrl-C, SIGTERM and a closed terminal end in ``pause``."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: _noted.append(received))


def pause(seconds: float) -> None:
    """Sleep for so many seconds, or raise ``InterruptedBySignal``."""
    until = time.monotonic() + seconds
    while not _noted and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))
    if _noted:
        raise InterruptedBySignal(_noted[0])


def free_port(wished: int | None = None) -> int:
    """A TCP port of the loopback that nobody listens on now: the wished one if it can be had.

    Not one of those that systems give to outgoing connections, or it might be taken by one until it is used.
    """
    for port in filter(None, (wished, *secrets.SystemRandom().sample(NOT_EPHEMERAL, 50))):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise StackError("Of 50 ports of the loopback each is in use.")


def exit_status(work: Callable[[], int]) -> int:
    """What a command ends with: what ``work`` returns; 128 + the signal's number if stopped by one."""
    heed_signals()
    try:
        return work()
    except InterruptedBySignal as stopped:
        print("stopped", flush=True)
        return stopped.exit_code
    except StackError as error:
        print(error, file=sys.stderr)
        return 1


class Part:
    """One process with its children, and the file that it writes to."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        """Everything that it has written so far."""
        return self.log.read_text(errors="replace")

    def check(self) -> None:
        """Raise ``StackError`` if it has ended by itself."""
        if (code := self.process.poll()) is not None:
            raise StackError(f"{self.name} ended with exit code {code}. Its last lines:\n{self.last_lines()}")

    def last_lines(self, count: int = 20) -> str:
        """The end of what it has written, indented."""
        return "\n".join(f"    {line[:300]}" for line in self.output().splitlines()[-count:])

    def wait(self, seconds: float) -> None:
        """Wait until it has ended well, else raise ``StackError``."""
        until = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < until:
            pause(0.1)
        if self.process.poll() != 0:
            raise StackError(f"{self.name} failed ({self.process.poll()}). Its last lines:\n{self.last_lines()}")


def kill(part: Part) -> None:
    """End it with its children at once, without a chance to tidy up."""
    part.process.kill()
    _end_what_is_left([part])


def stop(parts: Sequence[Part]) -> None:
    """End them and all their children: politely first, then whatever is left of their sessions."""
    for part in parts:
        part.process.terminate()
    until = time.monotonic() + STOP_WITHIN
    while any(part.process.poll() is None for part in parts) and time.monotonic() < until:
        time.sleep(0.1)
    _end_what_is_left(parts)


def _end_what_is_left(parts: Sequence[Part]) -> None:
    until = time.monotonic() + STOP_WITHIN
    while (left := _of_sessions({part.process.pid for part in parts})) and time.monotonic() < until:
        alive = {process.pid: parent for process, parent, status in left if status != psutil.STATUS_ZOMBIE}
        for pid in alive.keys() - alive.values():  # who has no children, so that each parent sees its own go
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
        for part in parts:
            part.process.poll()


def _of_sessions(leaders: set[int]) -> list[tuple[psutil.Process, int, str]]:
    """The processes whose session was opened by one of these, with parent and status."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(process.pid) in leaders:
                found.append((process, process.ppid(), process.status()))
    return found


class Running(ABC):
    """A context manager around processes: what a start that failed has begun is stopped as well."""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End every process and remove the files. A second Ctrl-C does not disturb it."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
        self._stop()
        for number, disposition in before.items():
            signal.signal(number, disposition)

    @abstractmethod
    def _start(self) -> None: ...

    @abstractmethod
    def _stop(self) -> None: ...
