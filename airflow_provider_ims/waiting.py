"""How one waits for a job: the single function in which every way of waiting ends.

A look that failed is no news about the job; only the cloud's word ends a wait, or the deadline, which is wall clock.
Nothing but SUCCESS with an image that is ``active`` is success. It only reads; no socket, no sleep, injected clock.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from airflow_provider_ims import protocol
from airflow_provider_ims.auth import Conversation, Pause, jitter
from airflow_provider_ims.client import Client
from airflow_provider_ims.errors import (
    ImageUnusableError,
    ImsError,
    ImsTransientError,
    JobInterruptedError,
    JobTimeoutError,
    MalformedResponseError,
    NotFoundError,
    RefusedError,
)
from airflow_provider_ims.idempotency import Order
from airflow_provider_ims.listing import own_images
from airflow_provider_ims.models import GONE, IMAGE_JOB, Image, Job, JobStatus
from airflow_provider_ims.refusals import UNKNOWN_JOB_CODES, job_failure

log = logging.getLogger(__name__)

TOLERATED_UNKNOWN_LOOKS = 3
"""So many looks in a row may find no such job or image: the cloud may not show yet what it has just made."""

JITTER = 0.1
"""Looks stay this part of the interval apart from a fixed beat, so that many waits do not look together."""

LONGEST_PAUSE = 300.0
"""Seconds between looks that fail, at most (unless the interval is longer, or the cloud asks for more)."""


class Watch(Struct):
    """One wait for one job. ``poll_interval``: seconds between looks; ``deadline``: the instant of the last one.

    ``pause``: seconds until the next look, as the last one left it. ``failures`` and ``unknown_looks``: how many looks
    in a row have failed, and how many of these found nothing. ``state``, ``progress`` and ``duration``: of the job,
    as last seen.
    """

    client: Client
    job_id: str
    poll_interval: float
    deadline: datetime
    order: Order | None = None
    failures: int = 0
    unknown_looks: int = 0
    state: str = "not known"
    pause: float = 0.0
    progress: float | None = None
    duration: timedelta | None = None
    _last_failure: str = ""

    def wait(self) -> Conversation[Image]:
        """Look until the image is there.

        Raises what ``look`` raises, and ``JobTimeoutError`` where the job is not over at the deadline.
        """
        while (image := (yield from self.look())) is None:
            yield Pause(self.until_next_look())
        return image

    def made(self, image: Image) -> dict[str, Any]:
        """What is known of the new image, as JSON; see ``assets.FACTS``."""
        return {
            "image_id": image.id,
            "image_name": image.name,
            "source_image_id": self.order.image_id if self.order else image.source_id,
            "job_id": self.job_id,
            "cmk_id": image.cmk_id,
            "size": image.size,
            "duration": None if self.duration is None else self.duration.total_seconds(),
        }

    def until_next_look(self) -> float:
        """Seconds until the next look is due; raises ``JobTimeoutError`` where the last one was at the deadline."""
        remaining = (self.deadline - self.client.now()).total_seconds()
        if remaining > 0:
            return min(self.pause, remaining)
        raise self.timed_out()

    def timed_out(self) -> JobTimeoutError:
        """The error of a wait that was in vain."""
        failed = f" The last look failed: {self._last_failure}" if self._last_failure else ""
        return JobTimeoutError(
            f"Job {self.job_id} was not over at the deadline, {self.deadline:%Y-%m-%d %H:%M:%S} UTC (last seen: "
            f"{self.state}). The cloud goes on with it, for it cannot be cancelled: to wait longer, raise `timeout`, "
            f"or follow it with JobSensor(job_id='{self.job_id}').{failed}"
        )

    def look(self) -> Conversation[Image | None]:
        """Look once: the image when it is ready, ``None`` while it is not, or while nobody can say.

        Raises ``JobFailedError`` / ``JobInterruptedError`` for a job that ended with FAIL, ``ImageUnusableError`` for a
        SUCCESS without a usable image, ``CopyConflictError`` for an image that is not as ordered, or one too many,
        ``RefusedError`` / ``LoginRefusedError`` where looking is not allowed.
        """
        self.pause = self.poll_interval * jitter(1 - JITTER, 1 + JITTER)
        try:
            job = yield from self.client.ask(partial(protocol.get_job, job_id=self.job_id))
            if job.reported_status == GONE:
                raise NotFoundError(f"Image {job.image_id} is not there any more: its job failed, or it was deleted.")
            image = (yield from self._image_of(job)) if job.status is JobStatus.SUCCESS else None
        except ImsTransientError as error:
            self._no_news(error)
            return None
        except RefusedError as error:
            self._not_found(error)
            return None
        self.failures, self._last_failure, self.unknown_looks = 0, "", 0
        self.progress, self.duration = job.progress, job.duration
        self._report(job, image)
        return self._verdict(job, image)

    def _image_of(self, job: Job) -> Conversation[Image]:
        images: list[Image] = []
        if self.order and self.order.marked:
            images, _ = yield from own_images(self.client)
        if not job.image_id:
            if self.order and (found := self.order.adoptable(images)):
                return found
            raise MalformedResponseError(f"Job {job.job_id} says SUCCESS, but names no image.")
        if self.order and (listed := self.order.verify(job.image_id, images)):
            return listed
        image = yield from self.client.ask(partial(protocol.get_image, image_id=job.image_id))
        if self.order and self.order.marked and not image.is_dead:
            return replace(image, status="not listed yet")
        if self.order and image.is_active:
            self.order.check(image)
        return image

    def _verdict(self, job: Job, image: Image | None) -> Image | None:
        if job.status is JobStatus.FAIL:
            raise job_failure(job)
        if image and image.is_dead:
            raise ImageUnusableError(
                f"Job {job.job_id} ended with SUCCESS, but its image {image.id} is '{image.status}'. Copy again."
            )
        return image if image and image.is_active else None

    def _no_news(self, error: ImsError) -> None:
        self.failures += 1
        self._last_failure = str(error)
        spaced = min(LONGEST_PAUSE, self.pause * 2.0 ** min(self.failures - 1, 10))
        if error.retry_after is not None:  # many are told the same instant, and must not come back together
            spaced = error.retry_after + jitter(0.0, self.poll_interval)
        self.pause = max(self.pause, spaced)
        log.warning("No news of job %s, the next look is in %.0f s: %s", self.job_id, self.pause, error)

    def _not_found(self, error: ImsError) -> None:
        if not isinstance(error, NotFoundError) and error.code not in UNKNOWN_JOB_CODES:
            raise error
        self.unknown_looks += 1
        if self.unknown_looks > TOLERATED_UNKNOWN_LOOKS:
            raise error.but(JobInterruptedError, error.message) if self.job_id.startswith(IMAGE_JOB) else error
        self._no_news(error)

    def _report(self, job: Job, image: Image | None) -> None:
        """Log what is new since the last report."""
        progress = "" if job.progress is None else f", {job.progress:.0%}"
        seen = f"{job.reported_status}{progress}" + (f", image {image.id} is {image.status}" if image else "")
        if image and image.is_active and self.duration:
            seen += f", took {timedelta(seconds=round(self.duration.total_seconds()))}"
        if seen == self.state:
            return
        self.state = seen
        if job.status is JobStatus.UNKNOWN:
            log.warning("Job %s: status %r is not known; still waiting", job.job_id, job.reported_status)
        else:
            log.info("Job %s: %s", job.job_id, seen)
