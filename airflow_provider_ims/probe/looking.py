"""How a probe looks at copies until they are over, and at the one also until its image has settled."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from airflow_provider_ims.errors import ImsTransientError, JobTimeoutError
from airflow_provider_ims.models import IMAGE_JOB, JobStatus, Request
from airflow_provider_ims.probe.asking import Asker
from airflow_provider_ims.probe.made import Made
from airflow_provider_ims.probe.record import Look, is_copy

log = logging.getLogger(__name__)

SETTLE = 120.0
"""Seconds after a job's end for which it is looked for what should follow."""

DEAD = ("killed", "deleted")


def watch(asker: Asker, made: Made, poll_interval: float, timeout: float) -> None:
    """Look at a copy's job, list and image until the job is over and nothing more is to be expected.

    Looks are a second apart at first and after the end, then further, up to ``poll_interval``. Raises
    ``JobTimeoutError``, and what the cloud refuses.
    """
    began = next((each.at for each in reversed(asker.seen.exchanges) if is_copy(each)), asker.elapsed)
    ended, said = None, ""
    while True:
        at = asker.elapsed - began
        try:
            look = _look(asker, made, at)
        except ImsTransientError as error:
            log.warning("A look failed, another follows: %s", error)
        else:
            asker.seen.looks.append(look)
            said = _say(made, look, said)
            ended = at if ended is None and _is_over(made, look) else ended
            if ended is not None and _has_settled(look, asker.seen.fingerprint):
                return
        if ended is not None and at - ended > SETTLE:
            return
        if ended is None and at > timeout:
            raise _too_late(made, timeout)
        asker.hook.sleep(min(poll_interval, 1 + (at - (ended or 0.0)) / 10))


def watch_together(
    asker: Asker, copies: Sequence[Made], poll_interval: float, timeout: float
) -> list[Sequence[JobStatus | None]]:
    """Look at the jobs of several copies until all are over; their statuses at each round."""
    began, rows = asker.elapsed, list[Sequence[JobStatus | None]]()
    while True:
        try:
            jobs = [asker.found_job(made.job_id) for made in copies]
        except ImsTransientError as error:
            log.warning("A look failed, another follows: %s", error)
        else:
            row = [job.status if job else None for job in jobs]
            if not rows or row != rows[-1]:
                log.info("Jobs: %s", ", ".join(str(status or "not found") for status in row))
            rows.append(row)
            if all(status is not None and status.is_terminal for status in row):
                return rows
        if asker.elapsed - began > timeout:
            raise _too_late(copies[0], timeout)
        asker.hook.sleep(min(poll_interval, 1 + (asker.elapsed - began) / 10))


def _look(asker: Asker, made: Made, at: float) -> Look:
    job = asker.job(made.job_id or "")
    images = asker.named(made.order.name)
    look = Look(at, job, images[0].properties if images else None)
    named = look.entities.get("image_id") or (made.job_id or "").partition(IMAGE_JOB)[2] or None
    image_id = images[0].id if images else named or made.image_id
    if job and look.status is JobStatus.RUNNING and asker.seen.progress is None:
        job_id = made.job_id
        asker.seen.progress = asker.answer(lambda at: Request("GET", f"{at.url}/v1/cloudimages/job/{job_id}"))
    made.image_id = image_id
    return Look(at, job, look.listed, asker.image(str(image_id)) if image_id else None)


def _is_over(made: Made, look: Look) -> bool:
    status = (look.made or {}).get("status")
    by_image = (made.job_id or "").startswith(IMAGE_JOB) and (look.made is None or status in ("active", *DEAD))
    return look.is_over or by_image


def _has_settled(look: Look, fingerprint: str) -> bool:
    made = look.made or {}
    if made.get("status") in DEAD or (look.status is JobStatus.FAIL and not made):
        return True
    described = str(made.get("__description") or "").startswith(fingerprint)
    return made.get("status") == "active" and look.listed is not None and described


def _say(made: Made, look: Look, said: str) -> str:
    """Log what is new."""
    image = f"image {made.image_id} is {look.made.get('status')}" if look.made else "no image is shown"
    state = f"{(look.job or {}).get('status', 'no job is shown')}, {image}"
    if state != said:
        log.info("After %.0f s: job %s: %s", look.at, made.job_id, state)
    return state


def _too_late(made: Made, timeout: float) -> JobTimeoutError:
    return JobTimeoutError(
        f"{str(made).capitalize()} was not over after {timeout:.0f} s. It goes on in the cloud, for it cannot be "
        "cancelled; the next probe offers to delete it."
    )
