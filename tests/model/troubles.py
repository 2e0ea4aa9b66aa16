"""What can go wrong with the cloud, and where a process can be stopped: what a rule may choose from."""

from __future__ import annotations

from typing import Any

from airflow_provider_ims.copying import SUBMIT_GRACE
from airflow_provider_ims.simulator.faults import Fault, FaultKind, FaultRoute

ROUTES: tuple[FaultRoute, ...] = ("log_in", "copy", "job", "image", "list")
KINDS: tuple[FaultKind, ...] = ("reset_before", "reset_after", "truncated", "bad_json", "hang", "empty", "html")
LOST: tuple[FaultKind, ...] = ("reset_before", "reset_after", "hang", "empty")
FAULTS = [Fault(route, kind) for route in ROUTES for kind in KINDS]
FAULTS += [Fault(route, "status", status=status) for route in ROUTES for status in (401, 408, 429, 500, 502, 503, 504)]
FAULTS += [Fault(route, "status", status=504, when="after") for route in ROUTES]
FAULTS += [Fault("copy", "status", status=400, code=code) for code in ("IMG.0060", "IMG.0018", "IMG.0187")]
FAULTS += [Fault("copy", "status", status=400, code="IMG.0061", when="after"), Fault("copy", "job_fails")]
AT_ONCE: dict[str, Any] = {"image_appears": "submit", "list_lag": 0.0, "description_lag": 0.0}
APPEARANCES: list[dict[str, Any]] = [
    AT_ONCE,
    AT_ONCE | {"list_lag": SUBMIT_GRACE},
    AT_ONCE | {"description_lag": SUBMIT_GRACE},
    AT_ONCE | {"image_appears": "running", "list_lag": 40.0, "description_lag": 30.0},
]
BOUNDARIES = [f"{when} {what}" for what in ("list", "note", "copy", "job") for when in ("before", "after")] + ["asleep"]
PAUSES = ["before list", "after list", "before note", "after note", "after note", "asleep"]
