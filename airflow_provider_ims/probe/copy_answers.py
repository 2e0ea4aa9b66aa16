"""What the looks at a probe's copies tell: for each question the value, and words for people. See ``answers``.

A look is a sample: a delay is given as the instant of the first look that saw the thing, and as none where no look
missed it. Instants of the cloud's documents count on its own clock, from the job's begin.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from airflow_provider_ims.models import JobStatus
from airflow_provider_ims.probe.answers import NotSeen, code_of
from airflow_provider_ims.probe.job_answers import ended
from airflow_provider_ims.probe.record import Look, Seen, document
from airflow_provider_ims.refusals import Refusal

TOLERANCE = 1.0
"""Seconds: ``created_at`` has no fraction."""


def copy_answer(seen: Seen) -> tuple[bool, str]:
    """How the order of a copy is answered."""
    if seen.copy is None:
        raise NotSeen("no copy was answered")
    job_id = str((document(seen.copy) or {}).get("job_id", ""))
    if seen.copy.status >= 400:
        return False, code_of(seen.copy)
    fits = seen.copy.status == 200 and bool(re.fullmatch(r"[0-9a-f]{32}", job_id))
    return fits, f"{seen.copy.status}, a job_id of {len(job_id)} characters"


def copy_public(seen: Seen) -> tuple[bool, str]:
    """Whether a public image can be copied."""
    if seen.source.get("visibility") != "public" and seen.source.get("__imagetype") != "gold":
        raise NotSeen("the image is not public: give a public one to see it")
    if seen.copy is None or seen.copy.status == 429 or seen.copy.status >= 500:
        raise NotSeen("no copy was answered")
    return seen.copy.status < 400, code_of(seen.copy)


def _lag(looks: Sequence[Look], is_there: Callable[[Look], bool], since: float = 0.0) -> float | None:
    """Seconds from ``since`` to the first look at which it is there; 0 where no look after ``since`` misses it."""
    missed = [look.at for look in looks if not is_there(look)]
    there = [look.at for look in looks if is_there(look)]
    if not there:
        return None
    before = [at for at in missed if since + TOLERANCE < at < there[0]]
    return round(there[0] - since, 1) if before else 0.0


def _duration(seen: Seen) -> float:
    if seen.duration is None:
        raise NotSeen("the job did not end with times that can be read")
    return seen.duration


def copy_seconds(seen: Seen) -> tuple[float, str]:
    """How long a copy takes."""
    seconds = round(_duration(seen), 1)
    size = seen.source.get("__image_size")
    gib = f" for {int(size) / 1024**3:.1f} GiB" if str(size).isdecimal() and size is not None else ""
    return seconds, f"{seconds:g} s{gib}"


def init_part(seen: Seen) -> tuple[float, str]:
    """Which part of its time a job is INIT."""
    duration = _duration(seen)
    if duration <= 0:
        raise NotSeen("the job took no time")
    last = max((look.at for look in seen.looks if look.status is JobStatus.INIT), default=None)
    if last is None:
        return 0.0, "never seen INIT"
    after = min(look.at for look in seen.looks if look.status is not JobStatus.INIT and look.at > last)
    part = round(min((last + after) / 2 / duration, 1.0), 2)
    return part, f"INIT until between {last:.1f} and {after:.1f} s"


def image_appears(seen: Seen) -> tuple[str, str]:
    """At which moment of the job the image comes to be."""
    sighting = next((look for look in seen.looks if look.made), None)
    if sighting is None:
        raise NotSeen("no image was seen")
    at = sighting.at if seen.created is None else min(seen.created, sighting.at)
    words = f"first seen {sighting.at:.1f} s after the copy, its created_at is {at:.0f} s after the job's begin"
    last_init = max((look.at for look in seen.looks if look.status is JobStatus.INIT), default=None)
    if sighting.status is JobStatus.INIT or (last_init is not None and at + TOLERANCE <= last_init):
        return "submit", words
    if sighting.is_over and seen.duration is not None and at + TOLERANCE > seen.duration:
        return "success", words
    if last_init is None:
        raise NotSeen(f"the job was never seen INIT; the image was {words}")
    return "running", words


def _made_at(seen: Seen) -> float:
    if seen.created is None:
        raise NotSeen("no image with a created_at that can be read was seen")
    return seen.created


def list_lag(seen: Seen) -> tuple[float, str]:
    """How much later than it is made the image is listed."""
    lag = _lag(seen.looks, lambda look: look.listed is not None, _made_at(seen))
    if lag is None:
        raise NotSeen("the list never showed the image")
    return lag, f"listed after {lag:g} s" if lag else "listed at once"


def _described(seen: Seen) -> Callable[[Look], bool]:
    return lambda look: str((look.made or {}).get("__description") or "").startswith(seen.fingerprint)


def description_lag(seen: Seen) -> tuple[float, str]:
    """How much later than it is made the image shows its description."""
    shown = [look for look in seen.looks if look.made]
    lag = _lag(shown, _described(seen), _made_at(seen))
    if lag is None:
        raise NotSeen("the description was never shown")
    return lag, f"shown after {lag:g} s" if lag else "shown at once"


def description(seen: Seen) -> tuple[bool, str]:
    """Whether the image has the description that was asked for, by which its copy is recognized."""
    if not any(look.made for look in seen.looks):
        raise NotSeen("no image was seen")
    kept = any(map(_described(seen), seen.looks))
    return kept, "as asked for" if kept else "another, or none"


def origin(seen: Seen) -> tuple[bool, str]:
    """Whether the image says what it is a copy of."""
    made = [look.made for look in seen.looks if look.made]
    if not made:
        raise NotSeen("no image was seen")
    kind, _, place = str(made[-1].get("__data_origin") or "").partition(",")
    region, _, source = place.partition(",")
    fits = kind == "image" and region == (seen.region or region) and source == seen.source.get("id")
    return fits, f"{kind},<region>,<source>" if fits else f"{kind or 'absent'} in another form"


def active_lag(seen: Seen) -> tuple[float, str]:
    """How much later than its job's SUCCESS the image is active."""
    ended(seen, JobStatus.SUCCESS)
    after = [look for look in seen.looks if look.is_over and look.made]
    lag = _lag(after, lambda look: (look.made or {}).get("status") == "active", _duration(seen))
    if lag is None:
        raise NotSeen("the image was never active")
    return lag, f"active after {lag:g} s" if lag else "active at once"


