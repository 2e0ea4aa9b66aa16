"""Filters, order and pages of image lists."""

from __future__ import annotations

import pytest

from airflow_provider_ims.simulator import seeds
from tests.simulator.visitor import PROJECT, code, logged_in, read


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name=source-002", {"source-002"}),
        ("name=source", set()),
        (f"id={seeds.ISO_IMAGE}", {"source-iso"}),
        ("status=saving", {"source-not-active"}),
        ("__imagetype=gold", {"Standard_Ubuntu_24.04_latest"}),
        ("__imagetype=private&protected=true", {"source-protected"}),
        ("virtual_env_type=IsoImage", {"source-iso"}),
        ("__whole_image=true", {"source-full-ecs"}),
        (f"__system__cmkid={seeds.KEY}", {"source-encrypted"}),
        ("created_at=gt:2026-03-01T12:00:00Z", {"late"}),
        ("tag=stage=gold", {"late"}),
        ("no_such_property=x", set()),
    ],
)
def test_filters(query: str, names: set[str]) -> None:
    visitor = logged_in(images=2)
    visitor.clock.move(60)
    visitor.cloud.add_image("late", tags=("stage=gold",))
    assert {row["name"] for row in visitor.images(query)} == names


def test_own_images_are_found_by_owner() -> None:
    rows = logged_in(images=2).images(f"owner={PROJECT}")
    assert len(rows) == 9
    assert {row["visibility"] for row in rows} == {"private"}


def test_enterprise_projects_filter_unless_all_are_asked_for() -> None:
    visitor = logged_in()
    enterprise = visitor.cloud.settings.enterprise_projects[0]
    visitor.copy("new", enterprise_project_id=enterprise)
    visitor.clock.move(20)
    assert [row["name"] for row in visitor.images(f"enterprise_project_id={enterprise}")] == ["new"]
    everything = visitor.images("enterprise_project_id=all_granted_eps")
    assert len(everything) == len(visitor.images("enterprise_project_id=0")) + 1


def test_the_newest_comes_first_unless_asked_otherwise() -> None:
    visitor = logged_in()
    visitor.clock.move(60)
    visitor.cloud.add_image("late")
    assert visitor.images()[0]["name"] == "late"
    assert visitor.images("sort_dir=asc")[-1]["name"] == "late"
    names = [row["name"] for row in visitor.images("sort_key=name&sort_dir=asc")]
    assert names == sorted(names)


@pytest.mark.parametrize("limit", [1, 7, 28, 100])
def test_pages_show_every_image_once(limit: int) -> None:
    visitor = logged_in()
    found: list[str] = []
    page = visitor.images(f"limit={limit}")
    while page and len(found) < 50:
        found += [row["id"] for row in page]
        page = visitor.images(f"limit={limit}&marker={found[-1]}")
    assert found == [row["id"] for row in visitor.images()]
    assert len(found) == 28


def test_native_lists_link_to_the_next_page() -> None:
    visitor = logged_in()
    path, found = "/v2/images?limit=10", 0
    while path and found < 50:
        document = read(visitor.ask("GET", path))
        found, path = found + len(document["images"]), document.get("next", "")
    assert found == 28


@pytest.mark.parametrize("query", ["limit=many", "sort_dir=up", "marker=unheard-of"])
def test_a_query_that_makes_no_sense(query: str) -> None:
    assert code(logged_in().ask("GET", f"/v2/cloudimages?{query}"))[0] == 400
