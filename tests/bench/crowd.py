"""A cloud in which many jobs run, and what arrives there: when each is looked at, and how late its end is seen."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from airflow_provider_ims.simulator import Arrival, Cloud, Fault, Settings, connection_to, running
from airflow_provider_ims.simulator.copies import GOLDEN
from airflow_provider_ims.simulator.nouns import NEVER, CopyJob
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE


class Seen(NamedTuple):
    """A request: ``at`` is seconds since 1970, ``job_id`` empty where it asks for something else."""

    at: float
    route: str
    job_id: str
    status: int | None


class Crowd:
    """So many jobs that run until ``end_jobs``. ``seen``: all requests so far; ``connection``: the way here."""

    def __init__(self, count: int) -> None:
        self.cloud = Cloud(Settings())
        self.cloud.arrivals = deque(maxlen=0)  # what is needed of them is in `seen`, and much smaller
        self.cloud.on_arrival = self._note
        self.seen: list[Seen] = []
        self.connection: dict[str, Any] = {}
        self.jobs = [self._job() for _ in range(count)]
        self.job_ids = [job.id for job in self.jobs]

    def _job(self) -> CopyJob:
        """One that makes an image that is there already, so that the simulator has few images to look through."""
        state, now = self.cloud.state, self.cloud.state.now()
        ids = state.fresh_id("job"), state.settings.project_id, PLAIN_IMAGE, PLAIN_IMAGE
        job = CopyJob(*ids, "copy", submitted_at=now, starts_at=now, ends_at=now + NEVER)
        state.jobs[job.id] = job
        return job

    def _note(self, arrival: Arrival) -> None:
        job_id = arrival.path.rpartition("/")[2] if arrival.route == "job" else ""
        self.seen.append(Seen(arrival.instant.timestamp(), arrival.route, job_id, arrival.status))

    def end_jobs(self, within: float) -> None:
        """Let them end from now on, spread over so many seconds."""
        now = self.cloud.state.now()
        for number, job in enumerate(self.jobs):
            job.ends_at = now + timedelta(seconds=within * (number * GOLDEN % 1))

    def throttle(self) -> None:
        """Refuse everything from now on, without a word about when to come back."""
        self.cloud.faults.add(Fault("*", "status", status=429, times=None))

    def looks(self, since: float, until: float) -> list[Seen]:
        """The looks at jobs between two instants that were answered with news."""
        return [each for each in list(self.seen) if each.job_id and each.status == 200 and since <= each.at < until]

    def requests_a_second(self, since: float, until: float) -> list[int]:
        """How many requests of any kind arrived in each second between two instants, the last one cut short."""
        counts = Counter(int(each.at - since) for each in list(self.seen) if since <= each.at < until)
        return [counts[second] for second in range(int(until - since) + 1)]

    def gaps(self, since: float, until: float) -> list[float]:
        """Seconds between two looks at one job, of all jobs."""
        instants: dict[str, list[float]] = defaultdict(list)
        for each in self.looks(since, until):
            instants[each.job_id].append(each.at)
        return [after - before for each in instants.values() for before, after in pairwise(each)]

    def first_looks(self, since: float = 0.0) -> list[float]:
        """When each job was looked at for the first time since then, of those that were; the last one is the last."""
        first: dict[str, float] = {}
        for each in self.looks(since, float("inf")):
            first.setdefault(each.job_id, each.at)
        return list(first.values())

    def noticed(self) -> list[float]:
        """Seconds from a job's end until the first look after it arrived, of those that have been noticed."""
        ends = {job.id: job.ends_at.timestamp() for job in self.jobs}
        first: dict[str, float] = {}
        for each in self.looks(0.0, float("inf")):
            if each.at >= ends[each.job_id]:
                first.setdefault(each.job_id, each.at - ends[each.job_id])
        return list(first.values())


@contextmanager
def crowd(count: int) -> Iterator[Crowd]:
    """Within, a simulator serves it, in a thread of this process."""
    gathered = Crowd(count)
    with running(gathered.cloud) as server:
        gathered.connection = connection_to(server.url, gathered.cloud.settings)
        yield gathered


@dataclass(frozen=True, slots=True)
class Spread:
    """How far values lie apart; all 0 where there are none."""

    least: float
    median: float
    p99: float
    """What 99 of 100 do not exceed."""
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        ordered = sorted(values) or [0.0]
        return cls(ordered[0], statistics.median(ordered), ordered[int(0.99 * (len(ordered) - 1))], ordered[-1])
