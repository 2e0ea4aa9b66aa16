"""A process with one event loop in which many jobs are waited for: ``python -m tests.bench.waiting FILE``.

The file says what is waited for, and how. Marks go to standard output: ``begun``, ``settled`` once each has looked,
``counted`` after a time in which nothing else was done, ``over``; from ``counted`` on a probe watches the loop.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

Kind = Literal["triggers", "poller"]
Choice = Literal["", "sharing", "spreading", "token"]
USED = (
    "airflow_provider_ims.hooks.asynchronous",
    "airflow_provider_ims.idempotency",
    "airflow_provider_ims.triggers",
    "airflow_provider_ims.waiting",
    "tests.bench.poller",
)
LONG = 3600.0
ALONE = 0.06
"""Seconds, and some more, that each trigger takes to start which shares nothing: a TLS context, above all."""


@dataclass(frozen=True, slots=True)
class Load:
    """Jobs to wait for, ``interval`` seconds between looks at each. ``without``: a choice of the product to undo.

    ``window``: seconds for which CPU is counted.
    """

    kind: Kind
    count: int
    interval: float
    window: float
    without: Choice = ""
    job_ids: list[str] = field(default_factory=list, compare=False)
    connection: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def first_looks_within(self) -> float:
        """Seconds from the begin until each has looked, unless that takes longer than it should."""
        from airflow_provider_ims.triggers import SOONEST_RETURN

        return max(2 * SOONEST_RETURN, self.interval)

    @property
    def settles_within(self) -> float:
        """Seconds from the begin until all go on as they will."""
        return self.first_looks_within + 2 + (ALONE * self.count if self.without == "sharing" else 0.0)


def conn_id(load: Load, number: int) -> str:
    """The connection of this trigger: a single one for all, or each its own."""
    return f"ims_{number}" if load.without == "sharing" else "ims_0"


def undo_choice(load: Load) -> None:
    """Take one choice back, in this process."""
    from airflow_provider_ims import waiting
    from airflow_provider_ims.credentials import Credentials
    from airflow_provider_ims.hooks import connection
    from airflow_provider_ims.models import Token
    from airflow_provider_ims.token_store import FailedLogIns, TokenStore

    class Forgetful(TokenStore):
        """Keeps nothing, and lets all log in at the same time: as if each look had a store of its own."""

        def remember(self, who: Credentials, kept: Token | FailedLogIns) -> None:
            pass

        def lock(self, who: Credentials, owner: object) -> bool:
            return True

    if load.without == "spreading":
        waiting.JITTER = 0.0
    if load.without == "token":
        connection.token_store = lambda *_: Forgetful()  # type: ignore[assignment]


async def trigger_ends(load: Load) -> Counter[str]:
    """Run the triggers as the triggerer does, a task each; returns how many ended how."""
    from airflow_provider_ims.triggers import JobTrigger

    deadline = (datetime.now(UTC) + timedelta(seconds=LONG)).isoformat()
    first_look = load.first_looks_within / 2

    async def end_of(number: int, job_id: str) -> str:
        together = first_look if load.without == "spreading" else None
        trigger = JobTrigger(job_id, conn_id(load, number), load.interval, deadline, together)
        return str((await anext(aiter(trigger.run()))).payload["status"])

    tasks = [asyncio.create_task(end_of(*each)) for each in enumerate(load.job_ids)]
    return Counter(await asyncio.gather(*tasks))


async def poller_ends(load: Load) -> Counter[str]:
    """Run the poller; returns likewise."""
    from tests.bench.poller import Poller

    poller = Poller(load.connection, load.job_ids, load.interval)
    await poller.run()
    return Counter({status.lower(): count for status, count in poller.ends.items()})


async def live(load: Load, ends: Coroutine[Any, Any, Counter[str]]) -> None:
    """Wait for all, and leave marks."""
    from tests.bench.marks import Meter

    meter = Meter()
    sys.stdout.write(meter.mark("begun").line)
    sys.stdout.flush()
    waiting = asyncio.create_task(ends)
    for name, seconds in (("settled", load.settles_within), ("counted", load.window)):
        await asyncio.sleep(seconds)
        sys.stdout.write(meter.mark(name).line)
        sys.stdout.flush()
    while not waiting.done():
        await meter.watch(0.2)
    sys.stdout.write(meter.mark("over", dict(await waiting)).line)


def main() -> None:
    """Wait as the file says."""
    load = Load(**json.loads(Path(sys.argv[1]).read_text()))
    numbers = range(load.count) if load.without == "sharing" else range(1)
    os.environ.update({f"AIRFLOW_CONN_IMS_{number}": json.dumps(load.connection) for number in numbers})
    undo_choice(load)
    for module in USED:  # so that it counts for no trigger
        import_module(module)
    asyncio.run(live(load, trigger_ends(load) if load.kind == "triggers" else poller_ends(load)))


if __name__ == "__main__":
    main()
