"""The plan: what is lost while copies are begun and waited for, and what is held against what came of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.cluster.cluster import Cluster
from tests.real.processes import StackError
from tests.real.rest import OVER, Run

LONGER = 45.0
"""Seconds for which a way is cut: longer than it takes until Airflow takes the triggerer behind it for dead."""

PATIENCE = 1800.0
"""Seconds that a run may take, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that is lost: by ``strike(cluster, 0)`` as copies are begun, by ``strike(cluster, 1)`` as they end.

    ``times``: 1, if that lasts so long that only the first makes sense.
    """

    name: str
    strike: Callable[[Cluster, int], None]
    times: int = 2


LOSSES = (
    Loss("worker killed", lambda cluster, which: cluster.lose(f"worker-{1 + which}")),
    Loss("triggerer killed", lambda cluster, _: cluster.lose(cluster.busiest_triggerer())),
    Loss("scheduler killed", lambda cluster, _: cluster.lose("scheduler")),
    Loss("api-server killed", lambda cluster, _: cluster.lose("api-server")),
    Loss("database crashed", lambda cluster, _: cluster.lose_database()),
    Loss("Redis restarted", lambda cluster, _: cluster.restart("redis")),
    Loss(
        "triggerer cut off from the cloud",
        lambda cluster, _: cluster.cut(cluster.busiest_triggerer(), "cloud", LONGER),
        times=1,
    ),
    Loss(
        "triggerer cut off from Airflow",
        lambda cluster, _: cluster.cut(cluster.busiest_triggerer(), "Airflow", LONGER),
        times=1,
    ),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run of copies.

    ``restarts``: of each host, by the plan or because it had ended by itself. ``log_ins``: of all hosts together since
    the cluster was started.
    """

    name: str
    copies: int
    green: int
    images: Counter[str]
    accepted: int
    most_tries: int
    retried: int
    restarts: Counter[str]
    log_ins: int
    seconds: float

    def broken(self, hosts: int) -> list[str]:
        """The promises that were not held, as sentences. ``hosts``: how many of them talk to the cloud."""
        several = sorted(name for name, count in self.images.items() if count > 1)
        held = {
            f"{self.copies - self.green} of {self.copies} copies are not green": self.green == self.copies,
            f"{len(self.images)} names have an image, not {self.copies}": len(self.images) == self.copies,
            f"more than one image of {', '.join(several)}": not several,
            f"the cloud began {self.accepted} jobs for {self.copies} copies": self.accepted == self.copies,
            f"{self.log_ins} log-ins of {hosts} hosts": self.log_ins <= hosts,
        }
        return [f"{self.name}: {promise}" for promise, is_held in held.items() if not is_held]


class Copies:
    """A run of so many mapped copies, whose names begin with that of the run."""

    def __init__(self, cluster: Cluster, name: str, count: int) -> None:
        self._cluster = cluster
        self._name = name
        self._count = count
        self._accepted = self._counters["copies_accepted"]
        self._restarts = Counter(cluster.restarts)
        conf = {"names": name, "copies": count}
        self.run: Run = self._patiently(lambda: cluster.api.start("many_copies", conf))

    def begun(self) -> int:
        """How many of them the cloud has accepted."""
        return self._counters["copies_accepted"] - self._accepted

    def over(self) -> int:
        """How many images are there."""
        return sum(image["status"] == "active" for image in self._images)

    def go_through(self, losses: Sequence[Loss]) -> Outcome:
        """Lose each of these twice, evenly spread, and wait for the end of the run."""
        for which, progress in enumerate((self.begun, self.over)):
            struck = [loss for loss in losses if which < loss.times]
            for number, loss in enumerate(struck, 1):
                wanted = 1 + self._count * number // (2 * len(struck) + 1)
                self._wait(f"{wanted} copies before {loss.name}", partial(_has_come_to, progress, wanted))
                loss.strike(self._cluster, which)
        self._wait("the end of the run", lambda: self.run.state in OVER)
        return self._outcome(self._patiently(lambda: self.run.tasks), self._patiently(lambda: self.run.seconds))

    def _outcome(self, tasks: Sequence[Mapping[str, Any]], seconds: float) -> Outcome:
        tasks = [task for task in tasks if task["task_id"] == "copy_image"]
        return Outcome(
            name=self._name,
            copies=self._count,
            green=sum(task["state"] == "success" for task in tasks),
            images=Counter(image["name"] for image in self._images),
            accepted=self.begun(),
            most_tries=max(task["try_number"] for task in tasks),
            retried=sum(task["try_number"] > 1 for task in tasks),
            restarts=self._cluster.restarts - self._restarts,
            log_ins=self._counters["POST log_in"],
            seconds=seconds,
        )

    @property
    def _counters(self) -> Counter[str]:
        return Counter(self._cluster.simulator.control("state")["counters"])

    @property
    def _images(self) -> list[dict[str, Any]]:
        found = self._cluster.simulator.control("state")["images"]
        return [image for image in found if image["name"].startswith(f"{self._name} ")]

    def _wait(self, what: str, happened: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not self._patiently(happened):
            if time.monotonic() > until:
                raise StackError(f"{self._name}: waited {PATIENCE:.0f} s for {what}")
            self._cluster.pause(1)

    def _patiently(self, ask: Callable[[], Any]) -> Any:
        """What is answered; while a loss has left nobody who could, ask again."""
        for left in reversed(range(30)):
            try:
                return ask()
            except StackError:
                if not left:
                    raise
                self._cluster.pause(3)
        raise AssertionError("the last one raises")


def _has_come_to(progress: Callable[[], int], wanted: int) -> bool:
    return progress() >= wanted
