"""The cloud behind a real socket: the same answers, and what a reply does to a connection."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_provider_ims.simulator import Cloud, Fault, Settings, SimulatorThread, running
from tests.simulator.visitor import PROJECT


class Wire:
    """A client with one connection a request, as plain as the standard library has it."""

    def __init__(self, server: SimulatorThread) -> None:
        self.address = server.url.removeprefix("http://")
        self.cloud = server.cloud
        self.token = ""

    def ask(self, method: str, path: str, document: Any = None) -> tuple[int, Any, dict[str, str]]:
        connection = http.client.HTTPConnection(self.address, timeout=5)
        try:
            body = None if document is None else json.dumps(document)
            headers = {"x-auth-token": self.token, "Content-Type": "application/json"}  # in any case, as by HTTP/1.1
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None, dict(response.headers)
        finally:
            connection.close()

    def log_in(self) -> dict[str, Any]:
        user = {"name": "ims-operator", "password": "simulator-only", "domain": {"name": "OTC-SIMULATOR"}}
        auth = {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"id": PROJECT}},
        }
        status, document, headers = self.ask("POST", "/v3/auth/tokens", {"auth": auth})
        assert status == 201
        self.token = headers["X-Subject-Token"]
        token: dict[str, Any] = document["token"]
        return token


def self_signed(folder: Path) -> Path:
    """A file with a key and a certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulator")])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
    certificate = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    file = folder / "certificate.pem"
    pem = serialization.Encoding.PEM
    kept = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(kept + certificate.public_bytes(pem))
    return file


@pytest.fixture
def wire() -> Iterator[Wire]:
    with running(Cloud(Settings(copy_seconds=0.0))) as server:
        yield Wire(server)


def test_a_copy_over_the_wire(wire: Wire) -> None:
    catalog = wire.log_in()["catalog"]
    assert catalog[1]["endpoints"][0]["url"] == f"http://{wire.address}"
    source = wire.cloud.images()[0]["id"]
    status, copied, headers = wire.ask("POST", f"/v1/cloudimages/{source}/copy", {"name": "new"})
    assert (status, len(headers["X-Request-Id"])) == (200, 32)
    assert wire.ask("GET", f"/v1/{PROJECT}/jobs/{copied['job_id']}")[1]["status"] == "SUCCESS"


def test_connections_are_counted_and_not_those_that_only_control_it(wire: Wire) -> None:
    for _ in range(2):
        with contextlib.closing(http.client.HTTPConnection(wire.address, timeout=5)) as kept:
            for path in ("/v3", "/v3", "/_simulator/state"):
                kept.request("GET", path)
                kept.getresponse().read()
    wire.ask("GET", "/_simulator/state")
    assert wire.cloud.counters["connections"] == 2
    assert wire.cloud.counters["GET versions"] == 4


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
def test_a_connection_that_is_cut(wire: Wire, kind: Any) -> None:
    wire.log_in()
    wire.cloud.faults.add(Fault("list", kind))
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        wire.ask("GET", "/v2/cloudimages")
    assert wire.ask("GET", "/v2/cloudimages")[0] == 200


def test_a_body_that_stops_half_way(wire: Wire) -> None:
    wire.log_in()
    wire.cloud.faults.add(Fault("list", "truncated"))
    with pytest.raises(http.client.IncompleteRead):
        wire.ask("GET", "/v2/cloudimages")


def test_a_slow_body_arrives_whole(wire: Wire) -> None:
    wire.log_in()
    wire.cloud.faults.add(Fault("list", "slow", seconds=0.05), Fault("list", "delay", seconds=0.05))
    assert len(wire.ask("GET", "/v2/cloudimages")[1]["images"]) == 28


def test_who_hangs_is_let_go_when_the_server_stops() -> None:
    ended: list[type[BaseException]] = []

    def ask_in_vain(wire: Wire, arrived: threading.Event) -> None:
        wire.cloud.on_arrival = lambda arrival: arrived.set()
        try:
            wire.ask("GET", "/v2/cloudimages")
        except OSError as error:
            ended.append(type(error))

    with running(Cloud()) as server:
        server.cloud.faults.add(Fault("*", "hang"))
        arrived = threading.Event()
        visitor = threading.Thread(target=ask_in_vain, args=(Wire(server), arrived))
        visitor.start()
        assert arrived.wait(5)
    visitor.join(5)
    assert len(ended) == 1
    assert issubclass(ended[0], ConnectionError)


