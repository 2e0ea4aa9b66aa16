"""The nouns: what a token, a job, an image, a request and a response are.

Frozen values that know how to read themselves from the cloud's documents and nothing else: no clock, no socket, no log.
Secrets do not print. Instants are aware (UTC); what the cloud writes in a form of its own is ``None``, never a failure.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, ClassVar
from urllib.parse import quote

from msgspec import field
from msgspec.structs import replace

from airflow_provider_ims.values import Value

CLOCK_SKEW = timedelta(minutes=1)
"""So much may the clocks of an Airflow's hosts differ."""

REFRESH_MARGIN = CLOCK_SKEW + timedelta(minutes=4)
"""A token this close to its end is not used any more: a request that waits in a queue must still be answered."""


class Request(Value, frozen=True):
    """One HTTP request. ``replays``: how often it may be sent again where nobody knows whether it was carried out.

    ``once``: it is not sent again by whoever carries it out, not even where it was certainly not carried out.
    ``sign``: what is done to it each time it is sent, for a signature is of use for some minutes only.
    """

    unprinted: ClassVar[frozenset[str]] = frozenset({"headers", "body", "sign"})

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    replays: int = 9
    once: bool = False
    sign: Callable[[Request], Request] | None = None

    def with_header(self, name: str, value: str) -> Request:
        """This request with one header more."""
        return replace(self, headers={**self.headers, name: value})

    def as_sent(self) -> Request:
        """This request as it goes out now: signed, where that is asked for."""
        return replace(self.sign(self), sign=None) if self.sign else self


class Response(Value, frozen=True):
    """One HTTP response, its body read to the end. Header names are compared without case."""

    unprinted: ClassVar[frozenset[str]] = frozenset({"headers", "body"})

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """A header's value, whatever case its name is in."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), None)

    def with_header(self, name: str, value: str) -> Response:
        """This response with that header, in the place of what it said there."""
        others = {key: old for key, old in self.headers.items() if key.lower() != name.lower()}
        return replace(self, headers={**others, name: value})

    def without(self, secret: str) -> Response:
        """This response as if the server had not repeated the secret."""
        body, headers = self.body, self.headers
        for form in _written_forms(secret):
            if form.encode() in body:
                body = body.replace(form.encode(), b"***")
            if any(form in value for value in headers.values()):
                headers = {name: value.replace(form, "***") for name, value in headers.items()}
        return replace(self, headers=headers, body=body)


@lru_cache(maxsize=64)
def _written_forms(secret: str) -> tuple[str, ...]:
    """A secret as it is, and as JSON, HTML and URLs write it; the longest first."""
    as_json = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    forms = as_json | {form.replace("/", r"\/") for form in as_json}
    forms |= {secret, html.escape(secret), quote(secret), quote(secret, safe="")}
    return tuple(sorted(filter(None, forms), key=len, reverse=True))


class Token(Value, frozen=True):
    """A project-scoped IAM token. ``endpoints``: public IMS URL by region, as the token's catalog gives them.

    With an access key there is none: ``value`` is blank, and all that is known and kept is the project's id.
    """

    unprinted: ClassVar[frozenset[str]] = frozenset({"value"})

    value: str
    issued_at: datetime
    expires_at: datetime
    project_id: str
    endpoints: Mapping[str, str] = field(default_factory=dict)

    def is_fresh(self, now: datetime) -> bool:
        """Whether it can be used for a while yet. ``now``: aware."""
        margin = min(REFRESH_MARGIN, (self.expires_at - self.issued_at) / 2)  # CLOCK_SKEW in a life of two minutes
        return now < self.expires_at - margin


class Service(Value, frozen=True):
    """Where a project finds its IMS."""

    url: str
    project_id: str


class Quota(Value, frozen=True):
    """How many private images a project has, and may have."""

    used: int
    limit: int


class JobStatus(StrEnum):
    """How far a job has come. What the cloud may invent besides is ``UNKNOWN``, which is neither end nor success."""

    INIT = "INIT"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"

    @classmethod
    def parse(cls, text: object) -> JobStatus:
        """The status of that name; ``UNKNOWN`` for any that the API reference does not have."""
        word = str(text).strip().upper()
        return cls.FAIL if word == "FAILED" else cls.__members__.get(word, cls.UNKNOWN)

    @property
    def is_terminal(self) -> bool:
        """Whether the job is over."""
        return self in (JobStatus.SUCCESS, JobStatus.FAIL)


IMAGE_JOB = "image:"
"""What the id of a job begins with that is known by its image alone; the image's id follows."""

