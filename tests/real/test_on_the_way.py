"""Behind a proxy and with a private CA, worker and triggerer behave alike, whoever told them of both.

The cloud's host is a name that only the proxy finds, so whoever reaches it went through the proxy.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims.simulator import Cloud, Settings, connection_to, running
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.real.stack import Stack
from tests.servers import BEYOND_THE_PROXY, private_ca, running_proxy


def copy_beyond_the_proxy(stack: Stack, tmp_path: Path, conn_id: str, passed: list[str], **extra: Any) -> None:
    """Copy an image in a cloud with a certificate of the private CA in ``tmp_path``."""
    _, context = private_ca(tmp_path)
    with running(Cloud(Settings(copy_seconds=3.0)), ssl_context=context) as server:
        url = server.url.replace("127.0.0.1", BEYOND_THE_PROXY)
        connection = connection_to(url, server.cloud.settings)
        connection |= {"connection_id": conn_id, "extra": json.dumps(connection["extra"] | extra)}
        stack.api.post("/connections", connection)
        run = stack.api.run("copies_deferred", {"image_ids": [PLAIN_IMAGE], "ims_conn_id": conn_id})
        assert run.state == "success", run.log("copy_image", map_index=0)
        assert server.cloud.counters["GET job"] >= 2  # once in the worker, then in the triggerer
    assert set(passed) == {f"CONNECT {url.removeprefix('https://')}"}


def test_told_by_the_connection(stack: Stack, tmp_path: Path) -> None:
    with running_proxy() as (proxy, passed):
        ca_file = str(tmp_path / "ca.pem")
        copy_beyond_the_proxy(stack, tmp_path, "ims_private", passed, verify=ca_file, proxies={"https": proxy})


def test_told_by_the_environment(tmp_path: Path) -> None:
    ca_file = str(tmp_path / "ca.pem")
    dags = {"copies.py": (Path(__file__).parent / "dags" / "copies.py").read_text()}
    with running_proxy() as (proxy, passed):
        env = {"HTTPS_PROXY": proxy, "REQUESTS_CA_BUNDLE": ca_file}
        with Stack(dag_files=dags, env=env) as stack:
            copy_beyond_the_proxy(stack, tmp_path, "ims_private", passed)


def test_without_the_ca_nothing_works(stack: Stack, tmp_path: Path) -> None:
    with running_proxy() as (proxy, passed), pytest.raises(AssertionError, match=r"certificate of .* is not trusted"):
        copy_beyond_the_proxy(stack, tmp_path, "ims_untrusted", passed, proxies={"https": proxy})
