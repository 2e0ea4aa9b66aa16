"""The endpoints of IMS about images: lists, one image, deletion, quota."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from airflow_provider_ims.models import Response
from airflow_provider_ims.simulator import errors
from airflow_provider_ims.simulator.images import UNFINISHED, held_by, image_document, seen_by, status_of
from airflow_provider_ims.simulator.listing import select
from airflow_provider_ims.simulator.nouns import StoredImage
from airflow_provider_ims.simulator.state import State
from airflow_provider_ims.simulator.wire import Call, json_response

LIST_LIMIT = 500
NATIVE_LIMIT = 25


def project_of(call: Call) -> str:
    """The project of the token that the gateway let in."""
    return call.token.project.id if call.token and call.token.project else ""


def image_versions(call: Call) -> list[dict[str, Any]]:
    """The versions of the native image API, as ``GET /`` and ``GET /v2`` list them."""
    links = [{"rel": "self", "href": f"{call.base_url}/v2/"}]
    status = {"v2.2": "CURRENT", "v2.1": "SUPPORTED", "v2.0": "SUPPORTED"}
    return [{"id": version, "status": status[version], "links": links} for version in status]


def list_images(state: State, call: Call) -> Response:
    """GET /v2/cloudimages."""
    return json_response(200, {"images": select(state, project_of(call), call.query, LIST_LIMIT)})


def list_native(state: State, call: Call) -> Response:
    """GET /v2/images: the same rows, with a link to the next page while there may be one."""
    rows = select(state, project_of(call), call.query, NATIVE_LIMIT)
    document = {"images": rows, "schema": "/v2/schemas/images", "first": "/v2/images"}
    if rows and len(rows) == int(call.query.get("limit", NATIVE_LIMIT)):
        document["next"] = "/v2/images?" + urlencode({**call.query, "marker": rows[-1]["id"]})
    return json_response(200, document)


def show_image(state: State, call: Call) -> Response:
    """GET /v2/images/{image_id}: the bare object."""
    return json_response(200, image_document(_found(state, call), state))


def delete_image(state: State, call: Call) -> Response:
    """DELETE /v2/images/{image_id}: its native path, with the codes of IMS."""
    image = _found(state, call)
    refused = {
        "IMG.0094": image.public,
        "IMG.0028": image.protected,
        "IMG.0090": status_of(image, state) in UNFINISHED,
    }
    for code, holds in refused.items():
        if holds:
            raise errors.ims(code)
    image.deleted_at = image.deleted_at or state.now()
    return Response(204)


def _found(state: State, call: Call) -> StoredImage:
    image_id = call.params["image_id"]
    image = state.images.get(image_id)
    if image is None or not seen_by(image, project_of(call), state):
        raise errors.Refusal("native", 404, "404", f"No image found with ID {image_id}")
    return image


def show_quota(state: State, call: Call) -> Response:
    """GET /v1/cloudimages/quota."""
    used = len(held_by(project_of(call), state))
    row = {"type": "image", "used": used, "quota": state.settings.quota, "min": 1, "max": 1000}
    return json_response(200, {"quotas": {"resources": [row]}})
