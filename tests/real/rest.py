"""Airflow's REST API and the simulator's, as far as the harness needs them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import requests

from tests.real.processes import StackError, pause

OVER = frozenset({"success", "failed"})
LONG = 400.0
"""Seconds after which what has not come will not come, however busy the machine."""

LOCKED_AT_MOST = 5
"""Times that a request is sent again."""


class Service:
    """A web service that one of our processes offers. ``check`` raises when one of them has died."""

    def __init__(self, url: str, check: Callable[[], None]) -> None:
        self.url = url
        self.check = check
        self.session = requests.Session()
        self.session.trust_env = False  # the way to a loopback leads through no proxy

    def ask(self, method: str, path: str, **arguments: Any) -> Any:
        """Send one request and return the JSON of the answer; whatever else comes is a ``StackError``."""
        try:
            response = self.session.request(method, self.url + path, timeout=60, **arguments)
        except requests.RequestException as error:
            pause(0.5)
            self.check()
            raise StackError(f"{method} {path}: {error}") from error
        if not response.ok:
            raise StackError(f"{method} {path}: HTTP {response.status_code} {response.text[:1000]}")
        return response.json() if response.content else None


class AirflowApi(Service):
    """Airflow's REST API; logs in when it must."""

    def __init__(self, url: str, user: str, password: str, check: Callable[[], None]) -> None:
        super().__init__(url, check)
        self._login = {"username": user, "password": password}

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Send one request below ``/api/v2``; again where Airflow fails: its SQLite was locked, and nothing done."""
        for _ in range(LOCKED_AT_MOST):
            try:
                return self._call(method, path, **arguments)
            except StackError as error:
                if "HTTP 500" not in str(error):
                    raise
            pause(2)
        return self._call(method, path, **arguments)

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        if "Authorization" not in self.session.headers:
            token = self.ask("POST", "/auth/token", json=self._login)["access_token"]
            self.session.headers["Authorization"] = f"Bearer {token}"
        return self.ask(method, f"/api/v2{path}", **arguments)

    def get(self, path: str, **params: Any) -> Any:
        """``GET`` with these query parameters."""
        return self.call("GET", path, params=params)

    def post(self, path: str, document: Any) -> Any:
        """``POST`` of a JSON document."""
        return self.call("POST", path, json=document)

    def healthy(self) -> bool:
        """Whether the api-server answers and knows of a living scheduler, triggerer and dag-processor."""
        try:
            answer = self.session.get(f"{self.url}/api/v2/monitor/health", timeout=60).json()
        except (requests.ConnectionError, requests.Timeout, requests.JSONDecodeError):
            return False
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all((answer.get(part) or {}).get("status") == "healthy" for part in parts)

    def wait_for(self, what: str, happened: Callable[[], bool], seconds: float = LONG) -> None:
        """Wait until it happened, else raise ``StackError``."""
        until = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > until:
                raise StackError(f"waited {seconds:.0f} s for {what}")
            self.check()
            pause(0.3)

    def has_dag(self, dag_id: str) -> bool:
        """Whether the DAG can be run; raise ``StackError`` when there are DAG files that cannot be imported."""
        if broken := self.get("/importErrors")["import_errors"]:
            raise StackError("\n".join(f"{error['filename']}: {error['stack_trace']}" for error in broken))
        return any(dag["dag_id"] == dag_id for dag in self.get("/dags", limit=100)["dags"])

    def start(self, dag_id: str, conf: dict[str, Any] | None = None) -> Run:
        """Trigger a DAG as soon as it is there."""
        self.wait_for(f"the DAG {dag_id}", lambda: self.has_dag(dag_id))
        started = self.post(f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf or {}})
        return Run(self, dag_id, started["dag_run_id"])

    def run(self, dag_id: str, conf: dict[str, Any] | None = None, seconds: float = LONG) -> Run:
        """Trigger a DAG and wait for its end."""
        return self.start(dag_id, conf).wait(seconds)


class Run:
    """One run of a DAG."""

    def __init__(self, api: AirflowApi, dag_id: str, run_id: str) -> None:
        self.api = api
        self.dag_id = dag_id
        self.run_id = run_id
        self._path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``success`` or ``failed``."""
        return str(self.api.get(self._path)["state"])

    @property
    def seconds(self) -> float:
        """How long the run took, once it is over."""
        return float(self.api.get(self._path)["duration"])

    @property
    def tasks(self) -> list[dict[str, Any]]:
        """The task instances as Airflow shows them: ``task_id``, ``map_index``, ``state``, ``try_number``, ..."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.api.get(f"{self._path}/taskInstances", limit=100, offset=len(found), order_by="id")
            found += page["task_instances"]
            if len(found) >= page["total_entries"] or not page["task_instances"]:
                break
        return sorted(found, key=lambda task: (task["start_date"] or "9", task["task_id"], task["map_index"]))

    def wait(self, seconds: float = LONG) -> Run:
        """Wait for the end of the run."""
        self.api.wait_for(f"the end of {self.dag_id}", lambda: self.state in OVER, seconds)
        return self

    def task(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """One of them."""
        (found,) = (each for each in self.tasks if (each["task_id"], each["map_index"]) == (task_id, map_index))
        return found

    def clear(self, task_id: str) -> None:
        """Clear a task, as a user does who wants it to run anew; the run stays as it is."""
        wish = {"dry_run": False, "task_ids": [task_id], "dag_run_id": self.run_id, "only_failed": False}
        self.api.post(f"/dags/{self.dag_id}/clearTaskInstances", wish | {"reset_dag_runs": False})

    def mark_failed(self, task_id: str) -> None:
        """Mark a task as failed, as a user does who wants no more of it."""
        self.api.call("PATCH", f"{self._path}/taskInstances/{task_id}", json={"new_state": "failed"})

    def log(self, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """What a try wrote, worker and triggerer together: one line an entry, with level, text and traceback."""
        path = f"{self._path}/taskInstances/{task_id}/logs/{try_number}"
        entries = self.api.get(path, map_index=map_index, full_content=True)["content"]
        return "\n".join(_log_line(entry) for entry in entries)

    def links(self, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        """The addresses of a task's extra links by name, as the UI gets them; None for one that leads nowhere."""
        path = f"{self._path}/taskInstances/{task_id}/links"
        return dict(self.api.get(path, map_index=map_index)["extra_links"])

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """A value that a task left, or None."""
        found = self.api.get(
            f"{self._path}/taskInstances/{task_id}/xcomEntries", map_index=map_index, xcom_key=key, limit=100
        )["xcom_entries"]
        if not any(entry["key"] == key and entry["map_index"] == map_index for entry in found):
            return None
        path = f"{self._path}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.api.get(path, map_index=map_index, deserialize=True)["value"]


def _log_line(entry: Any) -> str:
    if isinstance(entry, str):
        return entry
    raised = (f"{error['exc_type']}: {error['exc_value']}" for error in entry.get("error_detail") or [])
    return " ".join([str(entry.get("level", "")), str(entry.get("event", "")), *raised]).strip()
