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
    folder = Path(tempfile.mkdtemp(prefix="airflow-ims-postgres-"))
    identity = _identity(folder)
    try:
        _prepare(programs, folder, identity)
        port = free_port()
        server = _start(programs, folder, port, identity)
        try:
            _wait_until_ready(server, programs, port, folder)
            url = f"postgresql+psycopg2://{USER}@127.0.0.1:{port}/postgres"
            yield Database(_name(programs), {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}, server.pid)
        finally:
            _stop(server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _name(programs: Path) -> str:
    said = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return f"PostgreSQL {said.split()[2]}"


def _identity(folder: Path) -> dict[str, Any]:
    """What ``subprocess`` is told so that the server does not run as root."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    chosen = next(known[name] for name in UNPRIVILEGED if name in known)
    os.chown(folder, chosen.pw_uid, chosen.pw_gid)
    return {"user": chosen.pw_uid, "group": chosen.pw_gid, "extra_groups": []}


def _prepare(programs: Path, folder: Path, identity: dict[str, Any]) -> None:
    options = ["-D", str(folder / "data"), "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run([str(programs / "initdb"), *options], cwd=folder, capture_output=True, text=True, **identity)
    if done.returncode:
        raise StackError(f"initdb failed:\n{done.stdout}{done.stderr}")


def _start(programs: Path, folder: Path, port: int, identity: dict[str, Any]) -> subprocess.Popen[bytes]:
    settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder), "max_connections": 200}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = [str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port), *options]
    with (folder / "output.log").open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **identity,
        )


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)  # "fast": does not wait for clients
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _wait_until_ready(server: subprocess.Popen[bytes], programs: Path, port: int, folder: Path) -> None:
    command = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-U", USER]
    while subprocess.run(command, check=False).returncode:
        if server.poll() is not None:
            raise StackError(f"PostgreSQL ended:\n{(folder / 'output.log').read_text()[-2000:]}")
        pause(0.2)
