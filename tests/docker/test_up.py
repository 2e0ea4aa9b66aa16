"""``docker compose up``: usable when it says so, sick when it is sick, and no secret anywhere."""

from __future__ import annotations

import json
import re

import pytest
import requests

from tests.docker.engine import SERVICES
from tests.docker.test_files import LASTING, ONCE
from tests.docker.up import PASSWORD, Up
from tests.real.processes import StackError

STORES = {"postgres", "redis"}
SIMULATED = {"simulator", "simulator-connection"}
FIRST_PROCESS = {*STORES, "simulator"}
"""Those whose first process is the service itself; Airflow's is one that starts it."""


def test_everything_is_healthy_or_has_ended_well(up: Up) -> None:
    up.wait_until_healthy()
    names = [found["Config"]["Labels"]["com.docker.compose.service"] for found in up.containers()]
    replicas = {name: SERVICES[name]["deploy"].get("replicas", 1) for name in SERVICES}
    assert {name: names.count(name) for name in SERVICES} == replicas


def test_an_administrator_logs_in_with_the_generated_password(up: Up) -> None:
    assert up.api.get("/version")["version"].startswith("3.")
    wrong = requests.post(f"{up.url}/auth/token", json={"username": "admin", "password": "admin"}, timeout=30)
    assert wrong.status_code == 401


def test_the_user_interface_is_there(up: Up) -> None:
    page = requests.get(f"{up.url}/auth/login/", timeout=30)
    assert page.ok
    assert 'name="password"' in page.text


def test_pool_and_example_dags_are_ready(up: Up) -> None:
    pool = up.api.get("/pools/ims_copies")
    assert (pool["slots"], pool["include_deferred"]) == (5, True)
    up.api.wait_for("the example DAGs", lambda: up.api.get("/dags")["total_entries"] == 5)
    assert up.api.get("/importErrors")["total_entries"] == 0


def test_the_connection_test_works(up: Up) -> None:
    found = up.api.get("/connections/ims_default")
    extra = json.loads(found["extra"])
    asked = {key: found[key] for key in ("connection_id", "conn_type", "host", "login")}
    tested = up.api.post("/connections/test", asked | {"port": 0, "extra": json.dumps(extra)})
    assert tested["status"], tested


def test_ims_check_reaches_the_simulated_cloud(up: Up) -> None:
    said = up.execute("worker", "airflow", "ims", "check")
    assert "IMS" in said


def test_a_copy_is_made_by_worker_and_triggerer(up: Up) -> None:
    up.api.call("PATCH", "/dags/copy_image_by_hand", json={"is_paused": False})
    run = up.api.post("/dags/copy_image_by_hand/dagRuns", {"logical_date": None, "conf": {}})["dag_run_id"]
    path = f"/dags/copy_image_by_hand/dagRuns/{run}"
    up.api.wait_for("the copy", lambda: up.api.get(path)["state"] in ("success", "failed"))
    assert up.api.get(path)["state"] == "success"
    logs = up.api.get(f"{path}/taskInstances/copy_image/logs/1")
    assert re.search("copy.key", json.dumps(logs))


def test_only_the_api_server_is_published_and_only_on_loopback(up: Up) -> None:
    bound = {
        (found["Config"]["Labels"]["com.docker.compose.service"], each["HostIp"])
        for found in up.containers()
        for ports in found["NetworkSettings"]["Ports"].values()
        for each in ports or []
    }
    assert bound == {("api-server", "127.0.0.1")}


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_limits_and_restarts_are_in_force(up: Up, service: str) -> None:
    for found in up.containers(service):
        host = found["HostConfig"]
        assert host["Memory"] > 0
        assert host["NanoCpus"] > 0
        assert host["RestartPolicy"]["Name"] == ("no" if service in ONCE else "unless-stopped")
        assert host["LogConfig"]["Config"]["max-size"] == "10m"


