"""Asking for a copy: what is refused with which code, and how many run at once."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_ims.simulator import seeds
from tests.simulator.visitor import Visitor, code, logged_in, read

TOO_LONG = "n" * 129


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"name": ""}, "IMG.0013"),
        ({"name": None}, "IMG.0013"),
        ({"name": TOO_LONG}, "IMG.0002"),
        ({"name": " leading"}, "IMG.0003"),
        ({"name": "slash/ed"}, "IMG.0003"),
        ({"name": 7}, "IMG.0003"),
        ({"description": "d" * 1025}, "IMG.0004"),
        ({"description": "two\nlines"}, "IMG.0054"),
        ({"description": "<b>"}, "IMG.0054"),
        ({"enterprise_project_id": "unheard-of"}, "IMG.0155"),
        ({"source": "not-a-uuid"}, "IMG.0066"),
        ({"source": seeds.numbered_image(999)}, "IMG.0027"),
        ({"source": seeds.INACTIVE_IMAGE}, "IMG.0046"),
        ({"source": seeds.ISO_IMAGE}, "IMG.0167"),
        ({"source": seeds.FULL_ECS_IMAGE}, "IMG.0130"),
        ({"source": seeds.LARGE_IMAGE}, "IMG.0059"),
        ({"cmk_id": "unheard-of"}, "IMG.0095"),
        ({"cmk_id": seeds.DISABLED_KEY}, "IMG.0097"),
        ({"cmk_id": seeds.FOREIGN_KEY}, "IMG.0099"),
        ({"source": seeds.ENCRYPTED_IMAGE, "cmk_id": seeds.KEY}, "IMG.0096"),
    ],
)
def test_a_wish_that_cannot_be_granted(wish: dict[str, Any], expected: str) -> None:
    visitor = logged_in()
    assert code(visitor.copy(**wish)) == (400, expected)
    assert visitor.cloud.jobs == []


@pytest.mark.parametrize("name", ["n" * 128, "Abbild-ü_1.0 b", "镜像"])
def test_names_that_are_good(name: str) -> None:
    visitor = logged_in()
    assert visitor.copy(name).status == 200
    visitor.clock.move(20)
    assert visitor.cloud.copies()[0]["name"] == name


@pytest.mark.parametrize(
    ("body", "expected"), [(None, "IMG.0007"), ([], "IMG.0001"), ("text", "IMG.0001"), ({}, "IMG.0013")]
)
def test_a_body_that_is_no_wish(body: object, expected: str) -> None:
    visitor = logged_in()
    response = visitor.ask("POST", f"/v1/cloudimages/{seeds.PLAIN_IMAGE}/copy", body)
    assert code(response) == (400, expected)


def test_the_body_must_be_called_json() -> None:
    visitor = logged_in()
    path = f"/v1/cloudimages/{seeds.PLAIN_IMAGE}/copy"
    assert code(visitor.ask("POST", path, {"name": "n"}, Content_Type="text/plain")) == (400, "IMG.0001")


def test_the_sixth_copy_at_once_is_refused_until_one_has_ended() -> None:
    visitor = logged_in()
    assert [visitor.copy().status for _ in range(5)] == [200] * 5
    assert code(visitor.copy()) == (400, "IMG.0060")
    visitor.clock.move(20)
    assert visitor.copy().status == 200


def test_or_it_waits_for_its_turn() -> None:
    visitor = logged_in(beyond_limit="queue", concurrent_copies=2)
    copies = [visitor.copy() for _ in range(5)]
    states = []
    for _ in range(4):
        states.append([visitor.job(copied)["status"] for copied in copies])
        visitor.clock.move(20)
    assert states == [
        ["INIT"] * 5,
        ["SUCCESS"] * 2 + ["INIT"] * 3,
        ["SUCCESS"] * 4 + ["INIT"],
        ["SUCCESS"] * 5,
    ]


def test_the_quota_counts_what_is_on_its_way() -> None:
    visitor = logged_in(images=0, quota=9)
    quota = "/v1/cloudimages/quota"
    used = read(visitor.ask("GET", quota))["quotas"]["resources"][0]["used"]
    assert [visitor.copy().status for _ in range(9 - used)] == [200] * (9 - used)
    assert code(visitor.copy()) == (400, "IMG.0015")
    assert read(visitor.ask("GET", quota))["quotas"]["resources"][0]["used"] == 9


def test_names_may_be_used_twice_unless_the_switch_says_no() -> None:
    visitor = logged_in()
    assert [visitor.copy("twin").status for _ in range(2)] == [200, 200]
    visitor.cloud.change(duplicate_names="reject")
    assert code(visitor.copy("twin")) == (400, "IMG.0009")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("IMG.0026", (403, "IMG.0026")),
        ("IMG.0161", (400, "IMG.0161")),
        ("APIGW.0302", (403, "APIGW.0302")),
        ("policy", (403, 403)),
    ],
)
def test_a_missing_permission_is_refused_in_one_of_four_ways(body: str, expected: tuple[int, Any]) -> None:
    visitor = logged_in(missing_permissions=("ims:images:copy",), permission_body=body)
    assert code(visitor.copy()) == expected
    assert visitor.ask("GET", "/v2/cloudimages").status == 200


def test_public_images_can_be_copied_unless_the_switch_says_no() -> None:
    visitor = logged_in()
    assert visitor.copy(source=seeds.PUBLIC_IMAGE).status == 200
    visitor.cloud.change(copy_public=False)
    assert code(visitor.copy(source=seeds.PUBLIC_IMAGE)) == (400, "IMG.0105")


def test_encryption_is_what_was_asked_for() -> None:
    visitor = logged_in()
    visitor.copy("encrypted", cmk_id=seeds.OTHER_KEY)
    visitor.copy("decrypted", source=seeds.ENCRYPTED_IMAGE)
    visitor.clock.move(20)
    keys = {row["name"]: row.get("__system__cmkid") for row in visitor.cloud.copies()}
    assert keys == {"encrypted": seeds.OTHER_KEY, "decrypted": None}


def test_without_a_token_nothing_is_looked_at() -> None:
    visitor = Visitor()
    assert code(visitor.copy(name="")) == (401, "APIGW.0301")
