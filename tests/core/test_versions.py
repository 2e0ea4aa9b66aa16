"""What another release has left: forms that this one knows, forms that it does not, and what is merely more."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import asdict

from airflow_provider_ims import __version__
from airflow_provider_ims.errors import NewerReleaseError
from airflow_provider_ims.idempotency import Order
from airflow_provider_ims.versions import check_version, stored_version

SAID = "The note was written by a newer release of airflow-provider-ims, in its form {}; "
SAID += f"{__version__} reads forms up to 2."


@pytest.mark.parametrize("found", [0, 1, 2])
def test_forms_that_are_known(found: int) -> None:
    check_version("The note", found, 2)


@pytest.mark.parametrize("found", [3, "1", None])
def test_forms_that_are_not(found: object) -> None:
    for remedy, given in (("Install that release here, too.", ()), ("Remove it.", ("Remove it.",))):
        with pytest.raises(NewerReleaseError, match=f"^{re.escape(f'{SAID.format(repr(found))} {remedy}')}$"):
            check_version("The note", found, 2, *given)


@pytest.mark.parametrize(
    ("others", "version"), [({}, None), ({"version": 2}, 2), ({"version": 2, "more": 1}, 2), ({"version": None}, None)]
)
def test_what_was_stored_with_a_trigger_tells_its_version(others: dict[str, Any], version: int | None) -> None:
    assert stored_version("JobTrigger", others) == version


def test_an_argument_that_a_dag_has_made_up_is_named() -> None:
    with pytest.raises(TypeError, match=r"^JobTrigger has no argument 'job_ids'\.$"):
        stored_version("JobTrigger", {"job_ids": 1, "more": 2})


def test_what_a_newer_release_has_added_to_an_order_is_ignored() -> None:
    order = Order("key", "i0", "golden", "nightly", "k1", "0", 2, "2026-01-31T23:00:00+00:00", False)
    assert Order.of(asdict(order) | {"more": 1}) == order
