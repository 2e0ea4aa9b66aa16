"""The files of docker/ as they stand: linted, as the compose specification has it, and without a secret."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims.simulator.connection import connection_to
from airflow_provider_ims.simulator.settings import Settings
from tests.docker.engine import FILE, PROJECT, SERVICES

FOLDER = PROJECT / "docker"
SCRIPTS = sorted([*FOLDER.glob("*.sh"), *Path(__file__).parent.glob("*.sh")])
ONCE = {"secrets", "init", "simulator-connection"}
"""The services that end by themselves."""

LASTING = sorted(set(SERVICES) - ONCE)
AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer", "worker"}


@pytest.mark.parametrize(
    "command",
    [
        ("hadolint", "docker/Dockerfile"),
        ("shellcheck", *map(str, SCRIPTS)),
        ("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker/compose.yaml"),
    ],
    ids=lambda command: command[0],
)
def test_a_linter_has_nothing_to_say(command: tuple[str, ...]) -> None:
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([program, *command[1:]], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_has_the_services_that_a_cluster_needs() -> None:
    assert set(SERVICES) == AIRFLOW | ONCE | {"postgres", "redis", "simulator"}
    assert SERVICES["triggerer"]["deploy"]["replicas"] == 2
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["simulator"]} == {
        "simulator",
        "simulator-connection",
    }


@pytest.mark.parametrize("name", LASTING)
def test_a_lasting_service_is_watched_restarted_and_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert {"test", "interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_each_service_has_limits(name: str) -> None:
    assert set(SERVICES[name]["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert SERVICES[name]["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_waits_for_what_it_needs(name: str) -> None:
    """For those that end, until they have ended well; for those that last, until they are healthy."""
    for other, how in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if other in ONCE else "service_healthy"
        assert how == {"condition": expected}, other


def test_nothing_is_published_but_the_api_server_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"api-server": ["${AIRFLOW_BIND:-127.0.0.1}:${AIRFLOW_PORT:-8080}:8080"]}
    assert not [name for name, service in SERVICES.items() if service.get("network_mode") == "host"]


def test_no_file_holds_a_secret() -> None:
    """Whatever is called a secret is a command that reads a file."""
    named = re.compile(r"(FERNET_KEY|SECRET|PASSWORD|SQL_ALCHEMY_CONN|RESULT_BACKEND|BROKER_URL)")
    settings = {key: value for service in SERVICES.values() for key, value in service.get("environment", {}).items()}
    secret = {key: value for key, value in settings.items() if named.search(key)}
    assert len(secret) == 7
    for key, value in secret.items():
        assert key.endswith(("_CMD", "_FILE")), key
        assert re.search(r"(^| )/run/ims/secrets/\w+$", value), key
    assert set(re.findall(r"://\w*:([^@/\s]+)@", FILE.read_text())) == {"&"}  # what sed has read


def test_the_simulated_connection_is_the_one_that_the_simulator_prints() -> None:
    """With the port 0, which the Test button of Airflow 3.3 wants."""
    document: dict[str, Any] = json.loads((FOLDER / "simulator-connection.json").read_text())
    assert document == {"ims_default": connection_to("http://simulator:8080", Settings())}


def test_our_image_is_built_once_and_never_looked_for_in_a_registry() -> None:
    ours = {name: service for name, service in SERVICES.items() if "airflow-provider-ims" in service["image"]}
    assert set(ours) == AIRFLOW | ONCE | {"simulator"}
    assert [name for name, service in ours.items() if "build" in service] == ["secrets"]
    assert {service["pull_policy"] for name, service in ours.items() if name != "secrets"} == {"never"}
    assert ours["secrets"]["pull_policy"] == "build"
