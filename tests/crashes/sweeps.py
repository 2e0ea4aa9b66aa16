"""A run of the DAG ``deaths``: what each copy's processes have passed, and what the cloud shows in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_ims.simulator import Cloud
from tests.real.clouds import cloud_of_its_own
from tests.real.rest import Run
from tests.real.stack import Stack

LAGGING: dict[str, Any] = {"copy_seconds": 3.0, "list_lag": 7.5, "quota": 500, "concurrent_copies": 200}


def around(process: str, *what: str) -> list[str]:
    """The points before and after each of these."""
    return [f"{process} {when} {each}" for each in what for when in ("before", "after")]


@contextmanager
def lagging_cloud(stack: Stack, conn_id: str, **settings: Any) -> Iterator[Cloud]:
    """A cloud that lists images late, and a connection to it that is impatient, and knows where images are shown."""
    extra = {"timeout": 3, "console_url": "https://console.example.com/#/image/{image_id}"}
    with cloud_of_its_own(stack, conn_id, extra=extra, **(LAGGING | settings)) as cloud:
        yield cloud


def wait_for_copies(run: Run, cloud: Cloud, count: int) -> None:
    """Wait until the cloud has accepted so many."""
    run.api.wait_for(f"{count} copies", lambda: cloud.counters["copies_accepted"] >= count, 300)


class Sweep:
    """One copy for each of ``deaths``, in a cloud of its own: each dies at its point, and is tried again."""

    def __init__(self, stack: Stack, conn_id: str, deaths: Sequence[str], **more: str) -> None:
        self.deaths = deaths
        dag_id = more.pop("dag_id", "deaths")
        self.run: Run = stack.api.start(dag_id, {"deaths": list(deaths), "ims_conn_id": conn_id, **more})
        self._record: Path = stack.home / "points" / conn_id

    @property
    def record(self) -> list[tuple[int, int, str]]:
        """Map index, try and point, as they were passed."""
        lines = self._record.read_text().splitlines() if self._record.exists() else []
        return [(int(index), int(attempt), what) for index, attempt, what in (line.split(" ", 2) for line in lines)]

    def points(self, index: int = 0) -> list[str]:
        """What the first try has passed."""
        return [what for at, attempt, what in self.record if (at, attempt) == (index, 1) and "starts" not in what]

    @property
    def starts(self) -> int:
        """How many processes of tasks have been started."""
        return sum(" starts " in what for _, _, what in self.record)

    @property
    def summary(self) -> str:
        """What it took, for whoever reads the test's output."""
        deaths = len(self.died())
        return f"{len(self.deaths)} copies, {deaths} deaths, {self.starts} processes, {self.run.seconds:.0f} s"

    def check_deaths(self, *but: str) -> None:
        """There was a death at each point, ``but`` at those."""
        spared = {index for index, death in enumerate(self.deaths) if death not in but} - self.died()
        assert not spared, "\n\n".join(f"{self.deaths[index]}:\n{self.logs(index)}" for index in spared)

    def died(self) -> set[int]:
        """The map indexes at which there was a death."""
        return {index for index, _, what in self.record if what == "dies"}

    def logs(self, index: int) -> str:
        """All that the tries of one copy have written."""
        (task,) = (each for each in self.run.tasks if each["map_index"] == index)
        tries = range(1, task["try_number"] + 1)
        return "\n".join(self.run.log("copy_image", number, index) for number in tries)

    def check(self, cloud: Cloud, seconds: float = 300) -> None:
        """In the end every task is green, and has made one image."""
        self.run.wait(seconds)
        tasks = {task["map_index"]: task["state"] for task in self.run.tasks if task["task_id"] == "copy_image"}
        red = {self.deaths[index]: self.logs(index) for index, state in tasks.items() if state != "success"}
        assert not red, "\n\n".join(f"{death}:\n{log}" for death, log in red.items())
        images = Counter(image["name"] for image in cloud.copies())
        wrong = {
            death: (images[death], self.logs(index)) for index, death in enumerate(self.deaths) if images[death] != 1
        }
        assert not wrong, "\n\n".join(f"{death}: {count} images\n{log}" for death, (count, log) in wrong.items())
        assert cloud.counters["copies_accepted"] == len(self.deaths)
        ids = {image["name"]: image["id"] for image in cloud.copies()}
        assert {death: self.run.xcom("copy_image", "image_id", index) for index, death in enumerate(self.deaths)} == ids
