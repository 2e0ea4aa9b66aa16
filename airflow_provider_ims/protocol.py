"""The grammar of the wire: one function for each endpoint, giving a request and the way to read its answer.

No socket, no clock, no retry. Sources: the OTC API reference of IAM (token management) and of IMS (image replication,
image jobs, image management), which ``tests/samples`` quotes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from airflow_provider_ims.errors import LoginRefusedError, MalformedResponseError, NotFoundError, RefusedError
from airflow_provider_ims.models import (
    IMAGE_JOB,
    Credentials,
    Image,
    Job,
    Quota,
    Request,
    Response,
    Service,
    Token,
    instant,
    text,
)
from airflow_provider_ims.refusals import document_of, refusal_of, request_id

T = TypeVar("T")

LONGEST_LIFE = timedelta(days=3650)
"""A token that is said to live for longer, or not at all, is none."""

LONGEST_JOB_ID = 128
"""Characters."""

PAGE_SIZE = 500
"""Images on a page of a list: the API's own default."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and how to read its answer: ``read`` returns the value or raises an ``ImsError``."""

    request: Request
    read: Callable[[Response], T]


def log_in(who: Credentials) -> Call[Token]:
    """POST /v3/auth/tokens: a token for one project, by password."""
    user = {"name": who.user_name, "password": who.password, "domain": {"name": who.domain_name}}
    named = {"name": who.project_name, "domain": {"name": who.domain_name}}  # Keystone refuses a name without a domain
    project = {"id": who.project_id} if who.project_id else named
    identity = {"methods": ["password"], "password": {"user": user}}
    document = {"auth": {"identity": identity, "scope": {"project": project}}}
    request = _post(f"{who.iam_url}/v3/auth/tokens", document, replays=0)  # each may count as a wrong password
    read = _reader(_token, f"log in at {who.iam_url} as {who.domain_name}/{who.user_name}")

    def read_token(response: Response) -> Token:
        try:
            return read(response if response.status == 201 else response.without(who.password))
        except RefusedError as error:
            refused = error.status in (401, 403)
            fields = "login, password, domain_name and project_name / project_id" if refused else "iam_endpoint"
            said = error.message.partition(" Check the ")[0].partition(" Grant the user")[0]
            kind = LoginRefusedError if refused else RefusedError
            raise error.but(kind, f"{said} Check the connection's {fields}.") from None

    return Call(request, read_token)


def copy_image(
    at: Service,
    image_id: str,
    name: str,
    description: str | None = None,
    cmk_id: str | None = None,
    enterprise_project_id: str | None = None,
) -> Call[str]:
    """POST /v1/cloudimages/{image_id}/copy: begin a copy; its answer is the job's id. Never sent twice by itself."""
    optional = {"description": description, "cmk_id": cmk_id, "enterprise_project_id": enterprise_project_id}
    body = {"name": name} | {field: value for field, given in optional.items() if (value := text(given))}
    request = _post(f"{at.url}/v1/cloudimages/{quote(image_id, safe='')}/copy", body, replays=0)
    action = f"copy image {image_id} to '{name}'"
    return Call(request, _reader(lambda answer: _word(answer, "job_id"), action, "ims:images:copy"))


def get_job(at: Service, job_id: str) -> Call[Job]:
    """GET /v1/{project_id}/jobs/{job_id}: how far an asynchronous job has come; ``image:<id>``: by the image itself."""
    if job_id.startswith(IMAGE_JOB):
        return _image_job(at, job_id.removeprefix(IMAGE_JOB))
    request = Request("GET", f"{at.url}/v1/{at.project_id}/jobs/{quote(job_id, safe='')}")
    return Call(request, _reader(lambda answer: Job.parse(_document(answer)), f"look at job {job_id}"))


def _image_job(at: Service, image_id: str) -> Call[Job]:
    call = get_image(at, image_id)

    def read(answer: Response) -> Job:
        try:
            return Job.of_image(call.read(answer))
        except NotFoundError:
            return Job.without_image(image_id)

    return Call(call.request, read)


