"""``make bench``: what waiting costs, measured; ``python -m tests.bench --help`` lists the parts and a quick mode.

Prints figures and promises. A complete run also writes its tables and pictures into the README.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench import ways, ways_report
from tests.bench.report import KEPT, README, Promise, Report, between_markers
from tests.real.processes import InterruptedBySignal, StackError, heed_signals

FULL = (20, 100)
"""Numbers of copies of a complete run."""

_began = time.monotonic()


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for: parts, and numbers of copies for the part ``ways``."""

    parts: Sequence[str]
    copies: Sequence[int]

    @property
    def is_complete(self) -> bool:
        return tuple(self.copies) == FULL


def say(text: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"{time.monotonic() - _began:6.0f} s  {text}", flush=True)


def measure_ways(wish: Wish) -> Report:
    """The same copies on each way of waiting."""
    return ways_report.report(ways.measure(wish.copies, say))


PARTS: Mapping[str, Callable[[Wish], Report]] = {"ways": measure_ways}


def wished(arguments: Sequence[str] | None = None) -> Wish:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"which of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--copies", type=int, nargs="+", default=FULL, help="quick: other numbers; leaves the README")
    given = parser.parse_args(arguments)
    if unknown := sorted(set(given.parts) - set(PARTS)):
        parser.error(f"no such part: {', '.join(unknown)}")
    return Wish(given.parts or list(PARTS), given.copies)


def run(wish: Wish) -> int:
    """Run the parts in order. Returns the exit status: 1 if a promise was not held."""
    promises: list[Promise] = []
    if wish.is_complete:
        for name in wish.parts:
            between_markers(README.read_text(), name, "")  # better now than in half an hour
    for name in wish.parts:
        report = PARTS[name](wish)
        report.keep()
        if wish.is_complete:
            report.publish()
        print(f"\n{report.markdown}\n", flush=True)
        promises += report.promises
    print("\n".join(map(str, promises)))
    say(f"raw results are in {KEPT}")
    return 0 if all(promise.held for promise in promises) else 1


def main() -> int:
    """The command: 128 + the signal's number if stopped by one."""
    wish = wished()
    heed_signals()
    try:
        return run(wish)
    except InterruptedBySignal as stopped:
        say("stopped")
        return stopped.exit_code
    except StackError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
