"""Jobs: how one is written down in each of its phases, and how one that is not there is refused."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_ims.models import Response
from airflow_provider_ims.simulator import errors
from airflow_provider_ims.simulator.nouns import CopyJob
from airflow_provider_ims.simulator.settings import Settings
from airflow_provider_ims.simulator.state import State
from airflow_provider_ims.simulator.wire import Call, json_response

JOB_TYPE = "imsCopyImageInRegionJob"


def show_job(state: State, call: Call) -> Response:
    """GET /v1/{project_id}/jobs/{job_id}."""
    project_id = call.params["project_id"]
    if not re.fullmatch(r"[0-9a-f]{32}", project_id):
        raise errors.ims("IMG.0067")
    if call.token is None or call.token.project is None or call.token.project.id != project_id:
        raise errors.ims("IMG.0030")
    return json_response(200, job_document(_found(state, call), state, progress=state.settings.process_percent))


def show_progress(state: State, call: Call) -> Response:
    """GET /v1/cloudimages/job/{job_id}: the same job, always with its progress."""
    return json_response(200, job_document(_found(state, call), state, progress=True))


def _found(state: State, call: Call) -> CopyJob:
    job, now, settings = state.jobs.get(call.params["job_id"]), state.now(), state.settings
    project = call.token.project if call.token else None
    if job and project and job.project_id == project.id:
        known = now >= job.submitted_at + timedelta(seconds=settings.job_lag)
        kept = not settings.job_retention or now < job.ends_at + timedelta(seconds=settings.job_retention)
        if known and kept:
            return job
    if settings.unknown_job == "404":
        raise errors.Refusal("ims", 404, "404", "The job does not exist.")
    raise errors.ims("IMG.0023")


def job_document(job: CopyJob, state: State, progress: bool = False) -> dict[str, Any]:
    """The job as the API writes it at this moment."""
    settings, now = state.settings, state.now()
    phase = job.phase(now)
    ended, failed = phase in ("SUCCESS", "FAIL"), phase == "FAIL"
    told = failed and settings.fail_details != "entities"
    return {
        "job_id": job.id,
        "job_type": JOB_TYPE,
        "begin_time": _stamp(job.submitted_at, settings),
        "end_time": _stamp(job.ends_at, settings) if ended else (None if settings.open_end_time == "null" else ""),
        "status": _word(phase, settings),
        "error_code": job.fail_code if told else None,
        "fail_reason": job.fail_reason if told else None,
        "entities": _entities(job, phase, settings, now, progress),
    }


def _word(phase: str, settings: Settings) -> str:
    word = settings.status_instead or (settings.fail_word if phase == "FAIL" else phase)
    return word.lower() if settings.status_words == "lower" else word


def _entities(job: CopyJob, phase: str, settings: Settings, now: datetime, progress: bool) -> dict[str, Any] | None:
    full: dict[str, Any] = {"image_name": job.image_name, "image_id": job.image_id}
    match phase:
        case "SUCCESS":
            choices: dict[str, dict[str, Any] | None] = {"full": full, "empty": {}, "null": None}
            entities = choices.get(settings.success_entities, {"image_name": job.image_name})
        case "FAIL" if settings.fail_details != "top":
            entities = {"error_code": job.fail_code, "error": job.fail_reason}
        case "RUNNING" if settings.image_id_while_running:
            entities = full
        case _:
            entities = {}
    if not progress or entities is None:
        return entities
    done = phase in ("SUCCESS", "FAIL")
    percent = 1 if phase == "SUCCESS" else job.progress(now)
    return {**entities, "process_percent": percent, "current_task": "" if done else "CopyImageInRegionTask"}


def _stamp(instant: datetime, settings: Settings) -> str:
    millis = instant.microsecond // 1000
    if settings.time_form == "old":
        return f"{instant:%d-%b-%Y %H:%M:%S}:{millis:03d}"
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"