def get_image(at: Service, image_id: str) -> Call[Image]:
    """GET /v2/images/{image_id}: one image."""
    request = Request("GET", f"{at.url}/v2/images/{quote(image_id, safe='')}")
    read = _reader(lambda answer: Image.parse(_document(answer)), f"look at image {image_id}", "ims:images:get")
    return Call(request, read)


def list_images(at: Service, filters: Mapping[str, object], marker: str | None = None) -> Call[list[Image]]:
    """GET /v2/cloudimages: one page of the images that match all filters, those after image ``marker``."""
    query = {"limit": PAGE_SIZE} | {key: _query_value(value) for key, value in filters.items() if value is not None}
    query |= {"marker": marker} if marker else {}
    request = Request("GET", f"{at.url}/v2/cloudimages?{urlencode(query)}")

    def page(answer: Response) -> list[Image]:
        return [Image.parse(image) for image in _document(answer)["images"]]

    return Call(request, _reader(page, "list images", "ims:images:list"))


def show_quota(at: Service) -> Call[Quota]:
    """GET /v1/cloudimages/quota: how many private images the project has and may have."""

    def quota(answer: Response) -> Quota:
        (row,) = (row for row in _document(answer)["quotas"]["resources"] if row["type"] == "image")
        return Quota(int(row["used"]), int(row["quota"]))

    return Call(Request("GET", f"{at.url}/v1/cloudimages/quota"), _reader(quota, "see the quota", "ims:quotas:get"))


def delete_image(at: Service, image_id: str) -> Call[None]:
    """DELETE /v2/images/{image_id}."""
    request = Request("DELETE", f"{at.url}/v2/images/{quote(image_id, safe='')}")
    return Call(request, _reader(lambda _: None, f"delete image {image_id}", "ims:images:delete"))


def _post(url: str, document: Mapping[str, Any], *, replays: int) -> Request:
    headers = {"Content-Type": "application/json;charset=utf8"}
    return Request("POST", url, headers, json.dumps(document).encode(), replays)


def _reader(parse: Callable[[Response], T], action: str, permission: str | None = None) -> Callable[[Response], T]:
    def read(answer: Response) -> T:
        if not 200 <= answer.status < 300:
            raise refusal_of(answer, action, permission)
        try:
            return parse(answer)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as problem:
            message = f"Could not {action}: the answer is not what the API reference describes ({problem!r:.120})."
            raise MalformedResponseError(message, answer.status, None, request_id(answer)) from None

    return read


def _document(answer: Response) -> dict[str, Any]:
    document = document_of(answer)
    if not isinstance(document, dict):
        raise TypeError("not a JSON object")
    return document


def _word(answer: Response, key: str) -> str:
    value = _document(answer)[key]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key} is empty")
    if len(value.strip()) > LONGEST_JOB_ID:
        raise ValueError(f"{key} is too long")
    return value.strip()


def _query_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _token(answer: Response) -> Token:
    described = _document(answer)["token"]
    value = answer.header("X-Subject-Token")
    issued_at, expires_at = instant(described.get("issued_at")), instant(described["expires_at"])
    if not value or not issued_at or not expires_at:
        raise ValueError("no X-Subject-Token, issued_at or expires_at")
    if not (value.isascii() and value.isprintable()):
        raise ValueError("X-Subject-Token can be no header")
    if not timedelta(0) < expires_at - issued_at < LONGEST_LIFE:
        raise ValueError("expires_at is not after issued_at, or for ever")
    endpoints = _image_endpoints(described.get("catalog") or ())
    return Token(value, issued_at, expires_at, str(described["project"]["id"]), endpoints)


def _image_endpoints(catalog: Any) -> dict[str, str]:
    """The public addresses of IMS by region: service type ``image``, http(s) URLs without a version path."""
    return {
        str(endpoint.get("region") or endpoint.get("region_id")): str(endpoint["url"]).rstrip("/")
        for service in catalog
        if service.get("type") == "image"
        for endpoint in service.get("endpoints", ())
        if endpoint.get("interface") == "public" and _is_address(str(endpoint["url"]))
    }


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_web and url.isascii() and url.isprintable() and " " not in url
