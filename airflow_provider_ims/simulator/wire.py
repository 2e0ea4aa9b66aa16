"""A request as the cloud reads it, and a reply as it leaves: no socket, no state, no decision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from airflow_provider_ims.models import Request, Response

if TYPE_CHECKING:
    from airflow_provider_ims.simulator.faults import Fault
    from airflow_provider_ims.simulator.nouns import IssuedToken

Connection = Literal["kept", "reset_before", "reset_after", "hang", "truncated", "slow"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server is to do: wait ``delay`` seconds, then answer, in the way that ``connection`` says.

    ``kept``: send the response. ``reset_before`` and ``reset_after``: close without an answer; the request was not, or
    was, carried out. ``hang``: never answer. ``truncated``: promise the whole body, send half of it and close.
    ``slow``: send half of the body at once and the rest after the delay. ``response`` is None when nothing is sent.
    """

    response: Response | None
    delay: float = 0.0
    connection: Connection = "kept"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, taken apart. ``params`` come from the path; ``token`` is set once the gateway has let it in.

    ``target``: path and query as they were sent.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base_url: str
    request_id: str
    target: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    token: IssuedToken | None = None
    fate: Fault | None = None

    @classmethod
    def read(cls, request: Request, request_id: str) -> Call:
        """Take a request apart. Header names become lower-case."""
        url = urlsplit(request.url)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in request.headers.items()}
        base_url = f"{url.scheme}://{url.netloc}"
        target = f"{url.path}?{url.query}"
        return cls(request.method, unquote(url.path), query, headers, request.body, base_url, request_id, target)

    def document(self) -> object:
        """The JSON value in the body. Raises ValueError."""
        return json.loads(self.body)


def json_response(status: int, document: object, headers: Mapping[str, str] | None = None) -> Response:
    """A response with a JSON body."""
    body = json.dumps(document, ensure_ascii=False).encode()
    return Response(status, {"Content-Type": "application/json", **(headers or {})}, body)


@lru_cache(maxsize=256)  # each list writes the same instants down again
def second_stamp(instant: datetime) -> str:
    """Time in images: ``2018-09-06T14:03:27Z``."""
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def micro_stamp(instant: datetime) -> str:
    """Time in tokens: ``2019-02-12T06:52:13.855000Z``."""
    return f"{instant:%Y-%m-%dT%H:%M:%S.%fZ}"


def fields_of(value: object, *path: str) -> dict[str, Any]:
    """The JSON object at ``path`` inside ``value``; empty where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
