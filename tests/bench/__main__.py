"""``make bench``: what waiting costs, measured; ``python -m tests.bench --help`` lists the parts and a quick mode.

Prints figures and promises. A complete run also writes its tables and pictures into the README.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench import storm_report, triggerer, triggers_report, ways, ways_report, worth_report
from tests.bench.report import KEPT, README, Report, between_markers
from tests.bench.waiting import Load
from tests.real.processes import exit_status

FULL = (20, 100)
"""Numbers of copies of a complete run."""

TRIGGERS = (100, 1_000, 5_000)
"""Numbers of triggers of a complete run."""

IN_TRIGGERER = 1_000
"""The most triggers for a real triggerer, and for the comparison of choices."""

THROTTLED_FOR = 60.0

_began = time.monotonic()


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for: parts, numbers of copies for the part ``ways``, of triggers for the others."""

    parts: Sequence[str]
    copies: Sequence[int]
    triggers: Sequence[int]

    @property
    def is_complete(self) -> bool:
        return (tuple(self.parts), tuple(self.copies), tuple(self.triggers)) == (tuple(PARTS), FULL, TRIGGERS)

    @property
    def in_triggerer(self) -> int:
        return min(IN_TRIGGERER, max(self.triggers))


def say(text: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"{time.monotonic() - _began:6.0f} s  {text}", flush=True)


def measure_ways(wish: Wish) -> Report:
    """The same copies on each way of waiting."""
    return ways_report.report(ways.measure(wish.copies, say))


def real_triggerer(wish: Wish) -> triggerer.RealTriggerer:
    """Measured once, for two parts."""
    load = Load("triggers", wish.in_triggerer, triggers_report.INTERVAL, triggers_report.WINDOW)
    return triggerer.measure(load, THROTTLED_FOR, say)


def measure_triggers(wish: Wish) -> Report:
    """Very many waits in one event loop."""
    return triggers_report.report(wish.triggers, real_triggerer(wish), say)


def measure_storm(wish: Wish) -> Report:
    """All triggers at once, and a throttled cloud."""
    return storm_report.report(real_triggerer(wish))


def measure_worth(wish: Wish) -> Report:
    """What each choice is worth."""
    return worth_report.report(wish.in_triggerer, say)


PARTS: Mapping[str, Callable[[Wish], Report]] = {
    "ways": measure_ways,
    "triggers": measure_triggers,
    "storm": measure_storm,
    "worth": measure_worth,
}


def wished(arguments: Sequence[str] | None = None) -> Wish:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"which of {', '.join(PARTS)} (default: all); fewer leave the README"
    )
    parser.add_argument("--copies", type=int, nargs="+", default=FULL, help="quick: other numbers; leaves the README")
    parser.add_argument("--triggers", type=int, nargs="+", default=TRIGGERS, help="quick: likewise")
    given = parser.parse_args(arguments)
    if unknown := sorted(set(given.parts) - set(PARTS)):
        parser.error(f"no such part: {', '.join(unknown)}")
    return Wish(given.parts or list(PARTS), given.copies, given.triggers)


def run(wish: Wish) -> int:
    """Run the parts in order. Returns the exit status: 1 if a promise was not held."""
    reports: list[Report] = []
    if wish.is_complete:
        for name in wish.parts:
            between_markers(README.read_text(), name, "")  # better now than in an hour
    for name in wish.parts:
        report = PARTS[name](wish)
        report.keep()
        print(f"\n{report.markdown}\n", flush=True)
        reports.append(report)
    if wish.is_complete:
        for report in reports:
            report.publish()
    promises = [promise for report in reports for promise in report.promises]
    print("\n".join(map(str, promises)))
    say(f"raw results are in {KEPT}")
    return 0 if all(promise.held for promise in promises) else 1


def main() -> int:
    """The command: 128 + the signal's number if stopped by one."""
    wish = wished()
    return exit_status(lambda: run(wish))


if __name__ == "__main__":
    sys.exit(main())
