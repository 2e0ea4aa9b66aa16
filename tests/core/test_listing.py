"""All pages of one's own images, or an error."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from airflow_provider_ims import errors
from airflow_provider_ims.listing import own_images
from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.transport import run
from tests.world import World


def listed(*pages: str) -> tuple[list[str], list[str | None]]:
    """The ids that are found where these are the pages, three letters each, and the markers that were asked for."""
    world, answers, markers = World(), iter(pages), []
    world.perform(world.client.token())

    def send(request: Request) -> Response:
        query = parse_qs(urlsplit(request.url).query)
        markers.append(query.pop("marker", [None])[0])
        owner = world.cloud.settings.project_id
        assert query == {
            **{"limit": ["3"], "__imagetype": ["private"], "owner": [owner]},
            **{"sort_key": ["created_at"], "sort_dir": ["desc"]},
        }
        rows = [{"id": each, "status": "active", "owner": owner} for each in next(answers)]
        return Response(200, {}, json.dumps({"images": rows}).encode())

    images, _ = run(own_images(replace(world.client, page_size=3)), send)
    return [image.id for image in images], markers


@pytest.mark.parametrize(
    ("pages", "found", "markers"),
    [
        (("",), "", [None]),
        (("ab",), "ab", [None]),
        (("abc", "", "abc"), "abc", [None, "c", None]),
        (("abc", "de", "abc"), "abcde", [None, "c", None]),
        (("abc", "def", "gh", "abc"), "abcdefgh", [None, "c", "f", None]),
        (("abc", "d", "xab"), "abcdx", [None, "c", None]),
    ],
)
def test_each_page_begins_where_the_one_before_ends(pages: Any, found: str, markers: list[str | None]) -> None:
    assert listed(*pages) == (list(found), markers)


def test_a_list_that_does_not_go_on_is_no_look() -> None:
    with pytest.raises(errors.MalformedResponseError, match="does not go on after image c"):
        listed("abc", "abc")


@pytest.mark.parametrize(("status", "kind"), [(401, errors.RefusedError), (400, errors.UnavailableError)])
def test_a_list_that_is_refused_is_for_now_unless_it_is_the_log_in(status: int, kind: type[errors.ImsError]) -> None:
    world = World()
    world.cloud.faults.add(Fault("list", "status", times=None, status=status))
    with pytest.raises(errors.ImsError) as refused:
        world.perform(own_images(world.client))
    assert (type(refused.value), refused.value.status) == (kind, status)
