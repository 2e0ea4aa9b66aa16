"""What leaves the machine: no secret but in the log-in's body, nothing to another host, and by TLS as asked for."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import certifi
import pytest

from airflow_provider_ims.errors import RefusedError, SettingsError, UnclearSubmitError
from airflow_provider_ims.hooks import ImsAsyncHook, ImsHook
from airflow_provider_ims.simulator.cloud import Cloud
from airflow_provider_ims.simulator.connection import connection_to
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from airflow_provider_ims.simulator.server import running
from tests.servers import cloud_whose_tls_breaks, private_ca
from tests.shells import GET_IMAGE, Ask, ask_in_thread, ask_on_loop, connect

pytestmark = pytest.mark.usefixtures("airflow_home")
BOTH = pytest.mark.parametrize("ask", [ask_in_thread, ask_on_loop])


@BOTH
def test_nothing_of_the_connection_leaves_but_in_the_log_ins_body(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, ask: Ask[Any]
) -> None:
    connect(monkeypatch, ims_simulator.connection, unknown_key="canary-in-extra")
    ask(GET_IMAGE)
    if ask is ask_in_thread:
        hook = ImsHook()
        hook.method = "GET"
        hook.run("/v1/cloudimages/quota")
    secrets = (ims_simulator.cloud.settings.password, ims_simulator.cloud.settings.user_name, "canary-in-extra")
    first, *others = ims_simulator.cloud.arrivals
    assert first.route == "log_in"
    assert not any(secret in str(first.headers) for secret in secrets)
    for arrival in others:
        seen = f"{arrival.path} {arrival.query} {arrival.headers} {arrival.body}"
        assert not any(secret in seen for secret in (*secrets, "Authorization", "unknown_key"))
        assert "x-auth-token" in arrival.headers


@BOTH
@pytest.mark.parametrize("route", ["log_in", "image", "quota"])
def test_no_redirect_is_followed(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], route: Any
) -> None:
    with running(Cloud()) as elsewhere:
        location = f"{elsewhere.url}/v1/cloudimages/quota"
        ims_simulator.cloud.faults.add(Fault(route, "redirect", location=location, status=307))
        if route == "quota":
            hook = ImsHook()
            hook.method = "GET"
            hook.run("/v1/cloudimages/quota", extra_options={"check_response": False})
        else:
            with pytest.raises(RefusedError, match=r"redirects to .*, which is not followed"):
                ask(GET_IMAGE)
        assert not elsewhere.cloud.arrivals


@BOTH
def test_netrc_is_not_read(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ask: Ask[Any]
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    ask(GET_IMAGE)
    ImsHook().run("/v1/cloudimages/quota")
    names = {name for arrival in ims_simulator.cloud.arrivals for name in arrival.headers}
    assert "x-auth-token" in names
    assert "authorization" not in names


@BOTH
@pytest.mark.parametrize("schema", ["HTTPS://", "Https://"])
def test_the_case_of_a_scheme_is_no_matter(
    private: tuple[dict[str, Any], Path], monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], schema: str
) -> None:
    connection, ca_file = private
    connection["host"] = connection["host"].replace("https://", schema)
    connect(monkeypatch, connection, verify=str(ca_file))
    assert ask(GET_IMAGE).id == PLAIN_IMAGE


@BOTH
@pytest.mark.parametrize("variable", ["connection", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_private_ca_is_trusted_where_it_is_given(
    private: tuple[dict[str, Any], Path], monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], variable: str
) -> None:
    connection, ca_file = private
    if variable == "connection":
        connect(monkeypatch, connection, verify=str(ca_file))
    else:
        connect(monkeypatch, connection)
        monkeypatch.setenv(variable, str(ca_file))
    assert ask(GET_IMAGE).id == PLAIN_IMAGE


@BOTH
def test_an_unknown_ca_is_a_setting_to_mend(
    private: tuple[dict[str, Any], Path], monkeypatch: pytest.MonkeyPatch, ask: Ask[Any]
) -> None:
    connect(monkeypatch, private[0])
    with pytest.raises(SettingsError, match=r"certificate of .* is not trusted.*`verify`"):
        ask(GET_IMAGE)


def test_a_bundle_that_was_replaced_is_trusted_by_those_who_wait_already(
    private: tuple[dict[str, Any], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    connection, ca_file = private
    (tmp_path / "former").mkdir()
    bundle, _ = private_ca(tmp_path / "former")
    connect(monkeypatch, connection, verify=str(bundle))

    async def renew_it() -> str:
        async with ImsAsyncHook(patience=0) as hook:
            with pytest.raises(SettingsError, match="is not trusted"):
                await hook.get_image(PLAIN_IMAGE)
            bundle.write_bytes(ca_file.read_bytes())
            os.utime(bundle, (0, 0))  # whenever the file system says that it was written
            await hook.refresh(max_age=0.0)
            return (await hook.get_image(PLAIN_IMAGE)).id

    assert asyncio.run(renew_it()) == PLAIN_IMAGE


@BOTH
@pytest.mark.parametrize("content", ["nonsense", None])
def test_a_bundle_that_is_none_is_a_setting_to_mend(
    private: tuple[dict[str, Any], Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    ask: Ask[Any],
    content: str | None,
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content:
        bundle.write_text(content)
    connect(monkeypatch, private[0])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with pytest.raises(SettingsError, match=r"verify: .*bundle\.pem is no CA bundle"):
        ask(GET_IMAGE)


def test_a_bundle_that_goes_while_an_answer_is_lost_is_not_to_blame(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(Path(certifi.where()).read_text())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with ImsHook(patience=0) as hook:
        hook.get_image(PLAIN_IMAGE)
        ims_simulator.cloud.faults.add(Fault("copy", "reset_after"))
        bundle.unlink()
        with pytest.raises(UnclearSubmitError):
            hook.copy_image(PLAIN_IMAGE, name="golden")


@pytest.mark.parametrize("host", ["http://ims..example", "http://" + 70 * "a" + ".example"])
def test_a_host_that_cannot_be_is_a_setting_to_mend(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    extra = {"region": "eu-de", "domain_name": "d", "iam_endpoint": host}
    connection = {"conn_type": "ims", "login": "u", "password": "p", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", json.dumps(connection))
    with pytest.raises(SettingsError, match="check host, iam_endpoint and proxies in the connection"):
        ask_in_thread(GET_IMAGE)


@BOTH
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_verify_false_asks_for_no_certificate(
    private: tuple[dict[str, Any], Path], monkeypatch: pytest.MonkeyPatch, ask: Ask[Any]
) -> None:
    connect(monkeypatch, private[0], verify=False)
    assert ask(GET_IMAGE).id == PLAIN_IMAGE


def test_a_copy_whose_answer_is_broken_tls_is_not_sent_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ca_file, context = private_ca(tmp_path)
    with cloud_whose_tls_breaks(context) as (url, seen):
        connect(monkeypatch, connection_to(url, Cloud().settings), verify=str(ca_file))
        with ImsHook() as hook, pytest.raises(UnclearSubmitError):
            hook.copy_image(PLAIN_IMAGE, name="golden")
    assert [b"/auth/tokens" in each for each in seen] == [True, False]
