"""What both hooks share: the Airflow connection as a client, the tokens of this process, the words for what failed."""

from __future__ import annotations

import os
import re
import ssl
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import certifi

from airflow_provider_ims import __version__
from airflow_provider_ims.client import Client
from airflow_provider_ims.errors import (
    ConnectError,
    ConnectionLookUpError,
    ImsError,
    MalformedResponseError,
    ResponseLostError,
    SettingsError,
)
from airflow_provider_ims.hooks.variables import Variables
from airflow_provider_ims.keys import memory_of
from airflow_provider_ims.models import Request
from airflow_provider_ims.settings import Settings
from airflow_provider_ims.shelves import Files, Shelf
from airflow_provider_ims.token_store import TokenStore

if TYPE_CHECKING:
    from airflow.sdk import Connection

PATIENCE = 60.0
"""Seconds for which a request that may be repeated is repeated, where nothing else is said."""

LARGEST_BODY = 16 * 1024**2
"""Bytes of an answer, unpacked; a page of 500 images has about a tenth of it. Of a larger one no more is read."""

WHOLE_ANSWER = 4
"""Times the connection's ``timeout``, which each part of an answer may take, that all of it may."""

PIECE = 65_536
"""Bytes of an answer that are read at a time."""

_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")

USER_AGENT = {"User-Agent": f"airflow-provider-ims/{__version__}"}


@cache
def token_store(cache_in: str = "file", directory: str | None = None) -> TokenStore:
    """The tokens of this process, shared as the connection says, with the machine's other processes by files in
    Airflow's home.
    """
    if cache_in == "none":
        return TokenStore()
    shelves: list[Shelf] = [Files(airflow_home() / "ims-tokens")]
    if cache_in == "variable":
        shelves.append(Variables())
    elif directory:
        shelves.append(Files(Path(directory), shared=True))
    return TokenStore(*shelves, memory=memory_of(airflow_home()))


def airflow_home() -> Path:
    """Airflow's home on this machine."""
    return Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()


def tls_of(settings: Settings) -> ssl.SSLContext:
    """What certificates are checked with; raises ``SettingsError`` where the bundle cannot be read."""
    bundle = ca_bundle_of(settings)
    if bundle is False:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    path = certifi.where() if bundle is True else bundle
    try:
        if os.path.isdir(path):
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as problem:
        names = ", ".join(_CA_VARIABLES)
        raise SettingsError(f"verify: {path} is no CA bundle ({problem}). Mend `verify`, or {names}.") from None


def no_connection(conn_id: str) -> ImsError:
    """The error for an id of which Airflow gives no connection; it says the same where it could not look."""
    remedy = "create one of type ims, in Admin > Connections or with `airflow connections add`"
    return ConnectionLookUpError(f"There is no connection '{conn_id}', or Airflow could not look it up: {remedy}.")


def client_of(connection: Connection, extra: dict[str, Any]) -> Client:
    """The client that an Airflow connection describes; raises ``SettingsError``."""
    settings = Settings.of(
        connection.conn_id,
        login=connection.login,
        password=connection.password,
        host=connection.host,
        schema=connection.schema,
        port=connection.port,
        extra=extra,
    )
    tokens = token_store(settings.cache, settings.cache_dir)
    return Client(settings, tokens, lambda: datetime.now(UTC))


def proxy_of(settings: Settings, url: str) -> str | None:
    """The proxy for this address: the connection's, else the environment's (``HTTPS_PROXY``, ``NO_PROXY``).

    Raises ``SettingsError`` for a proxy that is not one for HTTP.
    """
    if not settings.proxies and getproxies().keys() <= {"no"}:
        return None
    from requests.utils import get_environ_proxies, select_proxy  # a process without proxies need not load it

    found = select_proxy(url, settings.proxies or get_environ_proxies(url))
    if not found or found.lower().startswith(("http://", "https://")):
        return found
    if "://" in found:
        remedy = "give one for HTTP as `proxies` in the connection, and HTTPS_PROXY in the environment"
        raise SettingsError(f"The proxy for {urlsplit(url).netloc} is '{found.partition(':')[0]}': {remedy}.")
    return f"http://{found}"


def as_ascii(url: str) -> str:
    """This address with its host as the domain name system knows it; raises ``ValueError`` where it cannot be one."""
    parts = urlsplit(url)
    return url if url.isascii() else parts._replace(netloc=parts.netloc.encode("idna").decode()).geturl()


def ca_bundle_of(settings: Settings) -> bool | str:
    """What certificates are checked against: a path, False for nothing, True for the usual authorities."""
    if settings.verify is not True:
        return settings.verify
    return next((path for name in _CA_VARIABLES if (path := os.environ.get(name))), True)


def ca_stamp(settings: Settings) -> float | None:
    """When that path was last written, where it is one: a new bundle may lie under the old name."""
    bundle = ca_bundle_of(settings)
    return os.stat(bundle).st_mtime if isinstance(bundle, str) and os.path.exists(bundle) else None


def not_sent(request: Request, problem: Exception) -> ImsError:
    """The error for a request that never left."""
    return ConnectError(
        f"No connection to {_host(request)}: {_reason(problem)}. Check its address, proxy and firewall."
    )


def lost(request: Request, problem: Exception) -> ImsError:
    """The error for a request that was sent, and whose answer did not come, or not to its end."""
    what = f"No complete answer from {_host(request)} to {request.method}: {_reason(problem)}"
    return ResponseLostError(f"{what}. Where that comes often, check proxy, firewall and the connection's timeout.")


class Body:
    """The body of the answer to a request, piece by piece; raises ``MalformedResponseError`` where it is too large."""

    def __init__(self, request: Request) -> None:
        self._request, self._taken = request, bytearray()

    def take(self, piece: bytes) -> None:
        """Add what came next."""
        if len(self._taken) + len(piece) > LARGEST_BODY:
            whose = f"{_host(self._request)} to {self._request.method}"
            raise MalformedResponseError(f"The answer of {whose} has more than {LARGEST_BODY / 1024**2:.0f} MiB.")
        self._taken += piece

    def whole(self) -> bytes:
        """All of it."""
        return bytes(self._taken)


def untrusted(request: Request, problem: Exception) -> ImsError:
    """The error for a certificate that does not prove who the host is."""
    remedy = "give the path of the CA bundle as `verify` in the connection (or in REQUESTS_CA_BUNDLE)"
    return SettingsError(f"The certificate of {_host(request)} is not trusted ({_reason(problem)}): {remedy}.")


def malformed(request: Request, problem: Exception) -> ImsError:
    """The error for an address or a proxy that the HTTP library cannot use."""
    remedy = "check host, iam_endpoint and proxies in the connection, and HTTPS_PROXY in the environment"
    return SettingsError(f"Cannot send a request to {_host(request)} ({type(problem).__name__}): {remedy}.")


def _host(request: Request) -> str:
    parts = urlsplit(request.url)
    return f"{parts.scheme}://{parts.netloc}"


def _reason(problem: Exception) -> str:
    """The library's words, without objects' addresses and the user of a proxy."""
    words = re.sub(r"<[^>]* object at 0x[0-9a-f]+>:? ?", "", str(problem)) or type(problem).__name__
    return re.sub(r"//\S*@", "//***@", words)[:300]
