"""The simulated cloud and a real Airflow of four processes, all on loopback, all gone after ``stop``.

Airflow's parts are started one by one instead of by ``airflow standalone``, which neither notices that one of them died
nor passes a SIGTERM on.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.memory import forget
from tests.real.processes import Part, Running, StackError, free_port, kill, pause, stop
from tests.real.rest import LONG, AirflowApi, Service

PROJECT = Path(__file__).parents[2]
USER = "admin"
ASSETS_START_RUNS = {"AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True"}
"""For the environment of a stack in which runs are begun by schedules, too: assets start none without."""

POOL = {"name": "ims_copies", "slots": 5, "include_deferred": True, "description": "Copies that IMS runs at once"}
AIRFLOW_PARTS = {
    "api-server": ["api-server"],
    "dag-processor": ["dag-processor"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
_SERVING = re.compile(r"IAM and IMS simulated at (http://\S+)")


class Simulator(Service):
    """The simulated cloud: its address, the connection that leads to it, the images it has at the start."""

    def __init__(self, part: Part) -> None:
        while not (lines := _after_address(part.output())):
            part.check()
            pause(0.1)
        super().__init__(_SERVING.findall(part.output())[0], part.check)
        self.connection: dict[str, Any] = json.loads(lines[0])
        self.image_lines = lines[1:]
        self.images = [line.split()[0] for line in self.image_lines]

    def control(self, what: str, **settings: Any) -> Any:
        """Ask ``/_simulator/<what>``, or tell it something: with keywords the request is a ``POST``."""
        return self.ask("POST" if settings else "GET", f"/_simulator/{what}", json=settings or None)


def _after_address(output: str) -> list[str]:
    _, _, rest = output.partition("IAM and IMS simulated at ")
    return rest.splitlines()[1:] if rest.endswith("\n") else []


class Stack(Running):
    """Inside it everything runs; ``api`` talks to Airflow, ``simulator`` to the cloud.

    ``dag_files`` are DAGs beside the project's own (name -> source), ``simulator_arguments`` go to the simulator's
    command line, ``env`` to Airflow's processes.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        dag_files: Mapping[str, str] | None = None,
        simulator_arguments: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        parallelism: int = 4,
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="airflow-ims-"))
        self.url = f"http://127.0.0.1:{port or free_port()}"
        self.password = secrets.token_urlsafe(12)
        self.api = AirflowApi(self.url, USER, self.password, self.check)
        self.simulator: Simulator
        self.env = _environment(self.home, self.url, parallelism) | dict(env or {})
        self._simulator_arguments = simulator_arguments
        self._dag_files = dag_files or {}
        self._parts: list[Part] = []
        self._killed: list[Part] = []

    def check(self) -> None:
        """Raise ``StackError`` when one of the processes has ended, with its name and last lines."""
        for part in self._parts:
            part.check()

    def begin(self, name: str) -> None:
        """Start one of ``AIRFLOW_PARTS``, at first or after ``kill``."""
        self._begin(name, "-m", "airflow", *AIRFLOW_PARTS[name])

    def kill(self, name: str, alone: bool = False) -> None:
        """Kill one of ``AIRFLOW_PARTS`` or ``simulator`` with its children; ``check`` does not mind its absence.

        ``alone``: its children live on, until ``stop``.
        """
        part = next(part for part in self._parts if part.name == name)
        self._parts.remove(part)
        self._killed.append(part)
        part.process.kill() if alone else kill(part)

    def end(self, name: str) -> None:
        """End one of ``AIRFLOW_PARTS`` as an operator does, with time to tidy up."""
        part = next(part for part in self._parts if part.name == name)
        self._parts.remove(part)
        stop([part])

    def pid(self, name: str) -> int:
        """The process of a part; its children are in its session."""
        return next(part for part in self._parts if part.name == name).process.pid

    @property
    def rest_connection(self) -> dict[str, Any]:
        """The connection ``ims_default`` as the REST API takes it, its ``extra`` as text.

        ``port``: the Test button of Airflow 3.3.2 sends 0 where there is none, and then finds that it is another one.
        """
        found = self.simulator.connection
        return found | {"connection_id": "ims_default", "port": 0, "extra": json.dumps(found["extra"])}

    def airflow(self, *arguments: str, seconds: float = LONG) -> str:
        """Run an ``airflow`` command to its end and return what it wrote; raise ``StackError`` if it fails."""
        command = self._begin(f"airflow-{'-'.join(arguments[:2])}", "-m", "airflow", *arguments)
        try:
            command.wait(seconds)
        finally:
            if command.process.returncode is not None:
                self._parts.remove(command)
        return command.output()

    def _stop(self) -> None:
        stop([*self._parts, *self._killed])
        self._parts.clear()
        forget(self.home)
        shutil.rmtree(self.home, ignore_errors=True)

    def _start(self) -> None:
        self._write_files()
        simulator = self._begin(
            "simulator", "-m", "airflow_provider_ims.simulator", "--port", "0", *self._simulator_arguments
        )
        self.airflow("db", "migrate")
        for name in AIRFLOW_PARTS:
            self.begin(name)
        self.simulator = Simulator(simulator)
        self.api.wait_for("a healthy Airflow", self.api.healthy)
        self.api.post("/connections", self.rest_connection)
        self.api.post("/pools", POOL)

    def _begin(self, name: str, *arguments: str) -> Part:
        part = Part(name, [sys.executable, *arguments], self.env, self.home / "output" / f"{name}.log")
        self._parts.append(part)
        return part

    def _write_files(self) -> None:
        (self.home / "output").mkdir()
        (self.home / "dags").mkdir()
        for name, source in self._dag_files.items():
            (self.home / "dags" / name).write_text(source)
        passwords = self.home / "passwords.json"
        passwords.touch(0o600)
        passwords.write_text(json.dumps({USER: self.password}))


def _environment(home: Path, url: str, parallelism: int) -> dict[str, str]:
    """What Airflow's processes see: nothing of the user's own Airflow, and no proxy on the way to loopback."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # each task would compile its imports again
    bundles = [
        {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(path)},
        }
        for name, path in {"project": PROJECT / "dags", "more": home / "dags"}.items()
    ]
    options = {
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": False,
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "CORE__LOAD_EXAMPLES": False,
        "CORE__PARALLELISM": parallelism,
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": home / "passwords.json",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__TEST_CONNECTION": "Enabled",
        "API__BASE_URL": url,
        "API__HOST": "127.0.0.1",
        "API__PORT": url.rpartition(":")[2],
        "API__SECRET_KEY": secrets.token_urlsafe(32),
        "API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "SCHEDULER__USE_JOB_SCHEDULE": False,  # a run begins when somebody starts it
        "USAGE_DATA_COLLECTION__ENABLED": False,
    }
    return kept | {
        "AIRFLOW_HOME": str(home),
        **{f"AIRFLOW__{name}": str(value) for name, value in options.items()},
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
        "PYTHONUNBUFFERED": "1",
    }


__all__ = ["ASSETS_START_RUNS", "PROJECT", "USER", "Simulator", "Stack", "StackError"]
