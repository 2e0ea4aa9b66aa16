"""The grammar of the wire: one function for each endpoint, giving a request and the way to read its answer.

No socket, no clock, no retry; IAM is in ``logging_in``. Source: the OTC API reference of IMS (image replication, image
jobs, image management), which ``tests/samples`` quotes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from airflow_provider_ims.errors import MalformedResponseError, NotFoundError
from airflow_provider_ims.models import IMAGE_JOB, Image, Job, Quota, Request, Response, Service, text
from airflow_provider_ims.refusals import document_of, refusal_of, request_id
from airflow_provider_ims.values import Value

T = TypeVar("T")

LONGEST_JOB_ID = 128
"""Characters."""

PAGE_SIZE = 500
"""Images on a page of a list: the API's own default."""


class Call(Value, Generic[T], frozen=True):
    """A request, and how to read its answer: ``read`` returns the value or raises an ``ImsError``."""

    request: Request
    read: Callable[[Response], T]


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
    request = post(f"{at.url}/v1/cloudimages/{quote(image_id, safe='')}/copy", body, replays=0)
    action = f"copy image {image_id} to '{name}'"
    return Call(request, reader(lambda answer: _word(answer, "job_id"), action, "ims:images:copy"))


def get_job(at: Service, job_id: str) -> Call[Job]:
    """GET /v1/{project_id}/jobs/{job_id}: how far an asynchronous job has come; ``image:<id>``: by the image itself."""
    if job_id.startswith(IMAGE_JOB):
        return _image_job(at, job_id.removeprefix(IMAGE_JOB))
    request = Request("GET", f"{at.url}/v1/{at.project_id}/jobs/{quote(job_id, safe='')}")
    return Call(request, reader(lambda answer: Job.parse(document(answer)), f"look at job {job_id}"))


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
    read = reader(lambda answer: Image.parse(document(answer)), f"look at image {image_id}", "ims:images:get")
    return Call(request, read)


def list_images(at: Service, filters: Mapping[str, object], marker: str | None = None) -> Call[list[Image]]:
    """GET /v2/cloudimages: one page of the images that match all filters, those after image ``marker``."""
    query = {"limit": PAGE_SIZE} | {key: _query_value(value) for key, value in filters.items() if value is not None}
    query |= {"marker": marker} if marker else {}
    request = Request("GET", f"{at.url}/v2/cloudimages?{urlencode(query)}")

    def page(answer: Response) -> list[Image]:
        return [Image.parse(image) for image in document(answer)["images"]]

    return Call(request, reader(page, "list images", "ims:images:list"))


def show_quota(at: Service) -> Call[Quota]:
    """GET /v1/cloudimages/quota: how many private images the project has and may have."""

    def quota(answer: Response) -> Quota:
        (row,) = (row for row in document(answer)["quotas"]["resources"] if row["type"] == "image")
        return Quota(int(row["used"]), int(row["quota"]))

    return Call(Request("GET", f"{at.url}/v1/cloudimages/quota"), reader(quota, "see the quota", "ims:quotas:get"))


def delete_image(at: Service, image_id: str) -> Call[None]:
    """DELETE /v2/images/{image_id}."""
    request = Request("DELETE", f"{at.url}/v2/images/{quote(image_id, safe='')}")
    return Call(request, reader(lambda _: None, f"delete image {image_id}", "ims:images:delete"))


def post(url: str, body: Mapping[str, Any], *, replays: int) -> Request:
    """A POST of a JSON document."""
    headers = {"Content-Type": "application/json;charset=utf8"}
    return Request("POST", url, headers, json.dumps(body).encode(), replays)


def reader(parse: Callable[[Response], T], action: str, permission: str | None = None) -> Callable[[Response], T]:
    """Read an answer by ``parse``; what is refused or malformed is raised as an ``ImsError``, with ``action`` in it."""

    def read(answer: Response) -> T:
        if not 200 <= answer.status < 300:
            raise refusal_of(answer, action, permission)
        try:
            return parse(answer)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as problem:
            what = f"Could not {action}: the answer is not what the API reference describes ({problem!r:.120})"
            message = f"{what}. If it lasts, check the connection's addresses, and what a proxy makes of answers."
            raise MalformedResponseError(message, answer.status, None, request_id(answer)) from None

    return read


def document(answer: Response) -> dict[str, Any]:
    """The JSON object that an answer is; raises ``ValueError`` or ``TypeError``."""
    found = document_of(answer)
    if not isinstance(found, dict):
        raise TypeError("not a JSON object")
    return found


def _word(answer: Response, key: str) -> str:
    value = document(answer)[key]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key} is empty")
    if len(value.strip()) > LONGEST_JOB_ID:
        raise ValueError(f"{key} is too long")
    return value.strip()


def _query_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
