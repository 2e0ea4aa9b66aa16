"""All images of one's own, or an error: what was not seen is not known to be missing."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_ims import protocol
from airflow_provider_ims.auth import Conversation
from airflow_provider_ims.client import Client
from airflow_provider_ims.errors import ForbiddenError, MalformedResponseError, RefusedError, UnavailableError
from airflow_provider_ims.models import Image, Service
from airflow_provider_ims.protocol import Call


def own_images(client: Client) -> Conversation[tuple[list[Image], float]]:
    """All private images of the token's project, all pages, and when that was (``client.elapsed``).

    New images come first, so where there are several pages the first one is asked for again in the end, and the look is
    as old as that. Raises ``ForbiddenError`` where listing is not allowed, and a transient error where the look failed
    even in part: what was not seen is not known to be missing.
    """
    project_id = (yield from client.token()).project_id  # first, so that what is refused below is not the log-in
    looked, page = client.elapsed(), (yield from _page(client))
    found = {image.id: image for image in page}
    while len(page) >= client.page_size:
        marker = page[-1].id
        page = yield from _page(client, marker)
        if page and page[-1].id == marker:
            raise MalformedResponseError(f"The list of images does not go on after image {marker}.")
        found |= {image.id: image for image in page}
        if len(page) < client.page_size:
            looked, page = client.elapsed(), (yield from _page(client))
            return _owned(found | {image.id: image for image in page}, project_id), looked
    return _owned(found, project_id), looked


def _owned(images: Mapping[str, Image], project_id: str) -> list[Image]:
    return [image for image in images.values() if image.owner in (None, project_id)]


def _page(client: Client, marker: str | None = None) -> Conversation[list[Image]]:
    def page_of(at: Service) -> Call[list[Image]]:
        filters = {"__imagetype": "private", "owner": at.project_id, "sort_key": "created_at", "sort_dir": "desc"}
        return protocol.list_images(at, filters | {"limit": client.page_size}, marker)

    try:
        return (yield from client.ask(page_of))
    except ForbiddenError as error:
        advice = "The list shows whether a copy was begun already: without that permission use fingerprint=False."
        raise error.but(ForbiddenError, f"{error.message} {advice}") from None
    except RefusedError as error:
        if error.status == 401:
            raise
        raise error.but(UnavailableError, error.message) from None
