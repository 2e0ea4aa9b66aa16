"""A PostgreSQL of the bench's own, where the machine has one: in a temporary folder, on loopback, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.real.processes import StackError, free_port, pause

USER = "airflow"
UNPRIVILEGED = ("postgres", "nobody")
"""Who runs the server where we are root, which PostgreSQL refuses: the first of these that the machine knows."""


@dataclass(frozen=True, slots=True)
class Database:
    """What Airflow is to keep its state in: the environment that says so, and whose CPU it costs, if a server's."""

    name: str = "SQLite"
    env: dict[str, str] = field(default_factory=dict)
    pid: int | None = None


def binaries() -> Path | None:
    """The folder of the newest ``initdb`` and ``postgres`` of this machine, if any."""
    on_path = shutil.which("initdb")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3].split(".")[0]))
    programs = [Path(on_path).resolve()] if on_path else found[-1:]
    return next((path.parent for path in programs if (path.parent / "postgres").exists()), None)


@contextmanager
def database() -> Iterator[Database]:
    """Within, a PostgreSQL runs, where there is one; else it is SQLite."""
    programs = binaries()
    if programs is None:
        yield Database()
        return
    server = Postgres(programs)
    try:
        server.start()
        yield Database(server.name, {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.url}, server.pid)
    finally:
        server.remove()


class Postgres:
    """A server in a temporary folder, on a port of the loopback that it keeps: started, ended, started anew."""

    def __init__(self, programs: Path) -> None:
        said = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        self.name = f"PostgreSQL {said.split()[2]}"
        self.port = free_port()
        self.url = f"postgresql+psycopg2://{USER}@127.0.0.1:{self.port}/postgres"
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="airflow-ims-postgres-"))
        self._identity = _identity(self._folder)
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The server's process, while there is one."""
        return self._server.pid if self._server else None

    def start(self) -> None:
        """Start it, at first with an empty cluster, and wait until it takes connections."""
        if not (self._folder / "data").exists():
            self._prepare()
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": self._folder, "max_connections": 200}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "data"), "-p", str(self.port), *options]
        with (self._folder / "output.log").open("ab") as output:
            self._server = subprocess.Popen(
                command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._identity,
            )
        self._wait_until_ready(self._server)

    def end(self, number: int = signal.SIGINT) -> None:
        """End it, as it is ("fast"), without waiting for clients; with ``SIGQUIT`` ("immediate") it needs recovery."""
        server, self._server = self._server, None
        if server is None:
            return
        server.send_signal(number)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    def remove(self) -> None:
        """End it and remove its files."""
        self.end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _prepare(self) -> None:
        options = [
            "-D",
            self._folder / "data",
            "-U",
            USER,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        command = [str(part) for part in (self._programs / "initdb", *options)]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, **self._identity)
        if done.returncode:
            raise StackError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _wait_until_ready(self, server: subprocess.Popen[bytes]) -> None:
        program = self._programs / "pg_isready"
        command = [str(part) for part in (program, "-q", "-h", "127.0.0.1", "-p", self.port, "-U", USER)]
        while subprocess.run(command, check=False).returncode:
            if server.poll() is not None:
                raise StackError(f"PostgreSQL ended:\n{(self._folder / 'output.log').read_text()[-2000:]}")
            pause(0.2)


def _identity(folder: Path) -> dict[str, Any]:
    """What ``subprocess`` is told so that the server does not run as root."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    chosen = next(known[name] for name in UNPRIVILEGED if name in known)
    os.chown(folder, chosen.pw_uid, chosen.pw_gid)
    return {"user": chosen.pw_uid, "group": chosen.pw_gid, "extra_groups": []}