def image_after_success(seen: Seen) -> tuple[str | None, str]:
    """The status of the image in the end, after a SUCCESS."""
    ended(seen, JobStatus.SUCCESS)
    made = seen.looks[-1].made
    if made is None:
        raise NotSeen("no image was seen")
    status = str(made.get("status"))
    return status if status in ("active", "saving", "killed") else None, status


def image_after_fail(seen: Seen) -> tuple[str | None, str]:
    """What becomes of the image of a job that FAILs."""
    ended(seen, JobStatus.FAIL)
    if not any(look.made for look in seen.looks):
        raise NotSeen("no image was seen")
    made = seen.looks[-1].made
    status = str(made.get("status")) if made else "removed"
    return status if status in ("killed", "removed", "saving") else None, status


def duplicate_names(seen: Seen) -> tuple[str | None, str]:
    """Whether a second image may have the name of the first."""
    if seen.duplicate is None:
        raise NotSeen("not asked for: --duplicate-name")
    if seen.duplicate.status < 400:
        return "allow", "a second copy of the same name was begun"
    return "reject" if Refusal.read(seen.duplicate).code == "IMG.0009" else None, code_of(seen.duplicate)


def _rows(seen: Seen) -> list[Sequence[JobStatus | None]]:
    if not seen.rows:
        raise NotSeen("not asked for: --concurrency")
    return seen.rows


def _most_running(seen: Seen) -> int:
    return max(sum(status is JobStatus.RUNNING for status in row) for row in seen.rows)


def concurrent_copies(seen: Seen) -> tuple[int | None, str]:
    """How many copies run at once."""
    rows = _rows(seen)
    if seen.refused:
        return len(rows[0]), f"{len(rows[0])} were begun, one more was refused with {seen.refused}"
    most = _most_running(seen)
    return most if _queued(seen) else None, f"{len(rows[0])} were begun, {most} ran at once"


def beyond_limit(seen: Seen) -> tuple[str | None, str]:
    """What happens to one copy more than may run at once."""
    _rows(seen)
    if seen.refused:
        return "reject" if seen.refused == "IMG.0060" else None, seen.refused
    return ("queue", "it waited in INIT") if _queued(seen) else (None, "none waited: the limit was not reached")


def _queued(seen: Seen) -> bool:
    """Whether a job was still INIT when another one had ended."""
    return any(
        JobStatus.INIT in row and any(status is not None and status.is_terminal for status in row) for row in seen.rows
    )


def _deleted(seen: Seen) -> None:
    if seen.deleted is None:
        raise NotSeen("nothing was deleted")


def delete_answer(seen: Seen) -> tuple[bool, str]:
    """How a deletion is answered."""
    _deleted(seen)
    return bool(seen.deleted and seen.deleted.status == 204), code_of(seen.deleted) if seen.deleted else ""


def delete_seconds(seen: Seen) -> tuple[float, str]:
    """How long a deleted image is still shown."""
    _deleted(seen)
    if seen.gone is None:
        raise NotSeen("the image was still shown in the end")
    seconds = 0.0 if seen.remains is None else round(seen.gone, 1)
    return seconds, f"gone after {seconds:g} s" if seconds else "gone at once"
