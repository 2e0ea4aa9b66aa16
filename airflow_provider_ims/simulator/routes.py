"""Which path leads where: the table of everything that the simulated cloud answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from airflow_provider_ims.models import Response
from airflow_provider_ims.simulator import iam, ims
from airflow_provider_ims.simulator.copies import copy_image
from airflow_provider_ims.simulator.jobs import show_job, show_progress
from airflow_provider_ims.simulator.state import State
from airflow_provider_ims.simulator.wire import Call


@cache
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. ``name`` is what faults and captures call it; ``action`` the permission it needs, if any."""

    name: str
    service: Literal["iam", "ims"]
    methods: tuple[str, ...]
    path: str
    answer: Callable[[State, Call], Response]
    action: str = ""

    def params(self, method: str, path: str) -> dict[str, str] | None:
        """What the path holds for this route; None when the request is for another."""
        match = _pattern(self.path).fullmatch(path)
        return match.groupdict() if match and method in self.methods else None


GET, POST, DELETE = ("GET",), ("POST",), ("DELETE",)
TOKENS = "/v3/auth/tokens"

ROUTES: tuple[Route, ...] = (
    Route("log_in", "iam", POST, TOKENS, iam.create_token),
    Route("token", "iam", ("GET", "HEAD"), TOKENS, iam.show_token),
    Route("token", "iam", DELETE, TOKENS, iam.revoke_token),
    Route("catalog", "iam", GET, "/v3/auth/catalog", iam.show_catalog),
    Route("projects", "iam", GET, "/v3/auth/projects", iam.list_projects),
    Route("projects", "iam", GET, "/v3/projects", iam.list_projects),
    Route("projects", "iam", GET, "/v3/projects/{project_id}", iam.show_project),
    Route("versions", "iam", GET, "/", iam.list_versions),
    Route("versions", "iam", GET, "/v3/?", iam.show_version),
    Route("copy", "ims", POST, "/v1/cloudimages/{image_id}/copy", copy_image, "ims:images:copy"),
    Route("job", "ims", GET, "/v1/{project_id}/jobs/{job_id}", show_job),
    Route("job", "ims", GET, "/v1/cloudimages/job/{job_id}", show_progress, "ims:imageJobs:getPercentage"),
    Route("list", "ims", GET, "/v2/cloudimages", ims.list_images, "ims:images:list"),
    Route("list", "ims", GET, "/v2/images", ims.list_native, "ims:images:list"),
    Route("image", "ims", GET, "/v2/images/{image_id}", ims.show_image, "ims:images:get"),
    Route("delete", "ims", DELETE, "/v2/images/{image_id}", ims.delete_image, "ims:images:delete"),
    Route("quota", "ims", GET, "/v1/cloudimages/quota", ims.show_quota, "ims:quotas:get"),
)


def find_route(method: str, path: str) -> tuple[Route | None, dict[str, str]]:
    """The route of a request with what its path holds; None when there is none."""
    for route in ROUTES:
        params = route.params(method, path)
        if params is not None:
            return route, params
    return None, {}
