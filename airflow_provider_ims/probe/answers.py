"""What a probe's answers from IAM and the lists of IMS tell: for each question the value, and words for people.

A value of None is an answer that the simulator has no setting for. Each raises ``NotSeen`` where nothing was seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from airflow_provider_ims.errors import ForbiddenError
from airflow_provider_ims.models import Response, instant
from airflow_provider_ims.probe.record import Document, Seen, document, json_object
from airflow_provider_ims.refusals import Refusal, refusal_of

KNOWN_DOMAINS = (".otc.t-systems.com", ".myhuaweicloud.com", ".myhuaweicloud.eu")
"""Whose hosts may stand in a report: those of the public clouds."""

SECONDS = {"second": 1, "minute": 60, "hour": 3600}


class NotSeen(Exception):
    """There was nothing to answer from; says why."""


def code_of(response: Response) -> str:
    """How a refusal is told apart: its status and code."""
    return f"HTTP {response.status} {Refusal.read(response).code or ''}".rstrip()


def _logged_in(seen: Seen) -> Document:
    if not seen.token:
        raise NotSeen("no log-in was needed that brings a token")
    return seen.token


def log_in_answer(seen: Seen) -> tuple[bool, str]:
    """How a log-in is answered."""
    token, status = _logged_in(seen), seen.log_ins[-1].status
    form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    exact = all(re.fullmatch(form, str(token.get(key))) for key in ("issued_at", "expires_at"))
    return status in (200, 201) and exact, f"{status}, times {'as documented' if exact else 'in another form'}"


def token_lifetime(seen: Seen) -> tuple[float | None, str]:
    """How long a token lives, in seconds."""
    token = _logged_in(seen)
    issued, expires = instant(token.get("issued_at")), instant(token.get("expires_at"))
    if not issued or not expires:
        return None, "issued_at or expires_at cannot be read"
    seconds = (expires - issued).total_seconds()
    return seconds, f"{seconds / 3600:g} h"


def token_length(seen: Seen) -> tuple[int, str]:
    """How many characters a token has."""
    _logged_in(seen)
    length = len(seen.log_ins[-1].header("X-Subject-Token") or "")
    return length, f"{length} characters"


def _image_services(seen: Seen) -> list[Document]:
    entries = _logged_in(seen).get("catalog") or ()
    found: list[Document] = [entry for entry in entries if isinstance(entry, dict) and entry.get("type") == "image"]
    if not found:
        raise NotSeen("the log-in shows no catalog with an image service")
    return found


def _endpoints(seen: Seen) -> dict[str, str]:
    return {
        str(endpoint.get("region") or endpoint.get("region_id")): str(endpoint.get("url"))
        for service in _image_services(seen)
        for endpoint in service.get("endpoints") or ()
        if isinstance(endpoint, dict) and endpoint.get("interface") == "public"
    }


def catalog(seen: Seen) -> tuple[bool, str]:
    """How the catalog names IMS."""
    names = sorted({str(service.get("name")) for service in _image_services(seen)})
    versioned = [url for url in _endpoints(seen).values() if re.search(r"/v\d", url)]
    fits = names == ["glance"] and bool(_endpoints(seen)) and not versioned
    return fits, f"name {', '.join(names)}, URL {'with' if versioned else 'without'} version path"


def ims_host(seen: Seen) -> tuple[bool, str]:
    """Whether the catalog's address of IMS is the region's by the documented pattern."""
    url = _endpoints(seen).get(seen.region or "")
    if not url:
        raise NotSeen("the catalog has no IMS of the connection's region")
    if url.rstrip("/") == seen.ims_pattern:
        return True, url
    host = url.partition("://")[2].partition("/")[0].partition(":")[0]
    return False, host if host.endswith(KNOWN_DOMAINS) else "a host of another domain"


def catalog_regions(seen: Seen) -> tuple[list[str], str]:
    """The further regions of the catalog."""
    others = sorted(set(_endpoints(seen)) - {seen.region or "", "*"})
    return others, ", ".join(others) or "none but the connection's"


def iam_error_shape(seen: Seen) -> tuple[str | None, str]:
    """Which of its two shapes an error of IAM has."""
    if seen.unknown_token is None:
        raise NotSeen("IAM was not asked")
    found = json_object(seen.unknown_token) or {}
    shape = "keystone" if isinstance(found.get("error"), dict) else "table" if "error_code" in found else None
    return shape, f"HTTP {seen.unknown_token.status}: {', '.join(map(str, found)) or 'no JSON object'}"


def list_answer(seen: Seen) -> tuple[bool, str]:
    """How a list of images looks."""
    answer = document(seen.first(lambda each: "/v2/cloudimages?" in each.request.url)) or {}
    rows = [row for row in answer.get("images") or () if isinstance(row, dict)]
    if not rows:
        raise NotSeen("no list with an image was answered")
    strange = sorted(
        {key for row in rows for key, value in row.items() if key[:2] == "__" and not isinstance(value, str | None)}
    )
    late = any(not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(row.get("created_at"))) for row in rows)
    words = f"not strings: {', '.join(strange)}" if strange else "own fields are strings"
    return not strange and not late, words + (", created_at in another form" if late else "")


def quota(seen: Seen) -> tuple[int, str]:
    """How many private images the project may have."""
    if seen.quota is None:
        raise NotSeen("the quota could not be seen")
    return seen.quota, f"{seen.quota} private images"


def _unknown_image(seen: Seen) -> Response:
    if seen.unknown_image is None:
        raise NotSeen("no image was asked for that there is not")
    return seen.unknown_image


def unknown_image(seen: Seen) -> tuple[bool, str]:
    """How an image is refused that there is not."""
    response = _unknown_image(seen)
    return response.status == 404, code_of(response)


def native_errors(seen: Seen) -> tuple[str | None, str]:
    """What form the errors of the native image API have."""
    response = _unknown_image(seen)
    if response.status < 400:
        return None, f"HTTP {response.status}"
    kind = (response.header("Content-Type") or "").partition(";")[0]
    if json_object(response) is not None:
        return "json", kind
    return ("html" if re.search(rb"(?i)<(!doctype )?html", response.body) else "plain"), kind


def unknown_job(seen: Seen) -> tuple[str | None, str]:
    """How a job is refused that there is not."""
    if seen.unknown_job is None:
        raise NotSeen("no job was asked for that there is not")
    status = str(seen.unknown_job.status)
    return status if status in ("400", "404") else None, code_of(seen.unknown_job)


def permission_body(seen: Seen) -> tuple[str | None, str]:
    """How a missing permission is refused, where one was missing."""
    for each in seen.exchanges:
        if each.response.status < 400 or not isinstance(refusal_of(each.response, "ask"), ForbiddenError):
            continue
        refusal = Refusal.read(each.response)
        if refusal.code in ("IMG.0026", "IMG.0161", "APIGW.0302"):
            return refusal.code, code_of(each.response)
        policy = "policy doesn't allow" in refusal.words.lower()
        return ("policy" if policy else None), f"{code_of(each.response)}{', in the words of a policy' * policy}"
    raise NotSeen("nothing was refused for want of a permission")


def _throttled(seen: Seen) -> Iterator[tuple[bool, Response, int, float]]:
    """Each 429: whether IAM's, its answer, and the rate in its words (requests, seconds)."""
    for each in seen.exchanges:
        if each.response.status != 429:
            continue
        refusal = Refusal.read(each.response)
        words = refusal.words
        if rate := re.search(r"limit:\s*(\d+),\s*time:\s*([\d.]+)\s*(second|minute|hour)", words):
            seconds = float(rate[2]) * SECONDS[rate[3]]
        elif rate := re.search(r"(\d+) times per ([\d.]+) seconds", words):
            seconds = float(rate[2])
        yield (refusal.code or "").startswith("IAM"), each.response, int(rate[1]) if rate else 0, seconds if rate else 0


