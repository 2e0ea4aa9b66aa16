"""The probe finds each switch of the simulator in each position, and its settings file makes the same cloud again."""

from __future__ import annotations

import typing
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import pytest

from airflow_provider_ims.probe.questions import NOT_PROBED, QUESTIONS
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE, PUBLIC_IMAGE
from airflow_provider_ims.simulator.settings import Settings, read_settings
from tests.probing import OnWorld, probe
from tests.world import World

pytestmark = pytest.mark.usefixtures("airflow_home")

HINTS = typing.get_type_hints(Settings)
PROBED = [question.name for question in QUESTIONS if question.is_setting]

OF_AN_ACCOUNT = {
    *("user_name", "password", "domain_name", "region", "project_name", "project_id", "more_projects"),
    *("enterprise_projects", "missing_permissions", "iam_url", "ims_url", "images"),
    *("access_key", "secret_key", "agency_name", "agency_user_name", "agency_user_domain_name"),
}
FOR_TESTS_ALONE = {"status_instead", "fail_code", "fail_reason", "seed"}

FAILS = {"fail_code": "IMG.0099"}
NEEDS: dict[str, dict[str, Any]] = {
    "fail_word": FAILS,
    "fail_details": FAILS,
    "image_after_fail": FAILS,
    "permission_body": {"missing_permissions": ("ims:quotas:get",)},
    "rate_window": {"ims_rate_limit": 12},
    "retry_after": {"ims_rate_limit": 12},
    "list_lag": {"image_appears": "submit"},
}
"""What else must be so that a switch can be seen."""

FLAGS = {
    "duplicate_names": ["--duplicate-name"],
    "beyond_limit": ["--concurrency"],
    "concurrent_copies": ["--concurrency"],
}

NUMBERS: dict[str, tuple[Any, ...]] = {
    "token_lifetime": (86400.0, 7200.0),
    "token_length": (2400, 300),
    "catalog_regions": ((), ("eu-nl",)),
    "quota": (50, 100),
    "job_lag": (0.0, 8.0),
    "copy_seconds": (20.0, 131.0),
    "init_part": (0.1, 0.6),
    "list_lag": (0.0, 10.0),
    "description_lag": (0.0, 15.0),
    "active_lag": (0.0, 12.0),
    "delete_seconds": (0.0, 9.0),
    "concurrent_copies": (5, 3),
    "ims_rate_limit": (12, 20),
    "iam_rate_limit": (1,),
    "rate_window": (60.0, 30.0),
    "retry_after": (0, 7),
}
"""Positions of what is no choice."""

SAMPLED = {"job_lag": 3.0, "init_part": 0.1, "list_lag": 4.0, "description_lag": 4.0, "active_lag": 3.0}
SAMPLED |= {"delete_seconds": 3.0}
"""How much later than it happened a look may see it: the looks' distance then, and a second of ``created_at``."""


def positions(name: str) -> tuple[Any, ...]:
    kind = HINTS[name]
    if typing.get_origin(kind) is Literal:
        return typing.get_args(kind)
    return (False, True) if kind is bool else NUMBERS[name]


CASES = [pytest.param(name, at, id=f"{name}={at}") for name in PROBED for at in positions(name)]


@pytest.mark.parametrize(("name", "position"), CASES)
def test_each_switch_is_found_in_each_position(airflow_home: Path, name: str, position: Any) -> None:
    world = World(**{**NEEDS.get(name, {}), name: position})
    image = PUBLIC_IMAGE if name == "copy_public" else PLAIN_IMAGE
    probed = probe(OnWorld(world), airflow_home, *FLAGS.get(name, ()), image=image)
    found = read_settings(probed.settings)
    if name in SAMPLED:
        assert position <= found[name] + 0.05
        assert found[name] <= position + SAMPLED[name] * bool(position)
    else:
        assert found[name] == position
    assert Settings(**found)
    assert f"| `{name}` |" in probed.report


def test_every_setting_of_the_simulator_is_probed_or_has_a_reason() -> None:
    known = {each.name for each in fields(Settings)}
    assert set(PROBED) | set(NOT_PROBED) | OF_AN_ACCOUNT | FOR_TESTS_ALONE == known
    assert not set(PROBED) & (set(NOT_PROBED) | OF_AN_ACCOUNT | FOR_TESTS_ALONE)
    assert len({question.name for question in QUESTIONS}) == len(QUESTIONS)


def test_what_cannot_be_probed_says_why(airflow_home: Path) -> None:
    probed = probe(OnWorld(World()), airflow_home)
    for name, reason in NOT_PROBED.items():
        assert probed.row(name) == {"question": name, "verdict": "not probed", "seen": reason, "setting": None}
    assert probed.row("duplicate_names")["seen"] == "not asked for: --duplicate-name"
    assert probed.row("beyond_limit")["seen"] == "not asked for: --concurrency"
    assert not set(NOT_PROBED) & set(probed.settings)


def test_a_cloud_made_from_the_settings_file_gives_the_same_file(airflow_home: Path) -> None:
    switched: dict[str, Any] = {
        "image_appears": "submit",
        "native_errors": "json",
        "unknown_job": "404",
        "time_form": "old",
        "process_percent": True,
        "success_entities": "empty",
        "duplicate_names": "reject",
        "beyond_limit": "queue",
        "concurrent_copies": 4,
        "copy_seconds": 60.0,
    }
    flags = ("--duplicate-name", "--concurrency")
    first = probe(OnWorld(World(**switched)), airflow_home, *flags)
    assert switched.items() <= first.settings.items()
    again = probe(OnWorld(World(**read_settings(first.settings))), airflow_home, *flags)
    assert again.settings == first.settings
