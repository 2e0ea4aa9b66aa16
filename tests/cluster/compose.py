"""What ``docker/compose.yaml`` says of its services: command, environment, restart policy, how many of each."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.real.stack import PROJECT

COMPOSE_FILE = PROJECT / "docker" / "compose.yaml"
_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?::?[-?](?P<default>[^}]*))?\})")


@dataclass(frozen=True, slots=True)
class Service:
    """One service. ``restarts``: whether it is started again when it ends by itself; ``replicas``: how many of it."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    restarts: bool
    replicas: int

    @property
    def hosts(self) -> list[str]:
        """Where it runs: its name, with a number where there are several of it."""
        if self.replicas == 1:
            return [self.name]
        return [f"{self.name}-{number}" for number in range(1, self.replicas + 1)]


def read_services(path: Path = COMPOSE_FILE) -> dict[str, Service]:
    """All services of the file, whatever their profile, each variable with its default."""
    services = yaml.safe_load(path.read_text())["services"]
    return {name: _service(name, _interpolated(found)) for name, found in services.items()}


def _service(name: str, found: Mapping[str, Any]) -> Service:
    command, environment = found.get("command") or [], found.get("environment") or {}
    if isinstance(command, str):
        command = shlex.split(command)
    if isinstance(environment, list):
        environment = dict(line.split("=", 1) for line in environment)
    return Service(
        name=name,
        command=[str(word) for word in command],
        environment={key: _text(value) for key, value in environment.items()},
        restarts=found.get("restart", "no") != "no",
        replicas=int(found.get("scale") or (found.get("deploy") or {}).get("replicas") or 1),
    )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _interpolated(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _interpolated(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_interpolated(value) for value in found]
    return (
        _VARIABLE.sub(lambda each: each["dollar"] or each["default"] or "", found) if isinstance(found, str) else found
    )
