"""``make test-cluster``: what a cluster can lose is lost while copies run. Every task green, one image a copy.

Prints a table of what was lost and what came of it. ``--short``: fewer copies, and all losses in one run.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.cluster.cluster import Cluster
from tests.cluster.losses import LOSSES, Copies, Outcome
from tests.real.processes import exit_status
from tests.real.rest import Run

CLOUD = ("--images", "0", "--quota", "5000", "--concurrent-copies", "5000", "--copy-seconds", "30", "--copy-spread")
SPREAD, LONG_SPREAD = "30", "180"
"""Seconds within which the copies end: so many that at each loss there are some which go on."""

COPIES, FEWER = 100, 40
COLUMNS = ("lost", "copies", "green", "images", "jobs", "retried", "most tries", "restarts", "log-ins", "seconds")

_began = time.monotonic()


def say(text: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"{time.monotonic() - _began:6.0f} s  {text}", flush=True)


def row(outcome: Outcome) -> list[str]:
    """An outcome, in the order of ``COLUMNS``."""
    one, restarts = outcome, ", ".join(f"{host} {count}" for host, count in sorted(outcome.restarts.items()))
    numbers = (one.copies, one.green, one.images.total(), one.accepted, one.retried, one.most_tries)
    return [one.name, *map(str, numbers), restarts or "none", str(one.log_ins), f"{one.seconds:.0f}"]


def table(outcomes: list[Outcome]) -> str:
    """All outcomes, as Markdown."""
    rows = [list(COLUMNS), ["---"] * len(COLUMNS), *map(row, outcomes)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def show_red(cluster: Cluster, run: Run) -> None:
    """Print what all hosts have written of the copies that did not succeed."""
    for task in run.tasks:
        if task["state"] != "success":
            print(f"--- {task['task_id']} {task['map_index']}: {task['state']}")
            print(cluster.logs(run.run_id, task["map_index"]))


def play(copies: int, together: bool, wanted: list[str]) -> int:
    """Run the plan. Returns the exit status: 1 if a promise was not held."""
    chosen = [loss for loss in LOSSES if not wanted or any(word in loss.name for word in wanted)]
    plan = {"all of it": chosen} if together else {loss.name: [loss] for loss in chosen}
    outcomes, broken = [], []
    say("starting PostgreSQL, Redis, the simulated cloud and Airflow")
    with Cluster(*CLOUD, LONG_SPREAD if together else SPREAD) as cluster:
        clients = [host for host in cluster.hosts if host.startswith(("triggerer", "worker"))]
        say(f"up: {', '.join(cluster.hosts)}")
        for name, losses in plan.items():
            run_of_copies = Copies(cluster, name, copies)
            outcome = run_of_copies.go_through(losses)
            outcomes.append(outcome)
            say(f"{name}: {outcome.green} of {copies} green in {outcome.seconds:.0f} s")
            if found := outcome.broken(len(clients)):
                broken += found
                show_red(cluster, run_of_copies.run)
        say("stopping everything")
    print(f"\n{table(outcomes)}\n")
    print("\n".join(broken) or "every promise was held")
    return 1 if broken else 0


def main() -> int:
    """The command: 128 + the signal's number if stopped by one."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("losses", nargs="*", metavar="WORD", help="only losses with such a word in their name")
    parser.add_argument("--copies", type=int, help=f"how many in each run (default: {COPIES}, short: {FEWER})")
    parser.add_argument("--short", action="store_true", help="all losses in one run")
    asked = parser.parse_args()
    copies = asked.copies or (FEWER if asked.short else COPIES)
    return exit_status(lambda: play(copies, asked.short, asked.losses))


if __name__ == "__main__":
    sys.exit(main())
