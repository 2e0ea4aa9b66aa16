"""Proxies: used where they are asked for, named where they fail, and never told what is not theirs."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims.errors import ConnectError, SettingsError, UnavailableError
from airflow_provider_ims.hooks import ImsHook
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.servers import running_proxy, server_that_hangs_up
from tests.shells import GET_IMAGE, Ask, ask_in_thread, ask_on_loop, connect

pytestmark = pytest.mark.usefixtures("airflow_home")
BOTH = pytest.mark.parametrize("ask", [ask_in_thread, ask_on_loop])


@BOTH
@pytest.mark.parametrize("given", ["connection", "connection by scheme", "environment"])
def test_a_proxy_is_used_for_tls(
    private: tuple[dict[str, Any], Path], monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], given: str
) -> None:
    connection, ca_file = private
    with running_proxy() as (proxy, passed):
        extra: dict[str, Any] = {"verify": str(ca_file)}
        if given == "environment":
            monkeypatch.setenv("HTTPS_PROXY", proxy)
        else:
            extra["proxies"] = proxy if given == "connection" else {"https": proxy}
        connect(monkeypatch, connection, **extra)
        assert ask(GET_IMAGE).id == PLAIN_IMAGE
    address = connection["host"].removeprefix("https://")
    assert set(passed) == {f"CONNECT {address}"}


@BOTH
def test_a_proxy_is_used_without_tls_and_not_for_what_is_excepted(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, ask: Ask[Any]
) -> None:
    with running_proxy() as (proxy, passed):
        monkeypatch.setenv("http_proxy", proxy)
        with pytest.raises(UnavailableError):
            ask(GET_IMAGE)
        assert passed == [f"POST {ims_simulator.url}/v3/auth/tokens"] * 2
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert ask(GET_IMAGE).id == PLAIN_IMAGE
        assert len(passed) == 2


@BOTH
def test_a_proxy_that_is_not_there_is_named(
    private: tuple[dict[str, Any], Path], monkeypatch: pytest.MonkeyPatch, ask: Ask[Any]
) -> None:
    connection, ca_file = private
    connect(monkeypatch, connection, verify=str(ca_file), proxies="http://somebody:canary@127.0.0.1:9")
    with pytest.raises(ConnectError, match="proxy") as error:
        ask(GET_IMAGE)
    assert "canary" not in str(error.value)


@BOTH
@pytest.mark.parametrize(
    ("variable", "proxy"),
    [
        ("ALL_PROXY", "socks5://somebody:canary@127.0.0.1:9"),
        ("HTTPS_PROXY", "socks4://127.0.0.1:9"),
        ("HTTPS_PROXY", "http://somebody:ca#canary@127.0.0.1:9"),
        ("HTTPS_PROXY", "http://127.0.0.1:port"),
        ("HTTPS_PROXY", "http://[::1"),
    ],
)
def test_a_proxy_that_cannot_be_is_a_setting_to_mend(
    private: tuple[dict[str, Any], Path], monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], variable: str, proxy: str
) -> None:
    connection, ca_file = private
    connect(monkeypatch, connection, verify=str(ca_file))
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(SettingsError, match="in the connection, and HTTPS_PROXY") as error:
        ask(GET_IMAGE)
    assert "canary" not in str(error.value)


def test_a_proxy_that_hangs_up_has_sent_nothing(
    private: tuple[dict[str, Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, ca_file = private
    with server_that_hangs_up() as (url, seen):
        proxy = url.replace("//", "//somebody:p%C3%A4ss@")
        connect(monkeypatch, connection, verify=str(ca_file), proxies=proxy)
        with pytest.raises(ConnectError):
            ask_in_thread(GET_IMAGE)
    user = base64.b64encode("somebody:päss".encode("latin-1"))
    assert b"Proxy-Authorization: Basic " + user in seen[0]


def test_tls_that_fails_behind_a_proxy_leaves_no_connection_less(
    private: tuple[dict[str, Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_proxy() as (proxy, passed), ImsHook(patience=0) as hook:
        connect(monkeypatch, private[0], proxies=proxy, timeout=1)
        for _ in range(12):
            with pytest.raises(SettingsError, match=f"is not trusted .*through proxy {proxy.partition('//')[2]}"):
                hook.get_image(PLAIN_IMAGE)
    assert len(passed) == 12


@BOTH
def test_a_host_of_another_alphabet_is_known_by_its_other_name(
    monkeypatch: pytest.MonkeyPatch, ims_simulator: ImsSimulator, ask: Ask[Any]
) -> None:
    extra = ims_simulator.connection["extra"] | {"iam_endpoint": "http://bücher.example/v3"}
    with running_proxy() as (proxy, passed):
        connect(monkeypatch, ims_simulator.connection | {"extra": extra}, proxies={"http": proxy})
        with pytest.raises(UnavailableError):
            ask(GET_IMAGE)
    assert passed[0] == "POST http://xn--bcher-kva.example/v3/auth/tokens"
