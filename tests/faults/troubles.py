"""Everything that can go wrong on an endpoint, by name, and how a simulated cloud is told to do so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airflow_provider_ims.simulator.cloud import Arrival, Cloud
from airflow_provider_ims.simulator.faults import Fault, FaultKind

ROUTES: Mapping[str, Any] = {
    "log-in": "log_in",
    "list": "list",
    "image": "image",
    "copy": "copy",
    "job": "job",
    "list at the end": "list",
}
"""The endpoints in the order in which a copy meets them, and what the simulator calls them."""

EVERYWHERE = tuple(ROUTES)
LISTS = ("list", "list at the end")
BOTH = ("operator", "sensor")
Times = int | None
"""How often something goes wrong; None: for ever."""

Strike = Callable[[Cloud, str, Times], None]


@dataclass(frozen=True)
class Trouble:
    """``endpoints``: where it makes sense. ``settings``: of the cloud it strikes. ``strike``: begins it on a route.

    ``harmless``: to which kinds of task; they must not need their deadline to come to an end.
    """

    strike: Strike
    endpoints: tuple[str, ...] = EVERYWHERE
    harmless: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def begin(self, cloud: Cloud, endpoint: str, times: Times) -> None:
        """Let it happen from now on; at the end of a copy, from the moment at which the copy has been accepted."""
        strike = partial(self.strike, cloud, ROUTES[endpoint], times)
        if endpoint != "list at the end":
            return strike()

        def on_arrival(arrival: Arrival) -> None:
            if arrival.route == "copy":
                strike()

        cloud.on_arrival = on_arrival


def _fault(kind: FaultKind, *endpoints: str, harmless: tuple[str, ...] = (), **more: Any) -> Trouble:
    def strike(cloud: Cloud, route: Any, times: Times) -> None:
        cloud.faults.add(Fault(route, kind, times, **more))

    return Trouble(strike, endpoints or EVERYWHERE, harmless)


def _status(status: int, *endpoints: str, **more: Any) -> Trouble:
    return _fault("status", *endpoints, status=status, **more)


def _revoked(cloud: Cloud, route: Any, times: Times) -> None:
    def on_arrival(arrival: Arrival) -> None:
        if arrival.status == 401:
            cloud.revoke_tokens()

    cloud.on_arrival = on_arrival
    cloud.faults.add(Fault(route, "status", times, status=401))


def _second_page(cloud: Cloud, route: Any, times: Times) -> None:
    """The first page is shown, the second one is not."""
    left = [times]

    def on_arrival(arrival: Arrival) -> None:
        if arrival.route == route and left[0] != 0:
            left[0] = left[0] and left[0] - 1
            cloud.faults.add(Fault(route, "status"))

    cloud.on_arrival = on_arrival


def _jobs_that_show(harmless: tuple[str, ...] = (), **settings: Any) -> Trouble:
    def strike(cloud: Cloud, route: str, times: Times) -> None:
        usual = {name: getattr(cloud.settings, name) for name in settings}

        def on_arrival(arrival: Arrival) -> None:
            if arrival.route == route and times:
                cloud.change(**usual)

        cloud.change(**settings)
        cloud.on_arrival = on_arrival

    return Trouble(strike, ("job",), harmless, {"copy_seconds": 0.0})


TROUBLES: Mapping[str, Trouble] = {
    "delay": _fault("delay", seconds=0.2, harmless=BOTH),
    "hang, not carried out": _fault("hang"),
    "hang, carried out": _fault("hang", "log-in", "copy", when="after"),
    "reset, not carried out": _fault("reset_before"),
    "reset, carried out": _fault("reset_after", "log-in", "copy"),
    "408": _status(408),
    "500": _status(500),
    "502": _status(502),
    "503": _status(503),
    "504": _status(504),
    "504, carried out": _status(504, "log-in", "copy", when="after"),
    "429": _status(429),
    "429 with Retry-After": _status(429, retry_after=1),
    "IMG.0060": _status(400, "copy", code="IMG.0060"),
    "401, token revoked": Trouble(_revoked),
    "body cut off": _fault("truncated"),
    "JSON cut off": _fault("bad_json"),
    "{} (without a job id)": _fault("no_fields"),
    "HTML page, 200": _fault("html", status=200),
    "HTML page, 502": _fault("html", status=502),
    "wrong content type": _fault("wrong_content_type", harmless=BOTH),
    "unknown job status": _jobs_that_show(status_instead="FROZEN"),
    "lower-case job status": _jobs_that_show(harmless=BOTH, status_words="lower"),
    "missing entities": _jobs_that_show(harmless=("operator",), success_entities="null"),
    "second page missing": Trouble(_second_page, LISTS, settings={"images": 520, "quota": 1000}),
}
