"""Ends of tasks in the triggerer, many at a time.

Airflow has the DAG's file parsed for such ends, and once more after that, for up to twenty of them together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from weakref import WeakKeyDictionary

AT_MULTIPLES_OF = 20.0
"""Seconds of the clock, so that those of several triggerers come at once as well."""


class Ends:
    """The ends of one event loop: they wait for those that are to come, but until the next multiple of ``every`` only.

    ``every``: seconds of the clock.
    """

    def __init__(self, every: float = AT_MULTIPLES_OF) -> None:
        self._every = every
        self._to_come = 0
        self._all_came = asyncio.Event()

    @contextmanager
    def expected(self) -> Iterator[None]:
        """Within, one more is to come."""
        self._to_come += 1
        try:
            yield
        finally:
            self._to_come -= 1
            if not self._to_come:
                self._all_came.set()
                self._all_came = asyncio.Event()  # the former knows its loop, which would live as long

    async def together(self) -> None:
        """Wait for the others."""
        if self._to_come:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every - time.time() % self._every):
                    await self._all_came.wait()


_ends: WeakKeyDictionary[asyncio.AbstractEventLoop, Ends] = WeakKeyDictionary()


def ends_here() -> Ends:
    """Those of the running loop."""
    return _ends.setdefault(asyncio.get_running_loop(), Ends())
