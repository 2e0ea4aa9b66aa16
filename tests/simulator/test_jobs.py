"""The life of a job and of the image it makes, as the clock passes."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from airflow_provider_ims.simulator import Fault
from airflow_provider_ims.simulator.seeds import ENCRYPTED_IMAGE, PLAIN_IMAGE, PROTECTED_IMAGE, PUBLIC_IMAGE
from tests.simulator.visitor import PROJECT, code, logged_in, read


def test_a_copy_from_submission_to_success() -> None:
    visitor = logged_in()
    copied = visitor.copy("new", description="told")
    seen = []
    for _ in range(4):
        rows = visitor.images("name=new")
        seen.append((visitor.job(copied)["status"], [row["status"] for row in rows]))
        visitor.clock.move(6.7)
    assert seen == [("INIT", []), ("RUNNING", ["saving"]), ("RUNNING", ["saving"]), ("SUCCESS", ["active"])]
    job, image = visitor.job(copied), visitor.images("name=new")[0]
    assert (job["begin_time"], job["end_time"]) == ("2026-03-01T12:00:00.000Z", "2026-03-01T12:00:20.000Z")
    assert job["entities"] == {"image_name": "new", "image_id": image["id"]}
    assert image["__data_origin"] == f"image,eu-de,{PLAIN_IMAGE}"
    assert (image["owner"], image["__description"]) == (PROJECT, "told")
    assert "__system__cmkid" not in image


def test_the_image_begins_queued() -> None:
    visitor = logged_in(image_appears="submit")
    visitor.copy("new")
    assert [row["status"] for row in visitor.images("name=new")] == ["queued"]


@pytest.mark.parametrize(("appears", "lag", "first_seen"), [("submit", 0, 0), ("running", 0, 2), ("success", 5, 25)])
def test_when_the_image_shows_up(appears: str, lag: float, first_seen: float) -> None:
    visitor = logged_in(image_appears=appears, list_lag=lag)
    visitor.copy("new")
    visitor.clock.move(first_seen - 0.1)
    assert visitor.images("name=new") == []
    visitor.clock.move(0.1)
    assert len(visitor.images("name=new")) == 1


@pytest.mark.parametrize(("fate", "left"), [("killed", ["killed"]), ("removed", [])])
def test_a_job_that_fails_says_why(fate: str, left: list[str]) -> None:
    visitor = logged_in(fail_code="IMG.0187", fail_reason="KMS is busy.", image_after_fail=fate)
    copied = visitor.copy("new")
    visitor.clock.move(20)
    job = visitor.job(copied)
    assert (job["status"], job["error_code"], job["fail_reason"]) == ("FAIL", "IMG.0187", "KMS is busy.")
    assert [row["status"] for row in visitor.images("name=new")] == left


def test_copies_take_from_one_time_to_another_and_the_same_in_each_cloud() -> None:
    taken = []
    for _ in range(2):
        visitor = logged_in(copy_seconds=20.0, copy_spread=20.0, concurrent_copies=100, quota=200)
        for _ in range(100):
            visitor.copy()
        taken.append([(job.ends_at - job.submitted_at).total_seconds() for job in visitor.cloud.jobs])
    assert taken[0] == taken[1]
    ordered = sorted(taken[0])
    assert ordered[0] == 20
    assert 39.5 < ordered[-1] < 40
    assert max(later - sooner for sooner, later in itertools.pairwise(ordered)) < 0.5


def test_one_job_can_fail_and_another_never_end() -> None:
    visitor = logged_in()
    visitor.cloud.faults.add(Fault("copy", "job_fails", code="IMG.0014"), Fault("copy", "job_stuck"))
    copies = [visitor.copy() for _ in range(3)]
    visitor.clock.move(86_000)
    assert [visitor.job(copied)["status"] for copied in copies] == ["FAIL", "RUNNING", "SUCCESS"]


def test_a_job_can_be_ended_at_once() -> None:
    visitor = logged_in()
    for failure, status in (("", "SUCCESS"), ("IMG.0014", "FAIL")):
        copied = visitor.copy()
        visitor.cloud.end_job(read(copied)["job_id"], failure)
        assert visitor.job(copied)["status"] == status


@pytest.mark.parametrize(
    ("settings", "seconds", "expected"),
    [
        ({"status_words": "lower"}, 20, {"status": "success"}),
        ({"status_instead": "PAUSED"}, 20, {"status": "PAUSED"}),
        ({"fail_code": "X", "fail_word": "FAILED"}, 20, {"status": "FAILED"}),
        ({"open_end_time": "empty"}, 5, {"end_time": ""}),
        ({"time_form": "old"}, 5, {"begin_time": "01-Mar-2026 12:00:00:000"}),
        ({"success_entities": "null"}, 20, {"entities": None}),
        ({"success_entities": "no_image_id"}, 20, {"entities": {"image_name": "new"}}),
        ({"fail_code": "X", "fail_reason": "y", "fail_details": "entities"}, 20, {"error_code": None}),
        ({"fail_code": "X", "fail_reason": "y", "fail_details": "top"}, 20, {"error_code": "X", "entities": {}}),
        (
            {"process_percent": True},
            11,
            {"entities": {"process_percent": 0.5, "current_task": "CopyImageInRegionTask"}},
        ),
    ],
)
def test_the_forms_a_job_document_can_take(settings: dict[str, Any], seconds: float, expected: dict[str, Any]) -> None:
    visitor = logged_in(**settings)
    copied = visitor.copy("new")
    visitor.clock.move(seconds)
    job = visitor.job(copied)
    assert {key: job[key] for key in expected} == expected


def test_a_running_job_may_name_its_image() -> None:
    visitor = logged_in(image_id_while_running=True)
    copied = visitor.copy("new")
    visitor.clock.move(5)
    assert visitor.job(copied)["entities"]["image_id"] == visitor.images("name=new")[0]["id"]


def test_success_need_not_mean_active() -> None:
    visitor = logged_in(active_lag=5.0)
    copied = visitor.copy("new")
    visitor.clock.move(20)
    assert (visitor.job(copied)["status"], visitor.images("name=new")[0]["status"]) == ("SUCCESS", "saving")
    visitor.clock.move(5)
    assert visitor.images("name=new")[0]["status"] == "active"


@pytest.mark.parametrize(("reply", "expected"), [("400", (400, "IMG.0023")), ("404", (404, "404"))])
def test_a_job_that_is_not_there(reply: str, expected: tuple[int, str]) -> None:
    visitor = logged_in(unknown_job=reply, job_lag=3.0, job_retention=60.0)
    assert code(visitor.ask("GET", f"/v1/{PROJECT}/jobs/{'0' * 32}")) == expected
    path = f"/v1/{PROJECT}/jobs/{read(visitor.copy())['job_id']}"
    statuses = []
    for seconds in (0, 3, 76, 1):
        visitor.clock.move(seconds)
        statuses.append(visitor.ask("GET", path).status)
    assert statuses == [expected[0], 200, 200, expected[0]]


@pytest.mark.parametrize(("project", "expected"), [("f" * 32, "IMG.0030"), ("eu-de", "IMG.0067")])
def test_the_path_must_name_the_project_of_the_token(project: str, expected: str) -> None:
    visitor = logged_in()
    job_id = read(visitor.copy())["job_id"]
    assert code(visitor.ask("GET", f"/v1/{project}/jobs/{job_id}")) == (400, expected)


def test_images_are_deleted_and_gone() -> None:
    visitor = logged_in(delete_seconds=5.0)
    path = f"/v2/images/{ENCRYPTED_IMAGE}"
    assert visitor.ask("DELETE", path).status == 204
    assert visitor.ask("GET", path).status == 200
    visitor.clock.move(5)
    assert visitor.ask("GET", path).status == 404
    assert visitor.images(f"id={ENCRYPTED_IMAGE}") == []
    assert visitor.ask("DELETE", path).status == 404


@pytest.mark.parametrize(("image", "expected"), [(PROTECTED_IMAGE, "IMG.0028"), (PUBLIC_IMAGE, "IMG.0094")])
def test_what_may_not_be_deleted(image: str, expected: str) -> None:
    assert code(logged_in().ask("DELETE", f"/v2/images/{image}")) == (400, expected)


def test_an_image_in_the_making_cannot_be_deleted() -> None:
    visitor = logged_in()
    visitor.copy("new")
    visitor.clock.move(10)
    path = f"/v2/images/{visitor.images('name=new')[0]['id']}"
    assert code(visitor.ask("DELETE", path)) == (400, "IMG.0090")


@pytest.mark.parametrize(("form", "start"), [("html", b"<html>"), ("plain", b"No image"), ("json", b"{")])
def test_native_errors_need_not_be_json(form: str, start: bytes) -> None:
    response = logged_in(native_errors=form).ask("GET", f"/v2/images/{PROJECT}")
    assert response.status == 404
    assert response.body.startswith(start)
