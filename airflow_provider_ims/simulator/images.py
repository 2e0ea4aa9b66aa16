"""Images: who sees them when, in which status, and how one is written down. Changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow_provider_ims.simulator.nouns import CopyJob, StoredImage
from airflow_provider_ims.simulator.settings import Settings
from airflow_provider_ims.simulator.state import State
from airflow_provider_ims.simulator.wire import second_stamp

UNFINISHED = ("queued", "saving")


def made_at(image: StoredImage, settings: Settings) -> datetime:
    """When the image came, or will come, into being."""
    if image.job is None:
        return image.created_at
    moments = {"submit": image.job.submitted_at, "running": image.job.starts_at, "success": image.job.ends_at}
    return moments[settings.image_appears]


def status_of(image: StoredImage, state: State) -> str | None:
    """The status at this moment; None when there is no such image (yet, or any more)."""
    now, settings = state.now(), state.settings
    if image.deleted_at and now >= image.deleted_at + timedelta(seconds=settings.delete_seconds):
        return None
    if image.job is None:
        return image.status
    return _copy_status(image.job, now, settings) if now >= made_at(image, settings) else None


def _copy_status(job: CopyJob, now: datetime, settings: Settings) -> str | None:
    match job.phase(now):
        case "FAIL":
            remains = settings.image_after_fail != "removed" and settings.image_appears != "success"
            return settings.image_after_fail if remains else None
        case "SUCCESS":
            settled = now >= job.ends_at + timedelta(seconds=settings.active_lag)
            return settings.image_after_success if settled else "saving"
        case "INIT":
            return "queued"
        case _:
            return "queued" if job.progress(now) < 0.25 else "saving"


def seen_by(image: StoredImage, project_id: str, state: State) -> bool:
    """Whether a project can see the image at all: its own, and public ones."""
    return (image.public or image.owner == project_id) and status_of(image, state) is not None


def listed_for(image: StoredImage, project_id: str, state: State) -> bool:
    """Whether lists show it: as ``seen_by``, only later."""
    lag = timedelta(seconds=state.settings.list_lag) if image.job else timedelta()
    return seen_by(image, project_id, state) and state.now() >= made_at(image, state.settings) + lag


def held_by(project_id: str, state: State) -> list[StoredImage]:
    """The private images that count for the quota: what is there, and what is on its way."""
    now = state.now()
    return [
        image
        for image in state.images.values()
        if image.owner == project_id
        and not image.public
        and (status_of(image, state) is not None or (image.job is not None and now < made_at(image, state.settings)))
    ]


def image_document(image: StoredImage, state: State) -> dict[str, Any]:
    """The image as ``/v2/cloudimages`` and ``/v2/images`` write it."""
    settings, created = state.settings, made_at(image, state.settings)
    ended = image.job.ends_at if image.job and state.now() >= image.job.ends_at else created
    status = status_of(image, state)
    document: dict[str, Any] = {
        "id": image.id,
        "name": image.name,
        "owner": image.owner,
        "status": status,
        "visibility": "public" if image.public else "private",
        "protected": image.protected,
        "created_at": second_stamp(created),
        "updated_at": second_stamp(max(created, ended)),
        "tags": list(image.tags),
        "min_disk": image.min_disk,
        "enterprise_project_id": image.enterprise_project_id,
        "virtual_env_type": image.virtual_env_type,
        **_constant(image),
        **_when_set(image),
        **_origin(image, settings),
    }
    if image.job and state.now() < created + timedelta(seconds=settings.description_lag):
        document["__description"] = ""
    if status == "active":
        document |= {"active_at": document["updated_at"], "__image_size": str(image.size)}
    return document


def _constant(image: StoredImage) -> dict[str, Any]:
    return {
        "schema": "/v2/schemas/image",
        "file": f"/v2/images/{image.id}/file",
        "self": f"/v2/images/{image.id}",
        "checksum": "d41d8cd98f00b204e9800998ecf8427e",
        "size": 0,
        "virtual_size": None,
        "min_ram": 0,
        "max_ram": "",
        "disk_format": "iso" if image.virtual_env_type == "IsoImage" else "zvhd2",
        "container_format": "bare",
        "hw_firmware_type": "bios",
        "__imagetype": "gold" if image.public else "private",
        "__isregistered": "true",
        "__lazyloading": "true",
        "__image_source_type": "uds",
        "__os_type": "Linux",
        "__os_bit": "64",
        "__os_version": "Ubuntu 24.04 server 64bit",
        "__platform": "Ubuntu",
        "__description": image.description,
        "__support_fc_inject": "true",
    }


def _origin(image: StoredImage, settings: Settings) -> dict[str, str]:
    """What links a copy to its source, for good."""
    if image.job is None:
        return {}
    source = image.job.source_id
    return {"__data_origin": f"image,{settings.region},{source}", "__originalimagename": source}


def _when_set(image: StoredImage) -> dict[str, str]:
    fields = {"__data_origin": image.data_origin, "__system__cmkid": image.cmk_id}
    fields["__whole_image"] = "true" if image.whole else ""
    return {name: value for name, value in fields.items() if value}
