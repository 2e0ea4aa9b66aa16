"""Which images are news: what may be watched, what a look finds, who was told of what, and what is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from airflow_provider_ims.auth import Conversation
from airflow_provider_ims.errors import ArgumentError, MalformedResponseError
from airflow_provider_ims.models import Image, Response
from airflow_provider_ims.watching import IMAGE_TYPES, MOST_AT_ONCE, MOST_KEPT, ImageFilter, Told, active_at, told_of
from tests.world import LOOK, World, stop

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
WHOLE = {
    "id": "i1",
    "name": "golden-1",
    "status": "active",
    "owner": "p1",
    "tags": ["a=b"],
    "created_at": "2026-01-31T10:00:00Z",
    "active_at": "2026-01-31T11:00:00Z",
    "updated_at": "2026-01-31T12:00:00Z",
    "__imagetype": "gold",
    "__image_size": "7",
    "__system__cmkid": "k1",
    "__data_origin": "image,eu-de,i0",
}


def image(image_id: str, minutes: int | None = 0, **properties: Any) -> Image:
    """One that became active so many minutes after noon."""
    at = {} if minutes is None else {"active_at": (NOON + timedelta(minutes=minutes)).isoformat()}
    return Image.parse({"id": image_id, "status": "active"} | at | properties)


@pytest.mark.parametrize(
    "given",
    [
        {"name": "*"},
        {"tag": "k="},
        {"tag": f"{'k' * 36}={'v' * 43}"},
        {"tag": "k=a=b"},
        *({"image_type": each} for each in IMAGE_TYPES),
        {"name": "golden-*", "tag": "env=prod", "image_type": "private"},
    ],
)
def test_what_may_be_watched(given: dict[str, Any]) -> None:
    ImageFilter(**given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, r"^No filter is given: give name=\"golden-\*\", tag=\"key=value\" or image_type=\"private\"\.$"),
        ({"name": ""}, "^name is '': give a pattern"),
        ({"name": " "}, "^name is ' ': give a pattern"),
        ({"name": 7}, "^name is 7: give a pattern"),
        ({"tag": ""}, "^tag is '': give key=value"),
        ({"tag": 7}, "^tag is 7: give key=value"),
        ({"tag": "=v"}, "^tag is '=v': give key=value"),
        ({"tag": "key"}, "^tag is 'key': give key=value"),
        ({"tag": f"{'k' * 37}=v"}, "^tag is 'k"),
        ({"tag": f"k={'v' * 44}"}, "^tag is 'k=v"),
        ({"image_type": "golden"}, "^image_type is 'golden': give one of private, gold, shared, market"),
        ({"name": "a", "image_type": ""}, "^image_type is '': give one of"),
    ],
)
def test_what_cannot_be_watched(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        ImageFilter(**given)


def test_a_name_is_a_pattern_and_its_case_counts() -> None:
    names = ("golden-1", "Golden-1", "my-golden-1")
    assert [name for name in names if ImageFilter(name="golden-*").matches(name)] == ["golden-1"]
    assert all(ImageFilter(tag="a=b").matches(name) for name in names)


def test_what_the_cloud_is_asked_for() -> None:
    world = World()
    world.perform(ImageFilter(name="a", tag="env=prod", image_type="gold").look(world.client))
    assert world.requests[-1].url.partition("?")[2].split("&") == [
        *("limit=500", "status=active", "tag=env%3Dprod", "__imagetype=gold")
    ]


def test_a_look_goes_through_all_pages() -> None:
    world = World()
    everything = {each["id"] for each in world.cloud.images() if each["status"] == "active"}
    for size in (1, 2, len(everything), len(everything) + 1):
        world.requests.clear()
        found = world.perform(ImageFilter(name="*").look(replace(world.client, page_size=size)))
        assert {each.id for each in found} == everything
        asked = [request for request in world.requests if request.method == "GET"]
        assert len(asked) == len(everything) // size + 1


def looking(name: str, page_size: int) -> Conversation[list[Image]]:
    """A look whose answers are up to the test."""
    world = World()
    world.ask(LOOK)  # the log-in is another story
    look = ImageFilter(name=name).look(replace(world.client, page_size=page_size))
    stop(look)
    return look


def page(*images: tuple[str, str, str]) -> Response:
    rows = [dict(zip(("id", "name", "status"), each, strict=True)) for each in images]
    return Response(200, {}, json.dumps({"images": rows}).encode())


def test_what_is_not_active_or_named_otherwise_is_not_found() -> None:
    answer = page(("1", "golden-1", "active"), ("2", "golden-2", "queued"), ("3", "other", "active"))
    assert [each.id for each in stop(looking("golden-*", 9), answer)] == ["1"]


def test_a_list_that_does_not_go_on_is_no_look() -> None:
    look, same = looking("*", 2), page(("1", "a", "active"), ("2", "b", "active"))
    assert stop(look, same).url.endswith("&marker=2")
    with pytest.raises(MalformedResponseError, match="does not go on after image 2"):
        look.send(same)


def test_of_a_first_look_only_what_became_active_since_then_is_news() -> None:
    images = [image("old", -1), image("then", 0), image("new", 1), image("unknown", None)]
    assert list(Told.before(images, None).ids) == ["old", "then", "new", "unknown"]
    assert list(Told.before(images, NOON).ids) == ["old"]


def test_news_come_once_in_the_order_in_which_they_became_active() -> None:
    told = Told({"told": None})
    images = [image("c", 2), image("told", 0), image("b", 1), image("a", 2)]
    assert [each.id for each in told.news(iter(images))] == ["b", "a", "c"]
    assert told.news(images) == []
    told.settle("b", has_arrived=True)
    told.settle("a", has_arrived=False)
    told.settle("never offered", has_arrived=False)
    assert (told.ids, told.offered) == ({"told": None, "b": None}, {"c"})
    assert [each.id for each in told.news(images)] == ["a"]


def test_not_too_many_are_told_of_at_once() -> None:
    told, images = Told({}), [image(f"{number:04}") for number in range(MOST_AT_ONCE + 1)]
    assert told.news(images) == images[:MOST_AT_ONCE]
    assert told.news(images) == images[MOST_AT_ONCE:]


def test_of_too_many_the_first_ones_that_are_gone_are_forgotten() -> None:
    ids = [f"{number:04}" for number in range(MOST_KEPT)]
    told = Told(dict.fromkeys(ids))
    told.news([])
    assert list(told.ids) == ids
    told = Told(dict.fromkeys([*ids, "one", "two"]))
    told.news([image("0000"), image("0002")])
    assert list(told.ids) == ["0000", "0002", *ids[4:], "one", "two"]


def test_when_an_image_became_active_is_what_the_cloud_tells_of_it() -> None:
    whole = Image.parse(WHOLE)
    assert active_at(whole) == NOON - timedelta(hours=1)
    assert active_at(Image.parse(WHOLE | {"active_at": None})) == NOON
    assert active_at(Image.parse({"id": "i1", "status": "active"})) is None


def test_what_is_told_of_an_image() -> None:
    assert told_of(Image.parse(WHOLE)) == {
        "image_id": "i1",
        "image_name": "golden-1",
        "image_type": "gold",
        "source_image_id": "i0",
        "cmk_id": "k1",
        "size": 7,
        "tags": ["a=b"],
        "owner": "p1",
        "created_at": "2026-01-31T10:00:00+00:00",
        "active_at": "2026-01-31T11:00:00+00:00",
    }
    bare = told_of(Image.parse({"id": "i1", "status": "active", "tags": "a=b"}))
    assert bare == dict.fromkeys(bare) | {"image_id": "i1", "image_name": "", "tags": []}
