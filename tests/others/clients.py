"""keystoneauth1 and openstacksdk, in a process of ``.venv-openstack``."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

from tests.others.openstack import VENV, WITHIN

CLIENTS = ("keystoneauth1", "openstacksdk")


def visit(client: str, auth: Mapping[str, str], *steps: tuple[Any, ...], region: str = "eu-de") -> list[Any]:
    """Carry out the steps of ``within/visit.py`` with one client; what came of each."""
    asked = {"client": client, "auth": auth, "region": region, "steps": steps}
    env = {key: value for key, value in os.environ.items() if "proxy" not in key.lower() and key[:3] != "OS_"}
    command = [str(VENV / "bin" / "python"), str(WITHIN / "visit.py")]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stderr
    came: list[Any] = json.loads(done.stdout)
    return came


def version_of(package: str) -> str:
    """The version that is installed there."""
    command = [str(VENV / "bin" / "python"), "-c", f"import importlib.metadata as m; print(m.version({package!r}))"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
