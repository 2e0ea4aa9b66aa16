"""How a command speaks: its result on standard output, what happens meanwhile on standard error, and an exit status."""

from __future__ import annotations

import json
import logging
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any

from airflow.cli.simple_table import AirflowConsole
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from airflow_provider_ims import errors
from airflow_provider_ims.errors import (
    ArgumentError,
    ConnectionLookUpError,
    ImsError,
    ImsTransientError,
    JobInterruptedError,
    JobTimeoutError,
    SettingsError,
    StateStoreError,
)

WRONG, TIMED_OUT, TRY_AGAIN, INTERRUPTED = 2, 3, 4, 130

Tell = Callable[[str, float | None], None]


def exit_status(name: str) -> int:
    """The exit status that tells what kind of error it was, by the name of its class."""
    kind: type[ImsError] = getattr(errors, name)
    if issubclass(kind, ArgumentError | ConnectionLookUpError | SettingsError):
        return WRONG
    if issubclass(kind, JobTimeoutError):
        return TIMED_OUT
    lasts = issubclass(kind, JobInterruptedError | StateStoreError)  # the job has failed, or nothing can be noted here
    return TRY_AGAIN if issubclass(kind, ImsTransientError) and not lasts else 1


def command(run: Callable[[Namespace], int]) -> Callable[[Namespace], None]:
    """A function for Airflow's command line; ``args`` gets ``show``, and may set ``on_interrupt``: what to say then."""

    @wraps(run)
    def main(args: Namespace) -> None:
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"  # or connections made in the UI would not be found
        args.on_interrupt = lambda: ""
        with _results_alone():
            args.show = partial(_show, output=args.output)
            status = _run(run, args)
        raise SystemExit(status)

    return main


def _show(rows: list[dict[str, Any]], output: str) -> None:
    if output == "json":
        print(json.dumps(rows))  # Airflow's console would make text of numbers
    else:
        AirflowConsole(markup=False).print_as(rows, output)  # the cloud's words may have brackets


def _run(run: Callable[[Namespace], int], args: Namespace) -> int:
    said = Console(stderr=True)
    args.said = _Lines(said)
    try:
        with args.said.heard(args.verbose):
            return run(args)
    except ImsError as error:
        said.print(f"Error: {error}", markup=False, highlight=False, soft_wrap=True)
        return exit_status(type(error).__name__)
    except KeyboardInterrupt:
        said.print(f"Interrupted. {args.on_interrupt()}".rstrip(), markup=False, highlight=False, soft_wrap=True)
        return INTERRUPTED


@contextmanager
def _results_alone() -> Iterator[None]:
    """Within, standard output gets what the command prints, and what libraries write there goes to standard error."""
    before = sys.stdout
    if before is None:  # it is closed
        yield
        return
    before.flush()
    with os.fdopen(os.dup(1), "w", encoding=before.encoding, buffering=1) as results:
        os.dup2(2, 1)
        sys.stdout = results
        try:
            yield
            results.flush()
        except BrokenPipeError:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), results.fileno())
            raise SystemExit(1) from None  # as rich does for its tables
        finally:
            sys.stdout = before
            before.flush()
            os.dup2(results.fileno(), 1)


class _Lines(logging.Handler):
    """Prints what the package logs, a line each, on standard error."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.least = logging.INFO

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= self.least:
            self.console.print(record.getMessage(), markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def heard(self, verbose: bool) -> Iterator[None]:
        """Within, the package logs here alone."""
        logger = logging.getLogger("airflow_provider_ims")
        logger.addHandler(self)
        logger.setLevel(logging.DEBUG if verbose else logging.INFO)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(self)
            logger.propagate = True

    @property
    def can_ask(self) -> bool:
        """Whether somebody can answer."""
        return sys.stdin is not None and sys.stdin.isatty()

    def ask(self, question: str) -> bool:
        """Whether who sits at the terminal says yes."""
        self.console.print(f"{question} [y/N]", end=" ", markup=False, highlight=False, soft_wrap=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    @contextmanager
    def progress(self, of: str) -> Iterator[Tell]:
        """Within, what is told is shown: as a bar on a terminal; else the log has it."""
        if not self.console.is_terminal:
            yield lambda state, share: None
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True) as shown:
            bar = shown.add_task(of, total=None)
            self.least = logging.WARNING
            try:
                yield lambda state, share: shown.update(
                    bar, description=f"{of}: {state}", completed=share or 0.0, total=None if share is None else 1.0
                )
            finally:
                self.least = logging.INFO
