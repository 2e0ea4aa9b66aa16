"""A clock that stands until it is moved, and a visitor who talks to a simulated cloud without a socket."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.simulator import Cloud, Reply, Settings
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE

PROJECT, PASSWORD = Settings().project_id, Settings().password
BASE = "http://cloud.test"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Visitor:
    """Asks as a client would. ``token`` is sent when there is one."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.cloud = Cloud(Settings(**settings), self.clock)
        self.token = ""

    def reply(self, method: str, path: str, document: object = None, **headers: str) -> Reply:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent = {"X-Auth-Token": self.token, **sent}
        body = b"" if document is None else json.dumps(document).encode()
        if body:
            sent = {"Content-Type": "application/json", **sent}
        return self.cloud.respond(Request(method, BASE + path, sent, body))

    def ask(self, method: str, path: str, document: object = None, **headers: str) -> Response:
        response = self.reply(method, path, document, **headers).response
        assert response is not None
        return response

    def log_in(self, password: str = PASSWORD, scope: object = None, query: str = "", **user: Any) -> Response:
        chosen = user or {"name": "ims-operator", "domain": {"name": "OTC-SIMULATOR"}}
        identity = {"methods": ["password"], "password": {"user": {**chosen, "password": password}}}
        auth = {"identity": identity, "scope": scope or {"project": {"name": "eu-de"}}}
        response = self.ask("POST", f"/v3/auth/tokens{query}", {"auth": auth})
        self.token = response.header("x-subject-token") or self.token
        return response

    def copy(self, name: str = "copy", source: str = PLAIN_IMAGE, **more: Any) -> Response:
        return self.ask("POST", f"/v1/cloudimages/{source}/copy", {"name": name, **more})

    def job(self, copied: Response, project: str = PROJECT) -> dict[str, Any]:
        document: dict[str, Any] = read(self.ask("GET", f"/v1/{project}/jobs/{read(copied)['job_id']}"))
        return document

    def images(self, query: str = "") -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = read(self.ask("GET", f"/v2/cloudimages?{query}"))["images"]
        return rows


def logged_in(**settings: Any) -> Visitor:
    """A visitor with a token for the project."""
    visitor = Visitor(**settings)
    assert visitor.log_in().status == 201
    return visitor


def read(response: Response) -> Any:
    return json.loads(response.body)


def code(response: Response) -> tuple[int, Any]:
    """Status and error code, whichever shape the body has."""
    document = read(response)
    return response.status, document["error"]["code"] if "error" in document else document.get("error_code")
