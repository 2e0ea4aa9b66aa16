"""Serve an OpenStack service on loopback, and write down who asks for what: ``serve.py keystone 5000``.

Run by the Python of ``.venv-openstack``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from typing import Any

import waitress

name, port = sys.argv.pop(1), sys.argv.pop(1)  # what is left is Keystone's to parse
application = importlib.import_module(f"{name}.wsgi.api").application


def written_down(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    print("asked", environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("HTTP_USER_AGENT", "-"), flush=True)
    return application(environ, start_response)  # type: ignore[no-any-return]


waitress.serve(written_down, host="127.0.0.1", port=int(port), threads=4)
