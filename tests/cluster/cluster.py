"""The services of ``docker/compose.yaml`` without Docker: each a process of a host of its own, all on loopback.

A host is a home: Airflow's, the user's and the temporary folder are its own. A service that ends by itself is started
again where the file says so, as Docker would.
"""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from tests.bench.postgres import Postgres, binaries
from tests.cluster.compose import COMPOSE_FILE, Service, read_services
from tests.cluster.native import MORE_ARGUMENTS, copy_files, environment, places, put
from tests.cluster.wires import Wire
from tests.memory import forget
from tests.real.processes import Part, Running, StackError, free_port, kill, pause, stop
from tests.real.rest import AirflowApi
from tests.real.stack import USER, Simulator

LOOKS = 10
"""Seconds within which each trigger looks at its job: the poll interval of the copies."""

MOST_RESTARTS = 20
"""After so many, a host that ends by itself does not recover."""


class Cluster(Running):
    """Inside it everything runs; ``api`` talks to Airflow, ``simulator`` to the cloud.

    ``simulator_arguments`` go to the simulator's command line.
    """

    api: AirflowApi
    simulator: Simulator

    def __init__(self, *simulator_arguments: str) -> None:
        programs = binaries()
        if programs is None or shutil.which("redis-server") is None:
            raise StackError("PostgreSQL and Redis are needed; on Debian: apt install postgresql redis-server")
        self.restarts: Counter[str] = Counter()
        """How often each host has been started again."""
        self._services = read_services()
        self._simulator_arguments = simulator_arguments
        self._home = Path(tempfile.mkdtemp(prefix="airflow-ims-cluster-"))
        self._postgres = Postgres(programs)
        self._ports = {name: free_port() for name in ("api-server", "redis", "scheduler", "simulator")}
        self._ports["postgres"] = self._postgres.port
        ends = {"cloud": self._ports["simulator"], "Airflow": self._ports["postgres"]}
        triggerers = self._services["triggerer"].hosts
        self._wires = {(host, way): Wire(port) for host in triggerers for way, port in ends.items()}
        self._parts: dict[str, Part] = {}

    def keep_up(self) -> None:
        """Start again what has ended by itself, as Docker does."""
        for host, part in list(self._parts.items()):
            if part.process.poll() is not None:
                if not self._service(host).restarts or self.restarts[host] >= MOST_RESTARTS:
                    part.check()
                self.lose(host)

    def pause(self, seconds: float) -> None:
        """Let so many seconds pass."""
        for _ in range(round(seconds)):
            self.keep_up()
            pause(1)

    def lose(self, host: str) -> None:
        """End all processes of a host at one instant, and start it again."""
        for process in _family(self._parts[host]):
            with suppress(psutil.NoSuchProcess):
                process.suspend()  # so that none of them sees another one die
        kill(self._parts[host])
        self._start_again(host)

    def restart(self, host: str) -> None:
        """End a host in good order, and start it again."""
        stop([self._parts[host]])
        self._start_again(host)

    def lose_database(self) -> None:
        """Have PostgreSQL end at once, without a word to its clients, and come back after some seconds."""
        self._postgres.end(signal.SIGQUIT)
        self.pause(5)
        self._postgres.start()
        self.restarts["postgres"] += 1

    def cut(self, host: str, way: str, seconds: float) -> None:
        """Cut the way of a triggerer to the ``cloud`` or to ``Airflow`` for so long."""
        self._wires[host, way].cut()
        self.pause(seconds)
        self._wires[host, way].mend()

    def busiest_triggerer(self) -> str:
        """The one that looks at most jobs now, for Airflow may give them all to one."""
        before = self._looks()
        for _ in range(6):
            self.pause(LOOKS)
            if looks := self._looks() - before:
                return max(looks, key=lambda host: looks[host])
        raise StackError("no triggerer looks at a job")

    def _looks(self) -> Counter[str]:
        return Counter({host: wire.passed for (host, way), wire in self._wires.items() if way == "cloud"})

    def logs(self, run_id: str, map_index: int) -> str:
        """What all hosts have written of a mapped copy."""
        found = self._home.glob(f"*/logs/dag_id=*/run_id={run_id}/task_id=copy_image/map_index={map_index}/*")
        return "\n".join(
            f"{path.relative_to(self._home)}\n{path.read_text(errors='replace')}" for path in sorted(found)
        )

    def _stop(self) -> None:
        stop(list(self._parts.values()))
        for wire in self._wires.values():
            wire.close()
        self._postgres.remove()
        for host in self._home.iterdir():
            forget(host)
        shutil.rmtree(self._home, ignore_errors=True)

    def _start(self) -> None:
        for name in ("secrets", "redis"):
            (self._home / name).mkdir(exist_ok=True)
        copy_files(self._home / "opt", self._places())
        self._postgres.start()
        self._finish("secrets")
        self._begin("redis")
        self._begin("simulator", self._simulator_arguments)
        self.simulator = Simulator(self._parts["simulator"])
        for name in ("init", "simulator-connection"):
            self._finish(name)
        for host in self.hosts:
            self._begin(host)
        password = (self._home / "secrets" / "admin_password").read_text()
        self.api = AirflowApi(f"http://127.0.0.1:{self._ports['api-server']}", USER, password, self.keep_up)
        self.api.wait_for("a healthy Airflow", self.api.healthy)

    @property
    def hosts(self) -> list[str]:
        """Where Airflow runs: the name of a service, with a number where there are several of it."""
        airflow = [service for service in self._services.values() if service.restarts and "airflow" in service.command]
        return [host for service in airflow for host in service.hosts]

    def _service(self, host: str) -> Service:
        return next(service for service in self._services.values() if host in service.hosts)

    def _places(self, host: str = "") -> dict[str, str]:
        ways = {"cloud": "simulator", "Airflow": "postgres"}
        wired = {ways[way]: wire.port for (end, way), wire in self._wires.items() if end == host}
        return places(self._home, self._ports | wired)

    def _start_again(self, host: str) -> None:
        self.restarts[host] += 1
        self._begin(host)

    def _finish(self, host: str) -> None:
        """Start what comes to an end, and wait for that."""
        self._begin(host)
        part = self._parts.pop(host)
        try:
            part.wait(180)
        finally:
            kill(part)

    def _begin(self, host: str, arguments: Sequence[str] = ()) -> None:
        service, here, home = self._service(host), self._places(host), self._home / host
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        command = [put(word, here) for word in service.command]
        command += [word.format(host=host, **self._ports) for word in MORE_ARGUMENTS.get(service.name, [])]
        env = {name: put(value, here) for name, value in service.environment.items()}
        env = env | environment(home, self._ports)
        if service.name == "triggerer":
            connections = (COMPOSE_FILE.parent / "simulator-connection.json").read_text()
            env["AIRFLOW_CONN_IMS_DEFAULT"] = put(json.dumps(json.loads(connections)["ims_default"]), here)
        self._parts[host] = Part(host, [*command, *arguments], env, home / "output.log")


def _family(part: Part) -> list[psutil.Process]:
    try:
        parent = psutil.Process(part.process.pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
