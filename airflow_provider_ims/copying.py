"""How a copy is begun so that it becomes one image, whatever breaks: look, note, send, and look again where unclear.

The noted job is followed, a living image of the order is adopted, and only where there is neither, and none can appear
any more, the copy is sent. It opens no socket and never sleeps; its clock is one that nobody can set.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from airflow_provider_ims import protocol
from airflow_provider_ims.auth import NOT_SENT_AGAIN, Conversation, Pause, jitter
from airflow_provider_ims.client import Client
from airflow_provider_ims.errors import (
    ArgumentError,
    ForbiddenError,
    ImsError,
    ImsTransientError,
    LostSubmitError,
    NotFoundError,
    RefusedError,
    StateStoreError,
    UnavailableError,
    UnclearSubmitError,
)
from airflow_provider_ims.idempotency import Order
from airflow_provider_ims.listing import own_images
from airflow_provider_ims.models import GONE, IMAGE_JOB, Image, JobStatus, Service
from airflow_provider_ims.protocol import Call
from airflow_provider_ims.refusals import UNKNOWN_JOB_CODES

log = logging.getLogger(__name__)

SUBMIT_GRACE = 60.0
"""Seconds after a request's end within which the cloud is taken to list a copy that it has accepted."""

FRESH = 5.0
"""Seconds that a look may be old when a copy is sent."""

LOOK_INTERVAL = 5.0
"""Seconds between looks for a copy that may still appear."""

MOST_ROUNDS = 5
"""So often a copy is looked for anew because the last look has become too old before it could be sent."""

SLOT_PAUSE = 30.0
"""Seconds within which a copy is first sent again that found no free slot."""

LONGEST_SLOT_PAUSE = 300.0
"""... and those up to which they grow."""

LARGEST_SOURCE = 128 * 1024**3
"""Bytes of the largest image that can be copied."""


def pause_for_slot(soonest: float, waited: float, left: float) -> float | None:
    """Seconds until a copy that found no free slot is sent again, spread so that not all come back together.

    :param soonest: the least that there must be; None is returned where not so much is left.
    :param waited: how long slots have been waited for; the spread grows with it.
    :param left: how long they may still be waited for.
    """
    spread = jitter(0.0, min(LONGEST_SLOT_PAUSE, max(SLOT_PAUSE, waited)))
    return min(soonest + spread, left) if soonest < left else None


class Notes(Protocol):
    """Where it is written down what whoever tries the same order again should know. Raises ``StateStoreError``."""

    def write(self, **facts: Any) -> None:
        """Keep these, in the place of what was kept before."""


class _LookIsOld(Exception):
    """Between look and request too much time has passed."""


