"""Where a secret could lie in the clear: database, logs, XCom, rendered fields, trigger rows, the kept token."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims.keys import memory_of
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.real.clouds import cloud_of_its_own
from tests.real.stack import Stack

PASSWORD, SECRET_KEY = "canary-password-7f3a", "canary-secret-key-91c2"


def files_with(secrets: Iterable[str], home: Path) -> list[str]:
    """The files below ``home`` that hold one of the secrets."""
    wanted = [secret.encode() for secret in secrets]
    contents = ((path, path.read_bytes()) for path in home.rglob("*") if path.is_file())
    return [str(path.relative_to(home)) for path, content in contents if any(secret in content for secret in wanted)]


def trigger_rows(home: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        return database.execute("select classpath, kwargs from trigger").fetchall()


@pytest.mark.parametrize(("auth", "tokens"), [("password", 1), ("aksk", 0), ("token", 1), ("agency", 2)])
def test_neither_secret_nor_token_lies_anywhere_in_the_clear(stack: Stack, auth: str, tokens: int) -> None:
    conn_id, canaries = f"ims_secret_{auth}", dict[str, Any](password=PASSWORD, secret_key=SECRET_KEY)
    with cloud_of_its_own(stack, conn_id, auth=auth, copy_seconds=15.0, **canaries) as cloud:
        rows = len(trigger_rows(stack.home))
        run = stack.api.start("copies_and_sensors_deferred", {"image_ids": [PLAIN_IMAGE], "ims_conn_id": conn_id})
        stack.api.wait_for("the deferral", lambda: len(trigger_rows(stack.home)) > rows)
        secrets = [*canaries.values(), *cloud.state.tokens]
        assert len(cloud.state.tokens) == tokens
        assert files_with(secrets, stack.home) == []
        assert list((stack.home / "ims-tokens").iterdir())
        assert list(memory_of(stack.home).iterdir())
        assert files_with(secrets, memory_of(stack.home)) == []
        assert run.wait().state == "success", run.log("wait_for_copy", map_index=0)
        assert files_with(secrets, stack.home) == []
        assert files_with([run.xcom("wait_for_copy", map_index=0)], stack.home)  # the search does find what is there
        headers = {name for arrival in cloud.arrivals for name in arrival.headers}
        assert not headers & ({"cookie"} if auth == "aksk" else {"authorization", "cookie"})
        said = [
            f"{each.path}{each.query}{each.headers}{each.body}" for each in cloud.arrivals if each.route != "log_in"
        ]
        assert not any(secret in text for text in said for secret in (PASSWORD, SECRET_KEY, "ims-operator"))
