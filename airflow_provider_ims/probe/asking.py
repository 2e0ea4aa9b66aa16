"""How a probe asks the cloud: through a hook, each answer recorded; what is refused is an answer where that counts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar
from urllib.parse import quote
from uuid import uuid4

from airflow_provider_ims import protocol
from airflow_provider_ims.auth import Conversation
from airflow_provider_ims.errors import ImsError, NotFoundError, RefusedError, UnavailableError
from airflow_provider_ims.hooks.base import ImsBaseHook
from airflow_provider_ims.models import IMAGE_JOB, Image, Job, Request, Response, Service
from airflow_provider_ims.probe.record import Document, Exchange, Seen, document
from airflow_provider_ims.protocol import Call
from airflow_provider_ims.refusals import UNKNOWN_JOB_CODES, refusal_of
from airflow_provider_ims.transport import run

T = TypeVar("T")
log = logging.getLogger(__name__)
Make = Callable[[Service], Request]


class Asker:
    """Asks with a hook, and keeps each exchange in ``seen``."""

    def __init__(self, hook: ImsBaseHook, seen: Seen) -> None:
        self.hook, self.seen = hook, seen

    @property
    def elapsed(self) -> float:
        """Seconds on a clock that nobody can set."""
        return self.hook.client.elapsed()

    def perform(self, conversation: Conversation[T]) -> T:
        """Carry a conversation out, as the hook does."""
        return run(conversation, self._send, self.hook.patience, self.hook.sleep)

    def ask(self, make: Callable[[Service], Call[T]]) -> T:
        """Make one call; raises what its answer says."""
        return self.perform(self.hook.client.ask(make))

    def answer(self, make: Make) -> Response:
        """The answer to a request, whatever it is."""
        return self.ask(lambda at: Call(make(at), lambda response: response))

    def _send(self, request: Request) -> Response:
        response = self.hook.send(request)
        self.seen.exchanges.append(Exchange(request, response, self.elapsed))
        return response

    def job(self, job_id: str) -> Document | None:
        """The document of a job; None where the cloud knows none, or it is known by its image alone."""
        if job_id.startswith(IMAGE_JOB):
            return None
        return self._shown(lambda at: Request("GET", f"{at.url}/v1/{at.project_id}/jobs/{job_id}"), "look at the job")

    def image(self, image_id: str) -> Document | None:
        """The document of an image; None where there is none."""
        path = f"/v2/images/{quote(image_id, safe='')}"
        return self._shown(lambda at: Request("GET", f"{at.url}{path}"), "look at the image")

    def _shown(self, make: Make, action: str) -> Document | None:
        response = self.answer(make)
        if response.status < 300:
            if (found := document(response)) is not None:
                return found
            raise UnavailableError(f"Could not {action}: the answer is no JSON object.", response.status)
        error = refusal_of(response, action)
        if isinstance(error, NotFoundError) or error.code in UNKNOWN_JOB_CODES:
            return None
        raise error

    def named(self, name: str) -> list[Image]:
        """The project's own images of this name."""

        def page(at: Service) -> Call[list[Image]]:
            return protocol.list_images(at, {"name": name, "owner": at.project_id, "__imagetype": "private"})

        return [image for image in self.ask(page) if image.name == name]

    def found_image(self, image_id: str) -> Image | None:
        """The image of this id, where there is one."""
        with suppress(NotFoundError):
            return self.ask(partial(protocol.get_image, image_id=image_id))
        return None

    def found_job(self, job_id: str | None) -> Job | None:
        """The job of this id, where the cloud shows one."""
        try:
            return self.ask(partial(protocol.get_job, job_id=job_id)) if job_id else None
        except RefusedError as error:
            if isinstance(error, NotFoundError) or error.code in UNKNOWN_JOB_CODES:
                return None
            raise


def ask_for_what_is_not_there(asker: Asker) -> None:
    """Ask for a job, an image and a token that do not exist; nothing comes of it but how that is refused."""
    unknown, seen = uuid4(), asker.seen
    token = f"{asker.hook.client.settings.credentials.iam_url}/v3/auth/tokens?nocatalog=1"
    log.info("Asking for a job, an image and a token that do not exist")
    with suppress(ImsError):
        seen.unknown_job = asker.answer(lambda at: Request("GET", f"{at.url}/v1/{at.project_id}/jobs/{unknown.hex}"))
    with suppress(ImsError):
        seen.unknown_image = asker.answer(lambda at: Request("GET", f"{at.url}/v2/images/{unknown}"))
    with suppress(ImsError):
        seen.unknown_token = asker.answer(lambda at: Request("GET", token, {"X-Subject-Token": unknown.hex}))
