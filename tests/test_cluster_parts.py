"""What the test of a cluster is made of: a way that can be cut, and what it reads of the compose file."""

from __future__ import annotations

import socket
import socketserver
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.cluster.compose import read_services
from tests.cluster.losses import Outcome
from tests.cluster.wires import Wire
from tests.real.stack import PROJECT


class _Echo(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


@pytest.fixture
def wire() -> Iterator[Wire]:
    """One to a server that says everything again."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        wire = Wire(server.server_address[1])
        yield wire
        wire.close()
        server.shutdown()
        thread.join()


def connected(wire: Wire) -> socket.socket:
    return socket.create_connection(("127.0.0.1", wire.port), timeout=10)


def test_what_is_sent_while_a_wire_is_cut_arrives_when_it_is_mended(wire: Wire) -> None:
    with connected(wire) as before:
        before.sendall(b"before\n")
        assert before.recv(100) == b"before\n"
        wire.cut()
        with connected(wire) as meanwhile:
            for each in (before, meanwhile):
                each.settimeout(0.2)
                each.sendall(b"meanwhile\n")
                with pytest.raises(TimeoutError):
                    each.recv(100)
            wire.mend()
            for each in (before, meanwhile):
                each.settimeout(10)
                assert each.recv(100) == b"meanwhile\n"


def test_the_services_are_those_of_the_compose_file() -> None:
    services = read_services()
    assert services["worker"].command == ["airflow", "celery", "worker"]
    assert services["worker"].hosts == ["worker-1", "worker-2"]
    assert services["worker"].environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert services["worker"].restarts
    assert services["scheduler"].hosts == ["scheduler"]
    assert not services["init"].restarts
    assert "$(cat " in services["redis"].command[-1]  # written as $$ in the file


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({}, []),
        ({"green": 1}, ["1 of 2 copies are not green"]),
        ({"images": Counter(a=1)}, ["1 names have an image, not 2"]),
        ({"images": Counter(a=2, b=1)}, ["more than one image of a"]),
        ({"accepted": 3}, ["the cloud began 3 jobs for 2 copies"]),
        ({"log_ins": 5}, ["5 log-ins of 4 hosts"]),
    ],
)
def test_a_promise_that_was_broken_is_told_of(found: dict[str, Any], said: list[str]) -> None:
    held = Outcome(
        "lost", 2, 2, Counter(a=1, b=1), 2, most_tries=2, retried=1, restarts=Counter(scheduler=2), log_ins=4, seconds=9
    )
    assert replace(held, **found).broken(hosts=4) == [f"lost: {each}" for each in said]


def test_the_cluster_needs_nothing_that_only_the_tests_have() -> None:
    """Its environment is that of docker/, without pytest."""
    code = "import sys; sys.modules['pytest'] = None; import tests.cluster.__main__"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)  # noqa: S603
    assert done.returncode == 0, done.stderr
