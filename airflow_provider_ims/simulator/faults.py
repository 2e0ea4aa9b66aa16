"""Faults on request: what goes wrong, on which route, how often, before or after the request is carried out.

A fault is data. Matching goes in order; a ``delay`` adds up with what comes after it, of the other
kinds only the first one strikes.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import NoneType
from typing import Any, Literal

from msgspec import structs

from airflow_provider_ims.models import Response
from airflow_provider_ims.simulator import errors
from airflow_provider_ims.simulator.wire import Call, Connection, Reply

FaultRoute = Literal["log_in", "token", "catalog", "projects", "copy", "job", "image", "list", "delete", "quota", "*"]
FaultKind = Literal[
    "status",
    "reset_before",
    "reset_after",
    "hang",
    "truncated",
    "slow",
    "html",
    "wrong_content_type",
    "bad_json",
    "empty",
    "no_fields",
    "redirect",
    "delay",
    "job_fails",
    "job_stuck",
]
ALWAYS_CARRIED_OUT = {"reset_after", "truncated", "slow", "wrong_content_type", "bad_json", "no_fields"}
ALWAYS_CARRIED_OUT |= {"job_fails", "job_stuck"}
NEVER_CARRIED_OUT = {"reset_before", "redirect"}
CONNECTIONS: dict[str, Connection] = {"reset_before": "reset_before", "reset_after": "reset_after", "hang": "hang"}
CODES = {400: "IMG.0061", 403: "APIGW.0302", 404: "APIGW.0101", 429: "APIGW.0308", 500: "APIGW.0601"}
CODES |= {401: "APIGW.0307", 502: "APIGW.0202", 503: "APIGW.0613", 504: "APIGW.0203"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    ``times``: how many requests it strikes; None: until it is removed. ``probability``: of striking one that matches.
    ``when``: before or after the request was carried out, for the kinds that leave the choice. ``status``, ``code``,
    ``message`` and ``retry_after`` fill the answer of ``status``; code "" gives the gateway's bare ``message`` body.
    ``code`` and ``message`` are also how ``job_fails`` fails. ``seconds``: of ``delay`` and ``slow``. ``location``: of
    ``redirect``.
    """

    route: FaultRoute
    kind: FaultKind
    times: int | None = 1
    probability: float = 1.0
    when: Literal["before", "after"] = "before"
    status: int = 503
    code: str | None = None
    message: str = ""
    retry_after: int | None = None
    seconds: float = 1.0
    location: str = "https://elsewhere.invalid/"

    def __post_init__(self) -> None:
        for name, kind in (("route", FaultRoute), ("kind", FaultKind), ("when", Literal["before", "after"])):
            if getattr(self, name) not in typing.get_args(kind):
                raise ValueError(
                    f"{name} must be one of {', '.join(typing.get_args(kind))}, not {getattr(self, name)!r}"
                )

        for name in ("times", "status", "probability", "seconds", "retry_after"):
            if not isinstance(getattr(self, name), (int, float, NoneType)):
                raise ValueError(f"{name} must be a number, not {getattr(self, name)!r}")

    @property
    def carries_out(self) -> bool:
        """Whether the request has its effect all the same."""
        return self.kind in ALWAYS_CARRIED_OUT or (self.when == "after" and self.kind not in NEVER_CARRIED_OUT)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Fault:
        """A fault from a JSON object. Raises ValueError."""
        try:
            return cls(**document)
        except TypeError:
            raise ValueError(f"a fault has the fields {', '.join(cls.__dataclass_fields__)}") from None


class FaultBook:
    """The faults that are set, in order, and how often each still strikes."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._faults: list[Fault] = []

    def add(self, *faults: Fault) -> None:
        """Have these happen from now on, after those before."""
        self._faults.extend(faults)

    def clear(self) -> None:
        """Have none happen any more."""
        self._faults.clear()

    def __len__(self) -> int:
        return len(self._faults)

    def strike(self, route: str) -> list[Fault]:
        """The faults that strike this request: any delays, and at most one other. Uses them up."""
        struck: list[Fault] = []
        for fault in list(self._faults):
            if fault.route not in (route, "*") or (fault.probability < 1 and self._chance() >= fault.probability):
                continue
            self._use_up(fault)
            struck.append(fault)
            if fault.kind != "delay":
                break
        return struck

    def _use_up(self, fault: Fault) -> None:
        if fault.times is None:
            return
        place = next(index for index, each in enumerate(self._faults) if each is fault)
        self._faults[place : place + 1] = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []


def spoil(fault: Fault, call: Call, carry_out: Callable[[], Response]) -> Reply | errors.Refusal:
    """What comes of a request that a fault strikes."""
    good = carry_out() if fault.carries_out else None
    if fault.kind in CONNECTIONS:
        return Reply(None, connection=CONNECTIONS[fault.kind])
    if fault.kind == "status":
        return _refusal(fault, call)
    return _spoiled_response(fault, good or Response(fault.status))


def _spoiled_response(fault: Fault, good: Response) -> Reply:
    match fault.kind:
        case "truncated":
            return Reply(good, connection="truncated")
        case "slow":
            return Reply(good, fault.seconds, "slow")
        case "html":
            return Reply(errors.html_page(fault.status, fault.message or "The service cannot be reached."))
        case "wrong_content_type":
            return Reply(structs.replace(good, headers={**good.headers, "Content-Type": "text/plain"}))
        case "bad_json":
            return Reply(structs.replace(good, body=good.body[: len(good.body) // 2]))
        case "empty":
            return Reply(structs.replace(good, body=b""))
        case "no_fields":
            return Reply(structs.replace(good, body=b"{}"))
        case "redirect":
            return Reply(Response(302, {"Location": fault.location}))
        case _:
            return Reply(good)


def _refusal(fault: Fault, call: Call) -> errors.Refusal:
    headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
    of_iam = call.path.startswith("/v3")
    code = fault.code if fault.code is not None else ("" if of_iam else CODES.get(fault.status, "APIGW.0601"))
    message = fault.message or errors.IMS_MESSAGES.get(code) or errors.TITLES.get(fault.status, "Error")
    shape: errors.Shape = "ims" if code.startswith("IMG") else "iam" if of_iam else "gateway"
    return errors.Refusal(shape, fault.status, code, message, headers)
