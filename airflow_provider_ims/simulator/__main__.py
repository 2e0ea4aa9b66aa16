"""The simulated cloud from the command line: ``python -m airflow_provider_ims.simulator``.

Every setting is a flag. Prints where it listens, the Airflow connection to paste, the images there are, and a
connection for each other way to log in.
Ends on Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import typing
from collections.abc import Iterator, Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, Literal, NoReturn

from airflow_provider_ims.simulator.cloud import Arrival, Cloud
from airflow_provider_ims.simulator.connection import connection_to
from airflow_provider_ims.simulator.control import arrival_document
from airflow_provider_ims.simulator.server import LOOPBACK, Server
from airflow_provider_ims.simulator.settings import Settings, read_settings


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")  # argparse would print dozens of flags before the sentence


def _parser() -> _Parser:
    parser = _Parser("airflow_provider_ims.simulator", description=__doc__, argument_default=argparse.SUPPRESS)
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on; 0 picks a free one (default: 8080)")
    parser.add_argument("--settings", metavar="FILE", default=None, help="JSON file with settings; flags count more")
    parser.add_argument("--capture", metavar="FILE", default=None, help="write each request to it, passwords included")
    hints = typing.get_type_hints(Settings)
    group = parser.add_argument_group("settings")
    for each in fields(Settings):
        group.add_argument(f"--{each.name.replace('_', '-')}", dest=each.name, **_flag(each, hints[each.name]))
    return parser


def _flag(each: Field[Any], kind: Any) -> dict[str, Any]:
    shown = str(each.default).replace("%", "%%")
    options: dict[str, Any] = {"help": f"{each.metadata['doc']} (default: {shown})"}
    if kind is bool:
        return options | {"action": argparse.BooleanOptionalAction}
    if typing.get_origin(kind) is Literal:
        return options | {"choices": typing.get_args(kind)}
    if typing.get_origin(kind) is tuple:
        return options | {"type": lambda text: tuple(filter(None, text.split(","))), "metavar": "A,B"}
    return options | {"type": kind, "metavar": kind.__name__.upper()}


def _settings(parser: _Parser, flags: dict[str, Any], file: str | None) -> Settings:
    try:
        from_file = json.loads(Path(file).read_text()) if file else {}
        return Settings(**{**read_settings(from_file), **flags})
    except (OSError, ValueError, TypeError) as error:
        parser.error(f"these settings cannot be used: {error}")


@contextlib.contextmanager
def _capturing(cloud: Cloud, path: str | None) -> Iterator[None]:
    if path is None:
        yield
        return
    with Path(path).open("a", buffering=1) as file:

        def write(arrival: Arrival) -> None:
            file.write(json.dumps(arrival_document(arrival)) + "\n")

        cloud.on_arrival = write
        yield


async def _serve(cloud: Cloud, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = Server(cloud)
    url = await server.start(host, port)
    _announce(cloud, url)
    await stop.wait()
    await server.stop()


def _announce(cloud: Cloud, url: str) -> None:
    settings, token = cloud.settings, cloud.issue_token()
    lines = [f"IAM and IMS simulated at {url}", json.dumps(connection_to(url, settings))]
    lines += [f"{image['id']}  {image['name']}  {image['__description']}".rstrip() for image in cloud.images()]
    lines += ["The other ways to log in:"]
    lines += [json.dumps(connection_to(url, settings, auth, token)) for auth in ("aksk", "agency", "token")]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _sentence(error: OSError | OverflowError, address: str) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        words = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno)
        return f"cannot use {error.filename or address}: {words}"
    return f"cannot use {address}: {error}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to end. Returns the exit status."""
    parser = _parser()
    flags = vars(parser.parse_args(arguments))
    host, port, file, capture = (flags.pop(name) for name in ("host", "port", "settings", "capture"))
    cloud = Cloud(_settings(parser, flags, file))
    try:
        with _capturing(cloud, capture):
            asyncio.run(_serve(cloud, host, port))
    except (OSError, OverflowError) as error:
        parser.error(_sentence(error, f"{host} port {port}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
