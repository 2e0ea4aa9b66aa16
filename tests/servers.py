"""What stands between a client and the cloud in tests: a proxy that tells what went through it, a private CA."""

from __future__ import annotations

import http.server
import ipaddress
import os
import re
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

BEYOND_THE_PROXY = "cloud.invalid"
"""A host that only the proxy finds."""


class _Proxy(http.server.BaseHTTPRequestHandler):
    passed: list[str]
    timeout = 10

    def do_CONNECT(self) -> None:
        self.passed.append(f"CONNECT {self.path}")
        port = int(self.path.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as there:
            self.send_response(200)
            self.end_headers()
            _tunnel(self.connection, there)
        self.close_connection = True

    def do_GET(self) -> None:
        """Plain HTTP through a proxy: enough to see that it came this way."""
        self.passed.append(f"{self.command} {self.path}")
        self.send_response(502)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        return


def _tunnel(here: socket.socket, there: socket.socket) -> None:
    ends = {here: there, there: here}
    while True:
        for end in select.select(list(ends), [], [], 10)[0]:
            piece = end.recv(65536)
            if not piece:
                return
            ends[end].sendall(piece)


@contextmanager
def running_proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy on loopback: its URL, and what it was asked for. To it, every host is this machine."""
    passed: list[str] = []
    handler = type("Proxy", (_Proxy,), {"passed": passed})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", passed
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def server_of(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """A server on loopback that does this with one connection after the other: its address, ``host:port``."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@contextmanager
def server_that_hangs_up() -> Iterator[tuple[str, list[bytes]]]:
    """A server that reads the head of whatever it is asked, and hangs up: its URL, and the heads."""
    seen: list[bytes] = []
    with server_of(lambda connection: seen.append(connection.recv(65_536))) as address:
        yield f"http://{address}", seen


def private_ca(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A CA that nobody trusts yet: the file to trust it with, and the context of a server that it has signed for."""
    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Private CA")])
    ca = _certificate(ca_name, ca_name, ca_key.public_key(), ca=True).sign(ca_key, hashes.SHA256())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = _certificate(name, ca_name, server_key.public_key(), ca=False).sign(ca_key, hashes.SHA256())
    ca_file, server_file = folder / "ca.pem", folder / "server.pem"
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    key = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server_file.write_bytes(key + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_file)
    return ca_file, context


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, ca: bool
) -> x509.CertificateBuilder:
    today = datetime.now(UTC)
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName(BEYOND_THE_PROXY)]
    return (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )


@contextmanager
def cloud_whose_tls_breaks(context: ssl.SSLContext) -> Iterator[tuple[str, list[bytes]]]:
    """A server that lets everybody log in, reads any other request to its end, and answers with a broken TLS record."""
    seen: list[bytes] = []

    def answer(raw: socket.socket) -> None:
        with context.wrap_socket(raw, server_side=True) as connection:
            seen.append(whole_request(connection))
            if b"/auth/tokens" in seen[-1]:
                connection.sendall(LOGGED_IN)
            else:
                os.write(connection.fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))

    with server_of(answer) as address:
        yield f"https://{address}", seen


def whole_request(connection: socket.socket) -> bytes:
    """Head and body: a server that answers and closes before it has read all resets the connection instead."""
    received = b""
    while (end := received.find(b"\r\n\r\n") + 4) < 4:
        received += connection.recv(65536)
    length = re.search(rb"(?i)content-length: *(\d+)", received[:end])
    while length and len(received) < end + int(length[1]):
        received += connection.recv(65536)
    return received


_TOKEN = (
    b'{"token": {"issued_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-02T00:00:00Z", "project": {"id": "p"}}}'
)
LOGGED_IN = b"HTTP/1.1 201 Created\r\nX-Subject-Token: token\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_TOKEN),
    _TOKEN,
)
