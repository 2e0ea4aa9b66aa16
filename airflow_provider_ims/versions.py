"""What is left for another process, which may be of another release: the versions of its forms, and how it is read.

A form's version is raised only where an older release would misread it; what a release merely adds, older ones ignore.
Imported where DAGs are parsed, so it imports next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from airflow_provider_ims import __version__
from airflow_provider_ims.errors import NewerReleaseError

DEFERRAL = 1
"""Of what a deferral leaves in the database: a trigger's arguments, its event, and what the task is resumed with."""

INSTALL = "Install that release here, too."


def check_version(what: str, found: object, known: int, remedy: str = INSTALL) -> None:
    """Raise ``NewerReleaseError`` where ``what`` is in a form of another version than one up to ``known``."""
    if not isinstance(found, int) or found > known:
        raise NewerReleaseError(
            f"{what} was written by a newer release of airflow-provider-ims, in its form {found!r}; "
            f"{__version__} reads forms up to {known}. {remedy}"
        )


def stored_version(kind: str, others: dict[str, Any]) -> int | None:
    """The version of a trigger that Airflow's database held, among the arguments that are not its own; else None.

    A newer release may have stored arguments that this one does not know. Whoever writes a DAG may not: ``TypeError``.
    """
    if others and "version" not in others:
        raise TypeError(f"{kind} has no argument '{next(iter(others))}'.")
    return others.get("version")


def known_fields(kind: type[Struct], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Of these facts, those that this release has a field for."""
    return {name: value for name, value in facts.items() if name in kind.__struct_fields__}