def test_secrets_are_in_no_log_and_in_no_setting(up: Up) -> None:
    names = up.execute("worker", "ls", "/run/ims/secrets").split()
    assert len(names) == 6
    said = up.compose("logs") + json.dumps(up.containers())
    for name in names:
        value = up.execute("worker", "cat", f"/run/ims/secrets/{name}")
        assert re.fullmatch(r"[A-Za-z0-9_-]{20,}=?", value), name
        assert value not in said, name


def test_the_processes_of_database_and_broker_cannot_read_them(up: Up) -> None:
    for service, user in (("postgres", "postgres"), ("redis", "redis")):
        with pytest.raises(StackError, match="Permission denied"):
            up.compose("exec", "--no-TTY", "--user", user, service, "cat", "/run/ims/secrets/fernet_key")
        processes = up.engine("top", up.containers(service)[0]["Id"], "-eo", "pid,user,args")
        assert not re.search(r" root .*(postgres|redis-server)", processes, re.MULTILINE)


def test_another_up_changes_nothing(up: Up) -> None:
    before = up.execute("api-server", "cat", PASSWORD)
    pool = {"pool": "ims_copies", "slots": 7, "include_deferred": True}
    up.api.call("PATCH", "/pools/ims_copies", json=pool, params={"update_mask": "slots"})
    changed = {"connection_id": "ims_default", "conn_type": "ims", "login": "somebody"}
    up.api.call("PATCH", "/connections/ims_default", json=changed, params={"update_mask": "login"})
    up.compose("up", "--detach", "--no-build", "--force-recreate", *sorted(ONCE))
    up.wait_until_healthy()
    assert up.execute("api-server", "cat", PASSWORD) == before
    assert up.api.get("/pools/ims_copies")["slots"] == 7
    assert up.api.get("/connections/ims_default")["login"] == "somebody"


def test_workers_scale(up: Up) -> None:
    up.compose("up", "--detach", "--no-build", "--no-recreate", "--scale", "worker=3")
    up.wait_until_healthy("worker")
    assert len(up.containers("worker")) == 3


def test_who_dies_is_started_again(up: Up) -> None:
    before = {found["Id"]: found["State"]["StartedAt"] for found in up.containers("triggerer")}
    for number in before:
        up.engine("exec", number, "pkill", "-KILL", "-f", "airflow triggerer")

    def restarted() -> bool:
        return all(found["State"]["StartedAt"] > before[found["Id"]] for found in up.containers("triggerer"))

    up.api.wait_for("another start of the triggerers", restarted)
    up.wait_until_healthy("triggerer")


@pytest.mark.parametrize("stopped", [set(LASTING) - STORES, STORES], ids=["parts", "stores"])
def test_who_hangs_is_told_of(up: Up, stopped: set[str]) -> None:
    """The processes stand still, so no connection is refused; healthy again when they go on."""
    for service in stopped:
        _signal(up, service, "STOP")
    try:
        for service in stopped:
            up.wait(lambda state: state == "unhealthy", service, "unhealthy", 300)
    finally:
        for service in stopped:
            _signal(up, service, "CONT")
    up.wait_until_healthy()


def test_the_simulated_cloud_is_left_out_and_in_the_end_all_is_removed(up: Up) -> None:
    """As the README has it; the last one, for it leaves nothing."""
    up.compose("rm", "--stop", "--force", *SIMULATED)
    up.env["COMPOSE_PROFILES"] = ""
    up.compose("up", "--detach", "--no-build")
    up.wait_until_healthy()
    there = {found["Config"]["Labels"]["com.docker.compose.service"] for found in up.containers()}
    assert there == set(SERVICES) - SIMULATED
    up.compose("--profile", "simulator", "up", "--detach", "--no-build", *sorted(SIMULATED))
    up.remove()
    ours = ("--filter", "label=com.docker.compose.project=ims-test", "--quiet")
    assert up.engine("ps", "--all", *ours) + up.engine("volume", "ls", *ours) + up.engine("network", "ls", *ours) == ""


def _signal(up: Up, service: str, signal: str) -> None:
    for found in up.containers(service):
        if service in FIRST_PROCESS:
            up.engine("kill", "--signal", signal, found["Id"])
        else:
            up.engine("exec", found["Id"], "pkill", f"-{signal}", "-f", ".")
