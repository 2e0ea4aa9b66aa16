"""What the documents of a probe's job tell: for each question the value, and words for people. See ``answers``."""

from __future__ import annotations

import re

from airflow_provider_ims.models import JobStatus
from airflow_provider_ims.probe.answers import NotSeen, code_of
from airflow_provider_ims.probe.record import Document, Seen, document

JOB_FIELDS = {"job_id", "job_type", "begin_time", "end_time", "status", "error_code", "fail_reason", "entities"}

PROGRESS_FIELDS = {"process_percent", "current_task", "subJobId"}


def _jobs(seen: Seen) -> list[Document]:
    if not seen.jobs:
        raise NotSeen("no job was seen")
    return seen.jobs


def job_fields(seen: Seen) -> tuple[bool, str]:
    """Which fields a job has."""
    has = set(_jobs(seen)[0])
    missing, more = sorted(JOB_FIELDS - has), sorted(has - JOB_FIELDS)
    words = f"missing: {', '.join(missing) or 'none'}; more: {', '.join(more) or 'none'}"
    return not missing, words


def job_type(seen: Seen) -> tuple[bool, str]:
    """What the job's type is called."""
    kind = str(_jobs(seen)[0].get("job_type"))
    return kind == "imsCopyImageInRegionJob", kind


def job_statuses(seen: Seen) -> tuple[bool, str]:
    """The statuses that a job went through."""
    words = list(dict.fromkeys(str(job.get("status")) for job in _jobs(seen)))
    order = [JobStatus.parse(word) for word in words]
    ways = [[*way, end] for way in ([], ["INIT"], ["RUNNING"], ["INIT", "RUNNING"]) for end in ("SUCCESS", "FAIL")]
    return order in ways, ", ".join(words)


def job_error(seen: Seen) -> tuple[bool, str]:
    """Whether a job that does not FAIL has an error."""
    told = {key for look in seen.looks for key in ("error_code", "fail_reason") if look.job and look.job.get(key)}
    if _jobs(seen) and any(look.status is JobStatus.FAIL for look in seen.looks):
        raise NotSeen("the job ended with FAIL")
    return not told, f"{' and '.join(sorted(told)) or 'neither'} filled"


def job_lag(seen: Seen) -> tuple[float, str]:
    """How long a new job is not found."""
    _jobs(seen)
    found = next(look.at for look in seen.looks if look.job)
    seconds = 0.0 if seen.looks[0].job else round(found, 1)
    return seconds, f"found after {seconds:g} s" if seconds else "found at once"


def open_end_time(seen: Seen) -> tuple[str | None, str]:
    """What the end_time of an unfinished job is."""
    found = [look.job.get("end_time", "absent") for look in seen.looks if look.job and not look.is_over]
    if not found:
        raise NotSeen("the job was over at the first look")
    return {None: "null", "": "empty"}.get(found[0]), {None: "null", "": "blank"}.get(found[0], "another value")


def time_form(seen: Seen) -> tuple[str | None, str]:
    """How instants are written in a job."""
    written = str(_jobs(seen)[0].get("begin_time"))
    forms = {"iso": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "old": r"\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d:\d{3}"}
    return next((name for name, form in forms.items() if re.fullmatch(form, written)), None), written


def status_words(seen: Seen) -> tuple[str | None, str]:
    """Whether a status is written in upper or lower case."""
    words = {str(job.get("status")) for job in _jobs(seen)}
    form = "upper" if all(map(str.isupper, words)) else "lower" if all(map(str.islower, words)) else None
    return form, ", ".join(sorted(words))


def process_percent(seen: Seen) -> tuple[bool, str]:
    """Whether the job shows how far it is."""
    if not any(look.status is JobStatus.RUNNING for look in seen.looks):
        raise NotSeen("the job was never seen RUNNING")
    shown = any("process_percent" in look.entities for look in seen.looks)
    return shown, "shown" if shown else "not shown"


def progress_api(seen: Seen) -> tuple[bool, str]:
    """Whether the progress API of the other cloud is there."""
    if seen.progress is None:
        raise NotSeen("the job was never seen RUNNING")
    entities = (document(seen.progress) or {}).get("entities")
    return isinstance(entities, dict) and "process_percent" in entities, code_of(seen.progress)


def image_id_while_running(seen: Seen) -> tuple[bool, str]:
    """Whether a RUNNING job names the image."""
    running = [look for look in seen.looks if look.status is JobStatus.RUNNING]
    if not running:
        raise NotSeen("the job was never seen RUNNING")
    named = any(look.entities.get("image_id") for look in running)
    return named, "named" if named else "not named"


def ended(seen: Seen, status: JobStatus) -> Document:
    """The document of the job that ended so."""
    last = next((look for look in seen.looks if look.is_over), None)
    if last is None or last.job is None or last.status is not status:
        raise NotSeen(f"the job did not end with {status}")
    return last.job


def success_entities(seen: Seen) -> tuple[str, str]:
    """What the entities of a SUCCESS hold."""
    entities = ended(seen, JobStatus.SUCCESS).get("entities")
    if not isinstance(entities, dict):
        return "null", "null"
    names = sorted(set(entities) - PROGRESS_FIELDS)
    value = "full" if entities.get("image_id") else "no_image_id" if names else "empty"
    return value, ", ".join(names) or "nothing"


def fail_word(seen: Seen) -> tuple[str | None, str]:
    """The status of a job that has failed."""
    word = str(ended(seen, JobStatus.FAIL).get("status"))
    return word.upper() if word.upper() in ("FAIL", "FAILED") else None, word


def fail_details(seen: Seen) -> tuple[str | None, str]:
    """Where a FAIL has its code."""
    job = ended(seen, JobStatus.FAIL)
    entities = job.get("entities")
    at_top = bool(job.get("error_code"))
    within = isinstance(entities, dict) and bool(entities.get("error_code"))
    value = {(True, True): "both", (True, False): "top", (False, True): "entities"}.get((at_top, within))
    return value, {"top": "top level", "entities": "entities", "both": "top level and entities"}.get(
        value or "", "none"
    )
