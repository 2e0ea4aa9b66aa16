"""What a copy's arguments must look like, checked before anything is sent.

Operators call it at DAG parsing for what holds no template, and the hook again for what was rendered. Sources: the IMS
page of the copy API and its image attributes.
"""

from __future__ import annotations

import re
from math import inf

from airflow_provider_ims.errors import ArgumentError
from airflow_provider_ims.models import IMAGE_JOB

UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
"""The form of an image id."""


LONGEST_DESCRIPTION = 1024
"""Characters that a description may have."""

LONGEST_MARKED_DESCRIPTION = LONGEST_DESCRIPTION - 44
"""... and those that are left beside a fingerprint and the space behind it."""


def check_image_id(image_id: object) -> None:
    """Raise ``ArgumentError`` unless this is an image id."""
    if not isinstance(image_id, str) or not re.fullmatch(UUID, image_id):
        raise ArgumentError(
            f"image_id is {image_id!r}, which is not an image id, a UUID such as 465076de-dc36-4aec-80f5-ef9d8009428f. "
            "To find an image by its name use ImsHook.list_images(name=...)."
        )


def check_name(name: object) -> None:
    """Raise ``ArgumentError`` unless IMS accepts this as an image's name."""
    if isinstance(name, str) and re.fullmatch(r"[\w\-. ]{1,128}", name) and name == name.strip():
        return
    hint = ""
    if isinstance(name, str) and re.search("[:+]", name):
        hint = " A run_id has ':' and '+' in it; a date does not: {{ dag_run.run_after | ds_nodash }}."
    raise ArgumentError(
        f"name is {name!r}, which IMS refuses: 1 to 128 letters, digits, '-', '.', '_' or spaces, "
        f"none of them a space at either end.{hint}"
    )


def check_description(description: object, longest: int = LONGEST_DESCRIPTION) -> None:
    """Raise ``ArgumentError`` unless IMS accepts this as a description; ``None`` and blank are none at all."""
    if description is None:
        return
    if not isinstance(description, str) or len(description) > longest or re.search(r"[\r\n<>]", description):
        kept = f", of which {LONGEST_DESCRIPTION - longest} are kept for the fingerprint"
        raise ArgumentError(
            f"description is {str(description)[:60]!r}, which IMS refuses: at most 1,024 characters"
            f"{kept if longest < LONGEST_DESCRIPTION else ''} (this has {len(str(description)):,}), no line break, no "
            "'<' or '>'."
        )


def check_copy(
    image_id: object, name: object, description: object, *others: object, longest: int = LONGEST_DESCRIPTION
) -> None:
    """Raise ``ArgumentError`` unless a copy can be asked for with these; ``others`` are optional ids."""
    check_image_id(image_id)
    check_name(name)
    check_description(description, longest)
    if "None" in (name, description, *others):
        raise ArgumentError("A template rendered None: write {{ params.cmk_id or '' }}, which stands for no value.")


def check_seconds(argument: str, value: float) -> None:
    """Raise ``ArgumentError`` unless this is a length of time."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < inf:
        raise ArgumentError(f"{argument} is {value!r}: give a number of seconds above 0.")


def truth(argument: str, value: object) -> bool:
    """A switch that a template may have rendered; raises ``ArgumentError`` for what is neither true nor false."""
    word = str(value or False).strip().lower()
    if word not in ("true", "false"):
        raise ArgumentError(f"{argument} is {value!r}: give True or False.")
    return word == "true"


def check_job_id(job_id: object) -> None:
    """Raise ``ArgumentError`` unless this can be a job's id."""
    if (
        not isinstance(job_id, str)
        or job_id == "None"
        or not re.fullmatch(rf"{IMAGE_JOB}{UUID}|[\w\-]{{1,128}}", job_id)
    ):
        raise ArgumentError(
            f"job_id is {job_id!r}, which is not a job id. Take it from the task that copies: job_id=copy.output."
        )
