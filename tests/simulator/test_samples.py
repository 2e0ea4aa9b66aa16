"""The simulator's documents have the keys and types of the sample documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow_provider_ims.simulator import Fault
from airflow_provider_ims.simulator.seeds import INACTIVE_IMAGE
from tests.simulator.visitor import PROJECT, Visitor, logged_in, read

SAMPLES = Path(__file__).parent.parent / "samples"


def shape(document: Any) -> Any:
    """What a document looks like without its values: keys, and types."""
    if isinstance(document, dict):
        return {key: shape(value) for key, value in document.items()}
    if isinstance(document, list):
        return [shape(each) for each in document[:1]]
    return type(document).__name__


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def test_a_token() -> None:
    document = read(Visitor().log_in())
    document["token"]["catalog"] = [each for each in document["token"]["catalog"] if each["type"] == "image"]
    assert shape(document) == shape(sample("token"))


def test_projects() -> None:
    assert shape(read(logged_in().ask("GET", "/v3/auth/projects"))) == shape(sample("projects"))


def test_a_copy_and_its_job() -> None:
    visitor = logged_in()
    copied = visitor.copy()
    visitor.clock.move(20)
    assert shape(read(copied)) == shape(sample("copy-response"))
    assert shape(visitor.job(copied)) == shape(sample("job-success"))
    progress = visitor.ask("GET", f"/v1/cloudimages/job/{read(copied)['job_id']}")
    assert shape(read(progress)) == shape(sample("job-progress-success"))


def test_an_image_has_every_field_of_the_sample() -> None:
    visitor = logged_in()
    expected = shape(sample("images"))["images"][0]
    for row in visitor.images():
        assert {key: kind for key, kind in shape(row).items() if key in expected} == expected


def test_the_quota() -> None:
    assert shape(read(logged_in().ask("GET", "/v1/cloudimages/quota"))) == shape(sample("quota"))


def test_errors_in_all_their_shapes() -> None:
    visitor = Visitor()
    assert shape(read(visitor.ask("GET", "/v2/cloudimages"))) == shape(sample("gateway-error"))
    assert shape(read(visitor.log_in("wrong"))) == shape(sample("iam-error"))
    visitor.cloud.change(iam_error_shape="table")
    assert shape(read(visitor.log_in("wrong"))) == shape(sample("iam-error-table"))
    visitor.log_in()
    assert shape(read(visitor.copy(source=INACTIVE_IMAGE))) == shape(sample("ims-error"))


def test_a_gateway_that_gave_up_says_only_a_message() -> None:
    visitor = logged_in()
    visitor.cloud.faults.add(Fault("job", "status", status=504, code="", message="Wait response timeout."))
    response = visitor.ask("GET", f"/v1/{PROJECT}/jobs/{'0' * 32}")
    assert shape(read(response)) == {"message": "str", "request_id": "str"}
    assert read(response)["request_id"] == response.header("x-request-id")
