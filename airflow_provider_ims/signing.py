"""Signatures of requests with an access key: ``SDK-HMAC-SHA256``, as the API gateway's manual describes it.

Pure: a request, a key and an instant give a signed request. It also settles what could differ between what is signed
and what is sent: the order and the writing of the query, and the header ``Host``.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from msgspec.structs import replace

from airflow_provider_ims.credentials import AccessKey
from airflow_provider_ims.models import Request

ALGORITHM = "SDK-HMAC-SHA256"


def signed(request: Request, key: AccessKey, now: datetime) -> Request:
    """This request with all its headers signed. ``now``: aware; the cloud takes 15 minutes of difference."""
    parts = urlsplit(request.url)
    query = urlencode(sorted(parse_qsl(parts.query, keep_blank_values=True)), quote_via=quote)
    stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    added = {"Host": parts.netloc, "X-Sdk-Date": stamp}
    if key.security_token:
        added["X-Security-Token"] = key.security_token
    headers = {**request.headers, **added}
    names, canonical = _canonical(replace(request, headers=headers), parts.path, query)
    to_sign = f"{ALGORITHM}\n{stamp}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(key.secret_key.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = f"{ALGORITHM} Access={key.access_key}, SignedHeaders={names}, Signature={signature}"
    return replace(request, url=parts._replace(query=query).geturl(), headers=headers)


def _canonical(request: Request, path: str, query: str) -> tuple[str, str]:
    """The names of the signed headers, and the request in the form that is signed."""
    headers = sorted((name.lower(), value.strip()) for name, value in request.headers.items())
    names = ";".join(name for name, _ in headers)
    uri = quote(unquote(path)).removesuffix("/") + "/"
    lines = "".join(f"{name}:{value}\n" for name, value in headers)
    payload = hashlib.sha256(request.body).hexdigest()
    return names, "\n".join((request.method, uri, query, lines, names, payload))
