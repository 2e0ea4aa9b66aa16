"""A simulated cloud of a test's own, in the test's process, and the Airflow connection that leads to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow_provider_ims.simulator import Cloud, Settings, connection_to, running
from tests.real.stack import Stack


@contextmanager
def cloud_of_its_own(
    stack: Stack,
    conn_id: str,
    wrong_password: str = "",
    extra: Mapping[str, Any] | None = None,
    auth: str = "password",
    **settings: Any,
) -> Iterator[Cloud]:
    """Within, ``conn_id`` leads to a cloud with these settings; with a password that it refuses, where one is given.

    ``extra``: further fields of the connection's extra. ``auth``: the way to log in.
    """
    with running(Cloud(Settings(**settings))) as server:
        token = server.cloud.issue_token() if auth == "token" else ""
        connection = connection_to(server.url, server.cloud.settings, auth, token)
        connection |= {"connection_id": conn_id, "extra": json.dumps(connection["extra"] | dict(extra or {}))}
        stack.api.post("/connections", connection | ({"password": wrong_password} if wrong_password else {}))
        try:
            yield server.cloud
        finally:
            stack.api.call("DELETE", f"/connections/{conn_id}")