def _rate(seen: Seen, of_iam: bool) -> tuple[int | None, str]:
    found = [each for each in _throttled(seen) if each[0] is of_iam]
    if not found:
        raise NotSeen("no request was throttled")
    _, response, limit, seconds = found[0]
    return limit or None, f"{code_of(response)}: {f'{limit} in {seconds:g} s' if limit else 'it names no rate'}"


def ims_rate_limit(seen: Seen) -> tuple[int | None, str]:
    """How many requests IMS takes in ``rate_window``, where it throttled one."""
    return _rate(seen, of_iam=False)


def iam_rate_limit(seen: Seen) -> tuple[int | None, str]:
    """How many requests IAM takes in ``rate_window``, where it throttled one."""
    return _rate(seen, of_iam=True)


def rate_window(seen: Seen) -> tuple[float, str]:
    """The window of the rates, in seconds."""
    for _, _, limit, seconds in _throttled(seen):
        if limit:
            return seconds, f"{seconds:g} s"
    raise NotSeen("no request was throttled")


def retry_after(seen: Seen) -> tuple[int | None, str]:
    """How many seconds a 429 asks for; 0: it has no Retry-After."""
    for _, response, _, _ in _throttled(seen):
        asked: Any = response.header("Retry-After")
        value = 0 if asked is None else int(asked) if asked.strip().isdecimal() else None
        return value, "no Retry-After" if asked is None else "a Retry-After"
    raise NotSeen("no request was throttled")
