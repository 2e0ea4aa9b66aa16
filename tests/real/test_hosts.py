"""Tokens across hosts, measured: a hundred processes on four hosts that begin at once, and tasks of a real Airflow."""

from __future__ import annotations

import json
import os
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi.auth.tokens import JWTGenerator

from airflow_provider_ims.simulator import Cloud, Settings, connection_to, running
from tests.memory import forget
from tests.real.clouds import cloud_of_its_own
from tests.real.processes import Part, stop
from tests.real.stack import PROJECT, Stack
from tests.real.test_secrets import files_with

HOSTS, PROCESSES = 4, 100


def begin_at_once(folder: Path, cloud: Cloud, url: str, extra: dict[str, Any], env: dict[str, str]) -> int:
    """Let all processes begin, see that all ended well; returns how often the cloud has seen a log-in by then."""
    folder.mkdir(exist_ok=True)
    connection = connection_to(url, cloud.settings)
    connection |= {"extra": connection["extra"] | extra}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    env = kept | {"AIRFLOW_CONN_IMS_DEFAULT": json.dumps(connection), "PYTHONPATH": str(PROJECT)} | env
    command = [sys.executable, "-m", "tests.real.hosts", str(folder), str(HOSTS), str(PROCESSES)]
    part = Part("hosts", command, env | {"AIRFLOW_HOME": str(folder)}, folder / "hosts.log")
    try:
        part.wait(300)
    finally:
        stop([part])
        for home in folder.iterdir():
            forget(home)
    told = json.loads(part.output().splitlines()[-1])
    assert (told["ended_well"], len(told["began"])) == (PROCESSES, PROCESSES), part.last_lines()
    assert "cannot be used" not in part.output()
    spread, log_ins = max(told["began"]) - min(told["began"]), cloud.counters["POST log_in"]
    print(f"{PROCESSES} processes on {HOSTS} hosts began within {spread:.2f} s: {log_ins} log-ins")
    return log_ins


def test_with_a_directory_all_hosts_log_in_once(tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    with running(Cloud(Settings())) as server:
        extra = {"token_cache_dir": str(tmp_path / "mounted")}
        assert begin_at_once(tmp_path, server.cloud, server.url, extra, {}) == 1


def test_without_it_each_host_logs_in_once(tmp_path: Path) -> None:
    with running(Cloud(Settings())) as server:
        assert begin_at_once(tmp_path, server.cloud, server.url, {}, {}) == HOSTS


def test_with_variables_each_host_logs_in_at_most_once(stack: Stack, tmp_path: Path) -> None:
    generator = JWTGenerator(
        secret_key=stack.env["AIRFLOW__API_AUTH__JWT_SECRET"],
        audience="urn:airflow.apache.org:task",
        valid_for=600,
        issuer=None,
        algorithm="HS512",
    )
    token = generator.generate({"sub": str(uuid.uuid4())})
    env = {"EXECUTION_API": f"{stack.url}/execution/", "EXECUTION_TOKEN": token}
    with running(Cloud(Settings())) as server:
        assert 1 <= begin_at_once(tmp_path, server.cloud, server.url, {"token_cache": "variable"}, env) <= HOSTS
        began = server.cloud.counters["POST log_in"]
        assert begin_at_once(tmp_path / "later", server.cloud, server.url, {"token_cache": "variable"}, env) == began


def variables(stack: Stack) -> set[str]:
    return {each["key"] for each in stack.api.get("/variables", limit=100)["variables"]}


@pytest.mark.parametrize("kind", ["variable", "directory"])
def test_tasks_and_triggers_of_all_hosts_share(stack: Stack, tmp_path: Path, kind: str) -> None:
    (tmp_path / "mounted").mkdir()
    extra = {"token_cache": "variable"} if kind == "variable" else {"token_cache_dir": str(tmp_path / "mounted")}
    homes, conn_id, before = [str(tmp_path / str(number)) for number in range(HOSTS)], f"ims_{kind}", variables(stack)
    with cloud_of_its_own(stack, conn_id, extra=extra, copy_seconds=15.0, password=f"canary-{kind}-5b1e") as cloud:
        run = stack.api.run("hosts", {"homes": homes, "ims_conn_id": conn_id})
        logs = [run.log(each["task_id"], map_index=each["map_index"]) for each in run.tasks]
        assert run.state == "success", logs
        log_ins = cloud.counters["POST log_in"]
        assert 1 <= log_ins <= (HOSTS if kind == "variable" else 1)
        assert not [text for text in logs if "cannot be used" in text]
        routes = [each.route for each in cloud.arrivals]
        waited = routes[routes.index("copy") :]
        assert waited.count("job") > 1, "the triggerer, whose host had no token of its own, has looked"
        assert "log_in" not in waited
        new = variables(stack) - before
        assert [name[:10] for name in new] == (["ims_token_"] if kind == "variable" else [])
        secrets = [*cloud.state.tokens, cloud.settings.password]
        assert not [secret for secret in secrets for text in logs if secret in text]
        assert files_with(secrets, stack.home) == files_with(secrets, tmp_path) == []
        check(stack, cloud, conn_id)


def check(stack: Stack, cloud: Cloud, conn_id: str) -> None:
    """The Test button and the command line reach the Variables, too, and log in anew."""
    before = cloud.counters["POST log_in"]
    stored = stack.api.get(f"/connections/{conn_id}")  # with *** in it, which Airflow replaces by what it knows
    found = stack.api.post("/connections/test", stored)
    assert found["status"], found
    assert "not shared" not in found["message"]
    assert "not shared" not in stack.airflow("ims", "check", "--conn-id", conn_id)
    assert cloud.counters["POST log_in"] == before + 2
