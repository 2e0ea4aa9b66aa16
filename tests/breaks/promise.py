"""What it takes to break a promise on purpose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Break:
    """A promise, the line that keeps it, what stands there when it is broken, and the tests that should see it."""

    promise: str
    file: str
    kept: str
    broken: str
    tests: str