class Submission(Struct):
    """One order on its way; it learns what earlier tries have come to. ``job_id``: its job, where one is known.

    :param notes: where to write down what is about to happen and what has; ``submit`` is told what stands there.
    :param may_follow: whether a request may have been sent that the notes say nothing of.
    :param grace: see ``SUBMIT_GRACE``.
    :param allow_decryption: whether an encrypted source may get a copy that is not.
    :param is_stopped: nothing is sent any more once this is set.
    """

    client: Client
    order: Order
    notes: Notes
    may_follow: bool = False
    grace: float = SUBMIT_GRACE
    allow_decryption: bool = False
    job_id: str | None = None
    is_stopped: bool = False
    _looked: float = 0.0
    _others: Sequence[Image] = ()

    def submit(self, noted: Mapping[str, Any]) -> Conversation[str]:
        """Begin the copy, unless it was begun already; returns the job's id, or ``image:`` and the image's.

        Raises ``CopyConflictError`` for images that contradict the order, ``ArgumentError`` for a source that cannot be
        copied, ``LostSubmitError`` / ``UnclearSubmitError`` where the cloud's answer was lost, ``StateStoreError``
        where Airflow took no note of what was about to be sent (so it was not), and what the cloud refuses.
        """
        found = yield from self._follow(noted)
        nothing_is_sent = not self.may_follow
        try:
            found = found or (yield from self._look_for_it())
            if found is None:
                self.order.tell_of_earlier_clearings(self._others, noted.get("key"))
                yield from self._check_source()
        except ImsError:
            if nothing_is_sent:  # the next try need not wait for what might appear
                yield from self._note_late(sent=False)
            raise
        self.job_id = found or (yield from self._send())
        return self.job_id

    def _follow(self, noted: Mapping[str, Any]) -> Conversation[str | None]:
        """The job that an earlier try has noted, if it may still end well or has."""
        if (noted.get("key"), noted.get("image_id")) != (self.order.key, self.order.image_id):
            self.may_follow = self.may_follow and not noted  # who could note another order would have noted this one
            return None
        self.order = replace(self.order, attempt=noted["attempt"], failed_at=noted.get("failed_at"))
        self.may_follow, self.job_id = noted["sent"], noted["job_id"]
        if self.job_id and not (yield from self._is_alive(self.job_id)):
            self.job_id = None
        return self.job_id

    def _is_alive(self, job_id: str) -> Conversation[bool]:
        try:
            job = yield from self.client.ask(partial(protocol.get_job, job_id=job_id))
        except RefusedError as error:
            if isinstance(error, NotFoundError) or error.code in UNKNOWN_JOB_CODES:
                return False
            raise
        if job.status is JobStatus.SUCCESS and (yield from self._is_gone(job.image_id)):
            return False
        if job.status is not JobStatus.FAIL:
            log.info("Adopted job %s of an earlier try, which is %s: not copied again", job_id, job.reported_status)
            return True
        log.warning("Job %s of an earlier try ended with FAIL (%s %s)", job_id, job.error_code, job.fail_reason)
        if job.reported_status != GONE:  # what is not shown (any more) may be shown again
            self.may_follow = False
            failed_at = job.end_time.isoformat() if job.end_time else None
            self.order = replace(self.order, attempt=self.order.attempt + 1, failed_at=failed_at)
        return False

    def _is_gone(self, image_id: str | None) -> Conversation[bool]:
        """Whether what a job has made is gone or dead, or is not named, but can be found by its fingerprint."""
        if image_id is None:
            return self.order.marked
        try:
            return (yield from self.client.ask(partial(protocol.get_image, image_id=image_id))).is_dead
        except NotFoundError:
            return True
        except ForbiddenError as error:
            log.warning("The image of the noted job is taken to be there: %s", error)
            return False

    def _look_for_it(self) -> Conversation[str | None]:
        """The image of this order, as a job's id. Where it may still appear, it is waited for."""
        if not self.order.marked:
            if self.may_follow:
                raise UnclearSubmitError(f"An earlier try may have begun the copy. {self._what_to_look_for()}")
            return None
        wait = self.grace + self.client.settings.timeout if self.may_follow else 0.0
        if wait:
            log.warning("The copy may have been begun already: it is looked for until %.0f s from now", wait)
        until = self.client.elapsed() + wait
        while True:
            is_last = self.client.elapsed() >= until
            try:
                if (found := (yield from self._look())) or is_last:
                    return found
            except ImsTransientError as error:
                if is_last:
                    raise
                log.warning("The images cannot be listed, another look follows: %s", error)
            yield Pause(LOOK_INTERVAL * jitter(0.8, 1.2))

    def _look(self) -> Conversation[str | None]:
        images, self._looked = yield from own_images(self.client)
        image = self.order.adoptable(images)
        if image is None:
            self._others = images
            return None
        log.info("Adopted image %s '%s', which is %s: not copied again", image.id, image.name, image.status)
        yield from self._note_late(sent=True, job_id=IMAGE_JOB + image.id)
        return IMAGE_JOB + image.id

    def _check_source(self) -> Conversation[None]:
        """Say early what the job would say late."""
        try:
            source = yield from self.client.ask(partial(protocol.get_image, image_id=self.order.image_id))
        except ForbiddenError as error:
            log.warning("The source image is copied without a look at it: %s", error)
            return
        except NotFoundError as error:
            advice = "Check `image_id`, and that the image lies in the connection's project and region."
            raise error.but(NotFoundError, f"There is no image {self.order.image_id}. {advice}") from None
        if problem := _problem(source):
            raise ArgumentError(f"image_id is {source.id}, '{source.name}', which {problem}")
        if source.cmk_id and not self.order.cmk_id and not self.allow_decryption:
            raise ArgumentError(
                f"image_id is {source.id}, '{source.name}', which is encrypted, and without cmk_id its copy would not "
                f"be: give a cmk_id, or allow_decryption=True. (Its key is {source.cmk_id}.)"
            )

    def _send(self) -> Conversation[str]:
        for _ in range(MOST_ROUNDS):
            yield partial(self._note, sent=True)
            try:
                return (yield from self._send_once())
            except _LookIsOld:
                yield from self._note_late(sent=False)
                if found := (yield from self._look()):
                    return found
        raise UnavailableError(
            "Nothing was sent: between a look at the images and the copy always too much time passed."
        )

    def _send_once(self) -> Conversation[str]:
        try:
            job_id = yield from self.client.ask(self._call)
        except UnclearSubmitError as error:
            return (yield from self._after_unclear(error))
        except ImsError:
            yield from self._note_late(sent=False)
            raise
        log.info("Submitted: job %s copies image %s to '%s'", job_id, self.order.image_id, self.order.name)
        yield from self._note_late(sent=True, job_id=job_id)
        return job_id

    def _call(self, at: Service) -> Call[str]:
        if self.is_stopped:
            raise UnavailableError("Nothing was sent: the task was killed before.")
        if self.order.marked and self.client.elapsed() - self._looked > FRESH:
            raise _LookIsOld
        order = self.order
        call = protocol.copy_image(
            at, order.image_id, order.name, order.marked_description, order.cmk_id, order.enterprise_project_id
        )
        return replace(call, request=replace(call.request, once=True))

    def _after_unclear(self, error: ImsError) -> Conversation[str]:
        if not self.order.marked:
            raise error.but(UnclearSubmitError, f"{error.message} {self._what_to_look_for()}")
        error = error.but(LostSubmitError, error.message.removesuffix(NOT_SENT_AGAIN))
        log.warning("It is not clear whether the copy was begun: %s", error)
        self.may_follow = True
        if found := (yield from self._look_for_it()):
            return found
        yield from self._note_late(sent=False)
        raise error.but(LostSubmitError, f"No copy has appeared, so it may be sent again. {error.message}")

    def _what_to_look_for(self) -> str:
        what = f"an image named '{self.order.name}' made from image {self.order.image_id}"
        return (
            f"Without a fingerprint it cannot be recognized: look in IMS for {what} before you clear the task (on "
            "Airflow 3.2: before you start another run)."
        )

    def _note(self, *, sent: bool, job_id: str | None = None) -> None:
        facts = {name: getattr(self.order, name) for name in ("key", "image_id", "attempt", "failed_at")}
        self.notes.write(**facts, sent=sent, job_id=job_id)

    def _note_late(self, *, sent: bool, job_id: str | None = None) -> Conversation[None]:
        """Note what has happened already, and go on where that fails."""
        try:
            yield partial(self._note, sent=sent, job_id=job_id)
        except StateStoreError as error:
            log.warning("%s", error)


def _problem(source: Image) -> str | None:
    """What the job would say against this source image, with the remedy."""
    properties = source.properties
    if not source.is_active:
        return f"is '{source.status}': wait until it is 'active'."
    if properties.get("virtual_env_type") == "IsoImage":
        return "is an ISO image: register its file again instead, it cannot be copied."
    if str(properties.get("__whole_image")).lower() == "true":
        return "is a full-ECS image: create a system-disk image from the server and copy that."
    size = source.size or 0
    return f"has {size / 1024**3:.0f} GB: more than 128 GB cannot be copied." if size > LARGEST_SOURCE else None
