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


@pytest.mark.parametrize("name", ["golden-manual__2026-01-31T23:00:00+00:00", "a:b", "a+b", ":", "+"])
def test_a_run_id_as_name_gets_the_remedy(name: str) -> None:
    with pytest.raises(
        ArgumentError, match=r"at either end\. A run_id has .*: \{\{ dag_run\.run_after \| ds_nodash \}\}\.$"
    ):
        arguments.check_name(name)


@pytest.mark.parametrize("name", ["a/b", 7, [":"]])
def test_other_names_do_not(name: object) -> None:
    with pytest.raises(ArgumentError, match=r"none of them a space at either end\.$"):
        arguments.check_name(name)


@pytest.mark.parametrize("description", ["d" * 1025, "two\nlines", "two\rlines", "<b>", "a > b", 7, ["text"]])
def test_descriptions_that_ims_refuses(description: object) -> None:
    with pytest.raises(ArgumentError, match=r"^description is .*at most 1,024 characters") as refused:
        arguments.check_description(description)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("description", ["d" * 981, "d" * 1024, 7])
def test_a_description_that_would_be_too_long_beside_a_fingerprint(description: Any) -> None:
    longest = arguments.LONGEST_MARKED_DESCRIPTION
    said = (
        f"description is {str(description)[:60]!r}, which IMS refuses: at most 1,024 characters, of which 44 are kept "
        f"for the fingerprint (this has {len(str(description)):,}), no line break, no '<' or '>'."
    )
    with pytest.raises(ArgumentError) as refused:
        arguments.check_description(description, longest)
    assert str(refused.value) == said
    with pytest.raises(ArgumentError) as refused:
        arguments.check_copy(PLAIN_IMAGE, "copy", description, longest=longest)
    assert str(refused.value) == said
    arguments.check_copy(PLAIN_IMAGE, "copy", "d" * 980, longest=longest)


def test_without_a_fingerprint_nothing_is_kept_for_it() -> None:
    with pytest.raises(ArgumentError, match=r"at most 1,024 characters \(this has 1,025\), no line break") as refused:
        arguments.check_copy(PLAIN_IMAGE, "copy", "d" * 1025)
    assert "'" + "d" * 60 + "'" in str(refused.value)


@pytest.mark.parametrize(
    "rendered", [("None", None), ("copy", "None"), ("copy", None, "None"), ("copy", None, None, "None")]
)
def test_a_template_that_rendered_none_is_no_argument(rendered: tuple[Any, ...]) -> None:
    with pytest.raises(ArgumentError, match=r"^A template rendered None: write \{\{ params\.cmk_id or '' \}\}"):
        arguments.check_copy(PLAIN_IMAGE, *rendered)
    arguments.check_copy(PLAIN_IMAGE, "none", "NONE", "none", None)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        *((each, True) for each in (True, "True", " TRUE ", "true\n")),
        *((each, False) for each in (False, None, "", "false", 0)),
    ],
)
def test_a_switch_that_a_template_may_have_rendered(value: object, meant: bool) -> None:
    assert arguments.truth("allow_decryption", value) is meant


@pytest.mark.parametrize("value", ["yes", 1, "None", " ", [True]])
def test_what_is_neither_true_nor_false(value: object) -> None:
    with pytest.raises(ArgumentError, match=r"^allow_decryption is .*: give True or False\.$"):
        arguments.truth("allow_decryption", value)


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


@pytest.mark.parametrize(
    "job_id",
    [
        "",
        None,
        "None",
        7,
        "a b",
        "../jobs",
        "j" * 129,
        f"image:{PLAIN_IMAGE}0",
        "image:i1",
        "j1\n",
        "{{ job }}",
        {"job_id": "j1"},
    ],
)
def test_what_is_no_job_id(job_id: object) -> None:
    with pytest.raises(ArgumentError, match=r"^job_id is .*job_id=copy\.output"):
        arguments.check_job_id(job_id)


def test_job_ids_are_opaque() -> None:
    for job_id in (
        "edc89b490d7d4392898e19b2deb34797",
        "9a175ac8-92fa-1342",
        "j_1",
        "none",
        "j" * 128,
        f"image:{PLAIN_IMAGE}",
    ):
        arguments.check_job_id(job_id)


@pytest.mark.parametrize("value", [0, -1, -0.5, float("inf"), float("nan"), True, "30", None])
def test_what_is_no_length_of_time(value: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^poll_interval is .*number of seconds above 0"):
        arguments.check_seconds("poll_interval", value)


@pytest.mark.parametrize("value", [0.1, 1, 7200, 30.0])
def test_lengths_of_time(value: float) -> None:
    arguments.check_seconds("timeout", value)
