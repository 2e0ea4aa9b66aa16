"""A place for tokens that hosts share, without Airflow."""

from __future__ import annotations


class Variables:
    """A shelf without locks, as Airflow's Variables are; ``denied``: it cannot be used, ``full``: not written."""

    place = "the variables"
    remedy = "allow it"

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.denied = self.full = False
        self.asked = 0

    def read(self, name: str) -> bytes | None:
        self._ask()
        return self.kept.get(name)

    def write(self, name: str, sealed: bytes) -> None:
        self._ask()
        if self.full:
            raise OSError("full")
        self.kept[name] = sealed

    def remove(self, name: str) -> None:
        self._ask()
        self.kept.pop(name, None)

    def lock(self, name: str) -> None:
        return None

    def _ask(self) -> None:
        self.asked += 1
        if self.denied:
            raise OSError("not yours")
