"""The control surface under ``/_simulator/``: what tests in other processes ask of the cloud, and set in it.

A request in, a status and a JSON document out; the server carries both. Only the capture of
requests shows secrets.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.simulator.cloud import Arrival, Cloud
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.nouns import StoredImage
from airflow_provider_ims.simulator.settings import Settings, read_settings
from airflow_provider_ims.simulator.wire import Call, json_response

PREFIX = "/_simulator/"
IMAGE_FIELDS = {each.name for each in fields(StoredImage)} - {"job", "created_at", "deleted_at"}
Document = dict[str, Any]


def arrival_document(arrival: Arrival) -> Document:
    """A captured request as JSON."""
    return {**asdict(arrival), "instant": arrival.instant.isoformat()}


def _state(cloud: Cloud, _asked: Any) -> Document:
    return {
        "now": cloud.state.now().isoformat(),
        "images": cloud.images(),
        "jobs": cloud.job_documents(),
        "counters": dict(cloud.counters),
        "faults": len(cloud.faults),
    }


def _requests(cloud: Cloud, _asked: Any) -> Document:
    return {"requests": [arrival_document(arrival) for arrival in list(cloud.arrivals)]}


def _add_faults(cloud: Cloud, asked: Any) -> Document:
    cloud.faults.add(*[Fault.read(each) for each in (asked if isinstance(asked, list) else [asked])])
    return {"faults": len(cloud.faults)}


def _clear_faults(cloud: Cloud, _asked: Any) -> Document:
    cloud.faults.clear()
    return {"faults": 0}


def _revoke(cloud: Cloud, _asked: Any) -> Document:
    return {"revoked": cloud.revoke_tokens()}


def _show_settings(cloud: Cloud, _asked: Any) -> Document:
    return {each.name: getattr(cloud.settings, each.name) for each in fields(Settings) if each.repr}


def _change(cloud: Cloud, asked: Any) -> Document:
    cloud.change(**read_settings(asked))
    return _show_settings(cloud, asked)


def _add_image(cloud: Cloud, asked: Any) -> Document:
    unknown = sorted(set(asked) - IMAGE_FIELDS)
    if unknown or "name" not in asked:
        raise ValueError(f"an image has a name and may have {', '.join(sorted(IMAGE_FIELDS))}")
    return {"id": cloud.add_image(**asked).id}


def _end_job(cloud: Cloud, asked: Any) -> Document:
    cloud.end_job(asked["job_id"], asked.get("error_code", ""), asked.get("fail_reason", ""))
    return {"job_id": asked["job_id"]}


ROUTES: dict[tuple[str, str], Callable[[Cloud, Any], Document]] = {
    ("GET", "state"): _state,
    ("GET", "requests"): _requests,
    ("POST", "faults"): _add_faults,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "tokens/revoke"): _revoke,
    ("GET", "settings"): _show_settings,
    ("POST", "settings"): _change,
    ("POST", "images"): _add_image,
    ("POST", "jobs/end"): _end_job,
}


def control(cloud: Cloud, request: Request) -> Response:
    """Answer a request of the control surface."""
    call = Call.read(request, "")
    answer = ROUTES.get((call.method, call.path.removeprefix(PREFIX)))
    if answer is None:
        known = [f"{method} {PREFIX}{path}" for method, path in ROUTES]
        return json_response(404, {"error": "no such request", "known": known})
    try:
        return json_response(200, answer(cloud, json.loads(call.body) if call.body else {}))
    except (ValueError, TypeError, KeyError) as error:
        return json_response(400, {"error": str(error)})
