"""Lists of images: filters, order and pages, as ``GET /v2/cloudimages`` documents them.

A parameter that no page documents is taken as the name of a property, as the native image API does.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_ims.simulator import errors
from airflow_provider_ims.simulator.images import image_document, listed_for
from airflow_provider_ims.simulator.state import State

PAGING = {"limit", "marker", "sort_key", "sort_dir", "member_status"}
COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}
Row = dict[str, Any]  # an image document


def select(state: State, project_id: str, query: Mapping[str, str], default_limit: int) -> list[Row]:
    """The page of images that the query asks for. Raises Refusal."""
    images = [image for image in state.images.values() if listed_for(image, project_id, state)]
    rows = [image_document(image, state) for image in images]
    wanted = {key: value for key, value in query.items() if key not in PAGING}
    found = [row for row in rows if all(_matches(row, key, value) for key, value in wanted.items())]
    return _page(_ordered(found, query), query, default_limit)


def _matches(row: Row, key: str, value: str) -> bool:
    if key in ("created_at", "updated_at"):
        return _compares(row[key], value)
    if key == "tag":
        return any(tag == value for tag in row["tags"])
    if key == "enterprise_project_id" and value == "all_granted_eps":
        return True
    if key == "__whole_image":
        return str(row.get(key, "false")) == value
    return _text(row.get(key)) == value


def _compares(instant: str, value: str) -> bool:
    name, colon, moment = value.partition(":")
    if name not in COMPARISONS or not colon:
        name, moment = "eq", value
    return COMPARISONS[name](instant, moment)


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _ordered(rows: list[Row], query: Mapping[str, str]) -> list[Row]:
    key, direction = query.get("sort_key", "created_at"), query.get("sort_dir", "desc")
    if direction not in ("asc", "desc"):
        raise errors.ims("IMG.0001")
    return sorted(rows, key=lambda row: (_text(row.get(key)) or "", row["id"]), reverse=direction == "desc")


def _page(rows: list[Row], query: Mapping[str, str], default_limit: int) -> list[Row]:
    limit, marker = query.get("limit", str(default_limit)), query.get("marker")
    if not limit.isdecimal():
        raise errors.ims("IMG.0001")
    if marker:
        ids = [row["id"] for row in rows]
        if marker not in ids:
            raise errors.ims("IMG.0066")
        rows = rows[ids.index(marker) + 1 :]
    return rows[: int(limit)]