GONE = "gone"
"""``reported_status`` of such a job when there is no image of that id (any more)."""

_IMAGE_STATUSES = {
    "queued": JobStatus.RUNNING,
    "saving": JobStatus.RUNNING,
    "active": JobStatus.SUCCESS,
    "killed": JobStatus.FAIL,
    "deleted": JobStatus.FAIL,
}


class Job(Value, frozen=True):
    """An asynchronous job. ``progress`` goes from 0 to 1; ``reported_status`` is the cloud's own word."""

    job_id: str
    status: JobStatus
    reported_status: str
    image_id: str | None = None
    image_name: str | None = None
    error_code: str | None = None
    fail_reason: str | None = None
    progress: float | None = None
    begin_time: datetime | None = None
    end_time: datetime | None = None

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Job:
        """Read the job document; raises ``KeyError`` where even id or status is missing."""
        entities = document.get("entities")
        entities = entities if isinstance(entities, Mapping) else {}
        return cls(
            job_id=str(document["job_id"]),
            status=JobStatus.parse(document["status"]),
            reported_status=str(document["status"])[:40],
            image_id=text(entities.get("image_id")),
            image_name=text(entities.get("image_name")),
            error_code=text(document.get("error_code")) or text(entities.get("error_code")),
            fail_reason=text(document.get("fail_reason")) or text(entities.get("error")),
            progress=_fraction(entities.get("process_percent")),
            begin_time=instant(document.get("begin_time")),
            end_time=instant(document.get("end_time")),
        )

    @property
    def duration(self) -> timedelta | None:
        """From its begin to its end, where the cloud tells both."""
        return self.end_time - self.begin_time if self.begin_time and self.end_time else None

    @classmethod
    def of_image(cls, image: Image) -> Job:
        """The job that makes this image, as far as the image tells."""
        status = _IMAGE_STATUSES.get(image.status, JobStatus.UNKNOWN)
        reason = f"The image is '{image.status}'." if status is JobStatus.FAIL else None
        return cls(IMAGE_JOB + image.id, status, image.status, image.id, image.name, fail_reason=reason)

    @classmethod
    def without_image(cls, image_id: str) -> Job:
        """The job that should make an image of which there is none."""
        return cls(IMAGE_JOB + image_id, JobStatus.FAIL, GONE, image_id, fail_reason="There is no such image.")


class Image(Value, frozen=True):
    """An image: ``status`` queued, saving, active, killed or deleted; ``size`` in bytes; ``properties``: all of it."""

    unprinted: ClassVar[frozenset[str]] = frozenset({"properties"})

    id: str
    name: str
    status: str
    description: str | None = None
    cmk_id: str | None = None
    owner: str | None = None
    origin: str | None = None
    size: int | None = None
    created_at: datetime | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Whether it can be used."""
        return self.status == "active"

    @property
    def is_dead(self) -> bool:
        """Whether it will never be usable (again)."""
        return self.status in ("killed", "deleted")

    @property
    def source_id(self) -> str | None:
        """The image that this one is a copy of, where it is one."""
        kind, _, place = (self.origin or "").partition(",")
        return text(place.rpartition(",")[2]) if kind == "image" else None

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Image:
        """Read an image document; raises ``KeyError`` where id or status is missing."""
        return cls(
            id=str(document["id"]),
            name=str(document.get("name") or ""),
            status=str(document["status"]).lower(),
            description=text(document.get("__description")),
            cmk_id=text(document.get("__system__cmkid")),
            owner=text(document.get("owner")),
            origin=text(document.get("__data_origin")),
            size=_whole(document.get("__image_size")),
            created_at=instant(document.get("created_at")),
            properties=dict(document),
        )


def text(value: object) -> str | None:
    """A value as text; nothing and blank are both ``None``."""
    return str(value).strip() or None if value is not None else None


def instant(value: object) -> datetime | None:
    """An instant in one of the cloud's forms, as aware UTC; ``None`` for blank, absent or unknown forms."""
    try:
        read = datetime.fromisoformat(str(value))
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _fraction(value: object) -> float | None:
    try:
        share = float(str(value))
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None


def _whole(value: object) -> int | None:
    digits = str(value)
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 20 else None
