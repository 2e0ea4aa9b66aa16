"""What is refused before anything is sent, and that the remedy is named."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_ims import arguments
from airflow_provider_ims.errors import ArgumentError
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE


@pytest.mark.parametrize("name", ["a", "n" * 128, "golden-2026.01_31 b", "Abbild-ü", "镜像"])
@pytest.mark.parametrize("description", [None, "", "nightly golden image", "d" * 1024])
def test_copies_that_can_be_asked_for(name: str, description: str | None) -> None:
    arguments.check_copy(PLAIN_IMAGE, name, description)
    arguments.check_copy(PLAIN_IMAGE.upper(), name, description)


@pytest.mark.parametrize(
    "name", ["", " ", "n" * 129, " a", "a ", "a/b", "a\nb", "a\n", "a\tb", "a:b", "a+b", "<a>", None, 7, ["a"]]
)
def test_names_that_ims_refuses(name: object) -> None:
    with pytest.raises(ArgumentError, match=r"^name is .*1 to 128 letters"):
        arguments.check_name(name)


def test_a_run_id_as_name_gets_the_remedy() -> None:
    with pytest.raises(ArgumentError, match=r"dag_run\.run_after \| ds_nodash"):
        arguments.check_name("golden-manual__2026-01-31T23:00:00+00:00")


@pytest.mark.parametrize("description", ["d" * 1025, "two\nlines", "two\rlines", "<b>", "a > b", 7, ["text"]])
def test_descriptions_that_ims_refuses(description: object) -> None:
    with pytest.raises(ArgumentError, match=r"^description is .*at most 1,024 characters") as refused:
        arguments.check_description(description)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "image_id",
    [
        "golden-source",
        "",
        None,
        7,
        "None",
        f"{PLAIN_IMAGE}\n",
        f" {PLAIN_IMAGE}",
        "../quota",
        PLAIN_IMAGE.replace("-", ""),
    ],
)
def test_what_is_no_image_id(image_id: object) -> None:
    with pytest.raises(ArgumentError, match=r"^image_id is .*ImsHook\.list_images\(name="):
        arguments.check_image_id(image_id)


@pytest.mark.parametrize("job_id", ["", None, 7, "a b", "../jobs", "j" * 129, "j1\n", "{{ job }}", {"job_id": "j1"}])
def test_what_is_no_job_id(job_id: object) -> None:
    with pytest.raises(ArgumentError, match=r"^job_id is .*job_id=copy\.output"):
        arguments.check_job_id(job_id)


def test_job_ids_are_opaque() -> None:
    for job_id in ("edc89b490d7d4392898e19b2deb34797", "9a175ac8-92fa-1342", "j_1"):
        arguments.check_job_id(job_id)


@pytest.mark.parametrize("value", [0, -1, -0.5, float("inf"), float("nan"), True, "30", None])
def test_what_is_no_length_of_time(value: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^poll_interval is .*number of seconds above 0"):
        arguments.check_seconds("poll_interval", value)


@pytest.mark.parametrize("value", [0.1, 1, 7200, 30.0])
def test_lengths_of_time(value: float) -> None:
    arguments.check_seconds("timeout", value)
