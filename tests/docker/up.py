"""What ``docker compose -f docker/compose.yaml up`` has started, under another project's name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.docker.engine import FILE, Docker
from tests.real.processes import StackError, pause
from tests.real.rest import AirflowApi

PASSWORD = "/run/ims/secrets/admin_password"
HEALTHY_WITHIN = 420.0
"""Seconds that a first start may take until all is healthy, on a busy machine."""


class Up:
    """The containers of the compose file, and Airflow's REST API as an administrator has it."""

    def __init__(self, engine: Docker, image: str, port: int) -> None:
        self.engine = engine
        self.env = {"AIRFLOW_IMS_IMAGE": image, "AIRFLOW_PORT": str(port)}
        self.url = f"http://127.0.0.1:{port}"
        self.api: AirflowApi

    def compose(self, *arguments: str) -> str:
        """``docker compose`` for this project."""
        return self.engine(*_COMPOSE, *arguments, env=self.env)

    def execute(self, service: str, *command: str) -> str:
        """Run a command in the first container of a service."""
        return self.compose("exec", "--no-TTY", service, *command)

    def start(self) -> None:
        """As the README says it, and wait until all is healthy."""
        self.compose("up", "--detach", "--no-build")
        self.wait_until_healthy()
        password = self.execute("api-server", "cat", PASSWORD)
        self.api = AirflowApi(self.url, "admin", password, lambda: None)

    def remove(self) -> None:
        """Containers, network and volumes."""
        self.compose("--profile", "simulator", "down", "--volumes", "--timeout", "5")

    def containers(self, service: str = "") -> list[dict[str, Any]]:
        """What the engine knows of each container, of a service or of all."""
        ids = self.compose("ps", "--all", "--quiet", *filter(None, [service])).split()
        return list(json.loads(self.engine("inspect", *ids)))

    def wait_until_healthy(self, service: str = "") -> None:
        """Wait until each lasting container says that it is well."""
        self.wait(lambda state: state == "healthy", service, "healthy", HEALTHY_WITHIN)

    def wait(self, fits: Callable[[str], bool], service: str, what: str, seconds: float) -> None:
        """Wait until the health of all these containers is such."""
        for _ in range(int(seconds / 2)):
            states = {found["Name"]: found["State"] for found in self.containers(service)}
            left = {name: state for name, state in states.items() if not _done(state) and not fits(_health(state))}
            if not left:
                return
            pause(2)
        logs = "".join(self.engine.run("logs", "--tail", "20", name).stderr for name in left)
        raise StackError(
            f"not {what} after {seconds:.0f} s: { {name: _health(state) for name, state in left.items()} }\n{logs}"
        )


_COMPOSE = ("compose", "--file", str(FILE), "--project-name", "ims-test")


def _done(state: dict[str, Any]) -> bool:
    return (state["Status"], state["ExitCode"]) == ("exited", 0)


def _health(state: dict[str, Any]) -> str:
    return str(state["Health"]["Status"]) if "Health" in state else str(state["Status"])
