"""What a probe has seen: each answer of the cloud, and the looks at the copy in their order. It judges nothing.

Seconds are counted from the cloud's answer to the copy, unless something else is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_ims.models import JobStatus, Request, Response, instant
from airflow_provider_ims.refusals import document_of

Document = Mapping[str, Any]


def document(response: Response | None) -> Document | None:
    """The JSON object of an answer with status 2xx, if it is one."""
    if response is None or not 200 <= response.status < 300:
        return None
    return json_object(response)


def json_object(response: Response) -> Document | None:
    """The JSON object that an answer's body is, whatever its status."""
    try:
        found = document_of(response)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Mapping) else None


def token_of(response: Response) -> Document:
    """What an answer of IAM says of a token; empty where it says nothing."""
    found = (document(response) or {}).get("token")
    return found if isinstance(found, Mapping) else {}


def job_instant(value: object) -> datetime | None:
    """An instant as a job has it: ISO, or the old form ``04-Jun-2015 18:11:06:586``."""
    try:
        return datetime.strptime(str(value), "%d-%b-%Y %H:%M:%S:%f").replace(tzinfo=UTC)
    except ValueError:
        return instant(value)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer, which came at ``at`` (``Client.elapsed``)."""

    request: Request = field(repr=False)
    response: Response = field(repr=False)
    at: float


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a copy: the documents of its job, its row in the list and its image; None where there is none."""

    at: float
    job: Document | None = None
    listed: Document | None = None
    image: Document | None = None

    @property
    def status(self) -> JobStatus | None:
        """The job's status; None where the cloud showed no job."""
        return JobStatus.parse(self.job.get("status")) if self.job else None

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self.status is not None and self.status.is_terminal

    @property
    def made(self) -> Document | None:
        """The new image, from whichever place shows it."""
        return self.image or self.listed

    @property
    def entities(self) -> Document:
        """The job's entities; empty where there are none."""
        found = self.job.get("entities") if self.job else None
        return found if isinstance(found, Mapping) else {}


@dataclass(slots=True)
class Seen:
    """All that one probe has seen.

    ``looks``: at the one copy; ``rows``: the statuses of those that were begun together, ``refused`` the code with
    which one more was refused; ``duplicate``: the answer to a second copy of the same name; ``deleted``: the answer to
    a deletion, ``remains`` and ``gone``: the last and the first look, in seconds after it, with and without the image.
    """

    region: str | None = None
    ims_pattern: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    source: Document = field(default_factory=dict)
    fingerprint: str = ""
    unknown_job: Response | None = None
    unknown_image: Response | None = None
    unknown_token: Response | None = None
    progress: Response | None = None
    quota: int | None = None
    looks: list[Look] = field(default_factory=list)
    duplicate: Response | None = None
    rows: list[Sequence[JobStatus | None]] = field(default_factory=list)
    refused: str | None = None
    deleted: Response | None = None
    remains: float | None = None
    gone: float | None = None

    def first(self, matches: Callable[[Exchange], bool]) -> Response | None:
        """The answer of the first exchange that matches."""
        return next((each.response for each in self.exchanges if matches(each)), None)

    @property
    def log_ins(self) -> list[Response]:
        """The answers that brought a token; for an agency the last one is that of the agency."""
        answers = (each.response for each in self.exchanges)
        return [answer for answer in answers if answer.header("X-Subject-Token") is not None]

    @property
    def token(self) -> Document:
        """What IAM says of the token; empty where nobody logged in."""
        return token_of(self.log_ins[-1]) if self.log_ins else {}

    @property
    def copy(self) -> Response | None:
        """The answer to the first copy."""
        return self.first(is_copy)

    @property
    def jobs(self) -> list[Document]:
        """The documents of the one copy's job, in their order."""
        return [look.job for look in self.looks if look.job]

    @property
    def last_job(self) -> Document | None:
        """The job's document after its end; None where it did not end."""
        return next((look.job for look in self.looks if look.is_over), None)

    @property
    def begin(self) -> datetime | None:
        """When the job began, on the cloud's clock."""
        return job_instant(self.jobs[0].get("begin_time")) if self.jobs else None

    @property
    def duration(self) -> float | None:
        """Seconds from the job's begin to its end, on the cloud's clock."""
        end = job_instant((self.last_job or {}).get("end_time"))
        return (end - self.begin).total_seconds() if end and self.begin else None

    @property
    def created(self) -> float | None:
        """Seconds from the job's begin to the new image's ``created_at``, which has whole seconds."""
        made = next((look.made for look in self.looks if look.made), None)
        at = instant((made or {}).get("created_at"))
        return (at - self.begin).total_seconds() if at and self.begin else None


def is_copy(exchange: Exchange) -> bool:
    """Whether this was the order of a copy."""
    return exchange.request.method == "POST" and exchange.request.url.endswith("/copy")
