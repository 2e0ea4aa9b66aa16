"""``POST /v1/cloudimages/{image_id}/copy``: what is checked, in which order, and how a copy begins.

The documentation names the codes and not their order: the body comes first, then the source, the key, and the load.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from airflow_provider_ims.models import Response
from airflow_provider_ims.simulator import errors
from airflow_provider_ims.simulator.images import held_by, seen_by, status_of
from airflow_provider_ims.simulator.nouns import NEVER, CopyJob, StoredImage
from airflow_provider_ims.simulator.seeds import GIB
from airflow_provider_ims.simulator.state import State
from airflow_provider_ims.simulator.wire import Call, json_response

SIZE_LIMIT = 128 * GIB
GOLDEN = (5**0.5 - 1) / 2
"""Its multiples, without what is before the point, fill 0 to 1 evenly, however many there are."""

KEY_CODES = {None: "IMG.0095", "disabled": "IMG.0097", "foreign": "IMG.0099"}
SOURCE_KEY_CODES = {None: "IMG.0101", "disabled": "IMG.0102", "foreign": "IMG.0103"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks for, in the state it arrives in."""

    state: State
    project_id: str
    source_id: str
    body: dict[str, Any]

    @property
    def source(self) -> StoredImage:
        """The image to be copied."""
        return self.state.images[self.source_id]

    def text(self, key: str) -> str:
        """A string of the request's body; blank where there is none."""
        value = self.body.get(key)
        return value if isinstance(value, str) else ""


def copy_image(state: State, call: Call) -> Response:
    """Begin a copy, or refuse it."""
    project = call.token.project if call.token else None
    wish = Wish(state, project.id if project else "", call.params["image_id"], _body(call))
    for check in CHECKS:
        if code := check(wish):
            raise errors.ims(code)
    job = _begin(wish, call)
    state.counters["copies_accepted"] += 1
    return json_response(200, {"job_id": job.id})


def _body(call: Call) -> dict[str, Any]:
    if not call.body.strip():
        raise errors.ims("IMG.0007")
    if not call.headers.get("content-type", "").lower().startswith("application/json"):
        raise errors.ims("IMG.0001")
    try:
        document = call.document()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise errors.ims("IMG.0001")
    return document


def _name(wish: Wish) -> str | None:
    name = wish.body.get("name")
    if name is None or name == "":
        return "IMG.0013"
    if not isinstance(name, str) or name != name.strip() or not all(c.isalnum() or c in "-._ " for c in name):
        return "IMG.0003"
    return "IMG.0002" if len(name) > 128 else None


def _description(wish: Wish) -> str | None:
    text = wish.body.get("description")
    if text is not None and (not isinstance(text, str) or any(c in "\r\n<>" for c in text)):
        return "IMG.0054"
    return "IMG.0004" if len(text or "") > 1024 else None


def _enterprise_project(wish: Wish) -> str | None:
    value = wish.body.get("enterprise_project_id")
    return None if value in (None, "", "0", *wish.state.settings.enterprise_projects) else "IMG.0155"


def _source(wish: Wish) -> str | None:
    try:
        UUID(wish.source_id)
    except ValueError:
        return "IMG.0066"
    known = wish.state.images.get(wish.source_id)
    if known is None or not seen_by(known, wish.project_id, wish.state):
        return "IMG.0027"
    return None if status_of(known, wish.state) == "active" else "IMG.0046"


def _kind(wish: Wish) -> str | None:
    source = wish.source
    refused = {
        "IMG.0167": source.virtual_env_type == "IsoImage",
        "IMG.0130": source.whole,
        "IMG.0059": source.size > SIZE_LIMIT,
        "IMG.0105": source.public and not wish.state.settings.copy_public,
    }
    return next((code for code, holds in refused.items() if holds), None)


def _keys(wish: Wish) -> str | None:
    keys, old = wish.state.kms_keys, wish.source.cmk_id
    if old and keys.get(old) != "usable":
        return SOURCE_KEY_CODES[keys.get(old)]
    if wish.body.get("cmk_id") in (None, ""):
        return None
    new = wish.text("cmk_id")
    if keys.get(new) != "usable":
        return KEY_CODES[keys.get(new)]
    return "IMG.0096" if new == old else None


def _taken_name(wish: Wish) -> str | None:
    taken = {image.name for image in held_by(wish.project_id, wish.state)}
    return "IMG.0009" if wish.state.settings.duplicate_names == "reject" and wish.text("name") in taken else None


def _quota(wish: Wish) -> str | None:
    return "IMG.0015" if len(held_by(wish.project_id, wish.state)) >= wish.state.settings.quota else None


def _load(wish: Wish) -> str | None:
    settings = wish.state.settings
    full = len(_under_way(wish)) >= settings.concurrent_copies
    return "IMG.0060" if full and settings.beyond_limit == "reject" else None


CHECKS: tuple[Callable[[Wish], str | None], ...] = (
    _name,
    _description,
    _enterprise_project,
    _source,
    _kind,
    _keys,
    _taken_name,
    _quota,
    _load,
)


def _under_way(wish: Wish) -> list[CopyJob]:
    now = wish.state.now()
    return [job for job in wish.state.jobs.values() if job.project_id == wish.project_id and now < job.ends_at]


def _free_at(wish: Wish) -> datetime:
    """When the copy can start: now, or when so many others have ended that its turn comes."""
    ends, places = sorted(job.ends_at for job in _under_way(wish)), max(wish.state.settings.concurrent_copies, 1)
    return wish.state.now() if len(ends) < places else ends[-places]


def _begin(wish: Wish, call: Call) -> CopyJob:
    state, settings, fate = wish.state, wish.state.settings, call.fate
    free_at = _free_at(wish)
    takes = settings.copy_seconds + settings.copy_spread * (state.counters["copies_accepted"] * GOLDEN % 1)
    starts = free_at + timedelta(seconds=takes * settings.init_part)
    ends = free_at + timedelta(seconds=takes)
    code, reason = settings.fail_code, settings.fail_reason
    if fate and fate.kind == "job_fails":
        code, reason = fate.code or "IMG.0014", fate.message or errors.IMS_MESSAGES["IMG.0014"]
    if fate and fate.kind == "job_stuck":
        ends = free_at + NEVER
    job = CopyJob(
        id=state.fresh_id("job"),
        project_id=wish.project_id,
        source_id=wish.source_id,
        image_id=state.fresh_uuid("image"),
        image_name=wish.text("name"),
        submitted_at=state.now(),
        starts_at=starts,
        ends_at=ends,
        fail_code=code,
        fail_reason=reason if code else "",
    )
    state.jobs[job.id] = job
    state.images[job.image_id] = _copy_of(wish, job)
    return job


def _copy_of(wish: Wish, job: CopyJob) -> StoredImage:
    return StoredImage(
        id=job.image_id,
        name=job.image_name,
        owner=wish.project_id,
        created_at=job.submitted_at,
        size=wish.source.size,
        min_disk=wish.source.min_disk,
        description=wish.text("description"),
        cmk_id=wish.text("cmk_id"),
        enterprise_project_id=wish.text("enterprise_project_id") or "0",
        virtual_env_type=wish.source.virtual_env_type,
        job=job,
    )
