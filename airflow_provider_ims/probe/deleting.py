"""How a probe deletes what it, or an earlier one, has made: that and nothing else, looked at again right before."""

from __future__ import annotations

import logging
from datetime import timedelta

from airflow_provider_ims.errors import ImsError
from airflow_provider_ims.models import Image, Job, JobStatus, Request
from airflow_provider_ims.probe.asking import Asker
from airflow_provider_ims.probe.made import Made
from airflow_provider_ims.refusals import refusal_of

log = logging.getLogger(__name__)

MAY_APPEAR = timedelta(hours=1)
"""So long a copy is looked for of which no image is shown."""

LONGEST_DELETION = 120.0
"""Seconds for which a deleted image is looked at."""


def delete_all(asker: Asker, copies: list[Made]) -> None:
    """Delete each as far as that works; what does not is logged, and stays noted."""
    for made in list(copies):
        try:
            _delete(asker, made)
        except ImsError as error:
            log.warning("Not deleted: %s: %s", made, error)


def find(asker: Asker, made: Made) -> tuple[Image | None, Job | None]:
    """The image that a copy has made, if it can be recognized, and its job."""
    job = asker.found_job(made.job_id)
    named = made.image_id or (job.image_id if job else None)
    images = asker.named(made.order.name)
    if named and named not in {image.id for image in images} and (shown := asker.found_image(named)):
        images.append(shown)
    image = next((image for image in images if made.is_it(image, named)), None)
    made.image_id = image.id if image else None
    return image, job


def is_past(asker: Asker, made: Made, job: Job | None) -> bool:
    """Whether a copy of which no image is shown will not show one any more."""
    if job and job.status.is_terminal and (job.image_id or job.status is JobStatus.FAIL):
        return not (job.image_id and asker.found_image(job.image_id))  # or it is there, under another name
    return asker.hook.client.now() - made.noted_at > MAY_APPEAR


def _delete(asker: Asker, made: Made) -> None:
    if not made.was_sent:
        made.forget()
        return
    image, job = find(asker, made)
    if image is None:
        if is_past(asker, made, job):
            made.forget()
        else:
            log.warning("Nothing to delete is shown yet of %s", made)
        return
    if image.status in ("queued", "saving"):
        log.warning("Not deleted, for it is '%s': %s", image.status, made)
        return
    response = asker.answer(lambda at: Request("DELETE", f"{at.url}/v2/images/{image.id}"))
    if response.status >= 300:
        raise refusal_of(response, f"delete image {image.id}", "ims:images:delete")
    log.info("Deleted %s", made)
    asker.seen.deleted = response
    if _is_gone(asker, image.id):
        made.forget()
    else:
        log.warning("Deleted, and still shown: %s", made)


def _is_gone(asker: Asker, image_id: str) -> bool:
    """Look until a deleted image is not shown any more, if that comes."""
    seen, deleted_at, after = asker.seen, asker.elapsed, 0.0
    seen.remains = seen.gone = None
    while asker.image(image_id) is not None:
        seen.remains = after = asker.elapsed - deleted_at
        if after > LONGEST_DELETION:
            return False
        asker.hook.sleep(1.0 + after / 10)
    seen.gone = asker.elapsed - deleted_at
    return True