def test_it_speaks_tls_when_given_a_certificate(tmp_path: Path) -> None:
    serving, asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    certificate = self_signed(tmp_path)
    serving.load_cert_chain(certificate)
    asking.load_verify_locations(certificate)
    with running(Cloud(), ssl_context=serving) as server:
        assert server.url.startswith("https://127.0.0.1:")
        connection = http.client.HTTPSConnection(server.url.removeprefix("https://"), context=asking, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", "/v3")
            version = json.loads(connection.getresponse().read())["version"]
    assert version["links"][0]["href"] == f"{server.url}/v3/"


def test_nothing_is_left_after_the_block() -> None:
    threads = threading.active_count()
    with running(Cloud()) as server:
        host, port = server.url.removeprefix("http://").split(":")
        assert host == "127.0.0.1"
    assert threading.active_count() == threads
    with pytest.raises(ConnectionRefusedError), socket.create_connection((host, int(port)), timeout=1):
        pass


def test_a_port_in_use_is_said_at_once() -> None:
    with running(Cloud()) as first:
        port = int(first.url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="in use"), running(Cloud(), port=port):
            pass


def test_the_control_surface_steers_the_cloud(wire: Wire) -> None:
    wire.log_in()
    wire.ask("POST", "/_simulator/faults", {"route": "list", "kind": "status", "status": 429, "times": None})
    assert wire.ask("GET", "/v2/cloudimages")[0] == 429
    wire.ask("DELETE", "/_simulator/faults")
    assert wire.ask("POST", "/_simulator/images", {"name": "extra"})[0] == 200
    assert "extra" in [row["name"] for row in wire.ask("GET", "/v2/cloudimages")[1]["images"]]
    assert wire.ask("POST", "/_simulator/tokens/revoke")[1] == {"revoked": 1}
    assert wire.ask("GET", "/v2/cloudimages")[0] == 401
    wire.ask("POST", "/_simulator/settings", {"copy_seconds": 60})
    assert wire.cloud.settings.copy_seconds == 60


def test_the_state_counts_and_shows_no_secrets(wire: Wire) -> None:
    wire.log_in()
    for path in ("state", "settings"):
        shown = json.dumps(wire.ask("GET", f"/_simulator/{path}")[1])
        assert "simulator-only" not in shown
        assert wire.token not in shown
    counters = wire.ask("GET", "/_simulator/state")[1]["counters"]
    assert (counters["log_ins_accepted"], counters["POST log_in"]) == (1, 1)


def test_the_capture_shows_what_arrived(wire: Wire) -> None:
    wire.log_in()
    wire.ask("GET", "/v2/cloudimages?name=x%20y")
    last = wire.ask("GET", "/_simulator/requests")[1]["requests"][-1]
    assert (last["method"], last["path"], last["query"], last["status"]) == (
        "GET",
        "/v2/cloudimages",
        {"name": "x y"},
        200,
    )
    assert last["headers"]["x-auth-token"] == wire.token


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("faults", {"kind": "status"}),
        ("settings", {"copy_seconds": "long"}),
        ("settings", {"colour": "red"}),
        ("images", {"colour": "red"}),
        ("jobs/end", {"job_id": "unheard-of"}),
    ],
)
def test_the_control_surface_refuses_what_it_does_not_know(wire: Wire, path: str, document: Any) -> None:
    assert wire.ask("POST", f"/_simulator/{path}", document)[0] == 400


def test_another_iam_says_whose_a_token_is() -> None:
    with running(Cloud()) as iam, running(Cloud(Settings(iam_url=f"{iam.url}/v3"))) as ims:
        there, here = Wire(iam), Wire(ims)

        def look() -> tuple[int, str | None]:
            status, document, _ = here.ask("GET", "/v2/cloudimages?limit=1")
            return status, document.get("error_code")

        here.log_in()  # its own tokens count no more
        assert look() == (401, "APIGW.0307")
        here.token = "unheard-of"
        assert look() == (401, "APIGW.0301")
        there.log_in()
        here.token = there.token
        assert look() == (200, None)
        iam.cloud.revoke_tokens()
        assert look() == (401, "APIGW.0307")
        iam.stop()
        assert look() == (503, "APIGW.0613")
