"""All images of one's own, or an error: what was not seen is not known to be missing."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_ims import protocol
from airflow_provider_ims.auth import Client, Conversation
from airflow_provider_ims.errors import ForbiddenError, MalformedResponseError, RefusedError, UnavailableError
from airflow_provider_ims.models import Image, Response, Service
from airflow_provider_ims.protocol import Call


def own_images(client: Client) -> Conversation[list[Image]]:
    """All private images of the token's project, all pages.

    Raises ``ForbiddenError`` where listing is not allowed, and a transient error where the look failed even in part:
    what was not seen is not known to be missing.
    """
    yield from client.token()  # so that what is refused below is not the log-in
    found: list[Image] = []
    marker: str | None = None
    while True:
        page = yield from _page(client, marker)
        found += page
        if len(page) < protocol.PAGE_SIZE:
            return found
        if page[-1].id == marker:
            raise MalformedResponseError(f"The list of images does not go on after image {marker}.")
        marker = page[-1].id


def _page(client: Client, marker: str | None) -> Conversation[list[Image]]:
    def page_of(at: Service) -> Call[list[Image]]:
        call = protocol.list_images(at, {"__imagetype": "private", "owner": at.project_id}, marker)

        def read(answer: Response) -> list[Image]:
            return [image for image in call.read(answer) if image.owner in (None, at.project_id)]

        return replace(call, read=read)

    try:
        return (yield from client.ask(page_of))
    except ForbiddenError as error:
        advice = "The list shows whether a copy was begun already: without that permission use fingerprint=False."
        raise error.but(ForbiddenError, f"{error.message} {advice}") from None
    except RefusedError as error:
        if error.status == 401:
            raise
        raise error.but(UnavailableError, error.message) from None
