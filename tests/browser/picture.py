"""``make picture``: the README's picture, taken by a real browser from the grid of a real Airflow after real runs.

It needs what the rest of the project does not: playwright in ``.venv`` and a Chromium on the machine.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import time
from typing import Any

from tests.real.processes import StackError, exit_status, pause
from tests.real.rest import Run
from tests.real.stack import PROJECT, USER, Stack

DAG = "copy_image_by_hand"
NAMES = ("golden-web", "golden-database", "golden-worker", "golden-gateway")
"""What the copies are called; each is a run of its own, one after the other."""

PICTURE = PROJECT / ".github" / "pictures" / "grid.png"
LARGEST = 300_000
"""Bytes that the file may have, so that the README stays quick to load."""

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",  # it runs as root too, and sees only our own pages
    "--no-proxy-server",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PAGE = {
    "viewport": {"width": 1440, "height": 560},
    "device_scale_factor": 2,
    "color_scheme": "light",
    "reduced_motion": "reduce",
    "locale": "en-US",
    "timezone_id": "UTC",
}
WIDER_GRID = {"details-panel,main-panel": {"expandToSizes": {}, "layout": [24, 76]}}
"""The panels in per cent, as the UI keeps them when somebody moves the border: room for all the runs."""

STILL_FOR = 3
"""So many equal pictures in a row, half a second apart, are a page that has settled."""


def browser_library() -> Any:
    """Playwright's module, or a ``StackError`` that says how to install it."""
    try:
        return importlib.import_module("playwright.sync_api")
    except ImportError as error:
        raise StackError(
            f"The picture needs playwright ({error}); install it with: {sys.executable} -m pip install playwright"
        ) from error


def chromium() -> str:
    """Where the browser is, or a ``StackError`` that says how to install it."""
    for name in CHROMIUMS:
        if path := shutil.which(name):
            return path
    raise StackError("The picture needs Chromium, and there is none; on Debian and Ubuntu: apt install chromium")


def copy_images(stack: Stack) -> list[Run]:
    """Run the DAG once for each name; every run must succeed."""
    runs = []
    for name in NAMES:
        run = stack.api.run(DAG, {"image_id": stack.simulator.images[0], "name": name})
        if run.state != "success":
            raise StackError(f"the run that copies to {name} is {run.state}")
        print(f"{name}: copied in {run.seconds:.0f} s", flush=True)
        runs.append(run)
    return runs


def log_in(page: Any, stack: Stack) -> None:
    """Fill in the form that the first visit leads to."""
    page.goto(stack.url)
    page.fill("input[name=username]", USER)
    page.fill("input[name=password]", stack.password)
    page.keyboard.press("Enter")
    page.get_by_test_id("nav-dags-link").wait_for()


def open_run(page: Any, stack: Stack, runs: list[Run]) -> None:
    """Show the grid with the last run selected, once every cell and the run's tasks are there."""
    layout = json.dumps(WIDER_GRID)
    page.evaluate("layout => localStorage.setItem('react-resizable-panels:grid-ltr', layout)", layout)
    page.goto(f"{stack.url}/dags/{DAG}/runs/{runs[-1].run_id}?sort=start_date")
    for task in ("copy_image", "wait_for_copy"):
        for run in runs:
            page.get_by_test_id(f"grid-{run.run_id}-{task}").wait_for()
        page.get_by_role("row").filter(has_text=task).get_by_text("Success").wait_for()


def still_picture(page: Any) -> bytes:
    """A picture of the page, once it no longer changes."""
    before, equal = b"", 1
    until = time.monotonic() + 30
    while equal < STILL_FOR:
        if time.monotonic() > until:
            raise StackError("the page did not settle within 30 s")
        pause(0.5)
        now: bytes = page.screenshot()
        equal = equal + 1 if now == before else 1
        before = now
    return before


def take(library: Any, executable: str, stack: Stack, runs: list[Run]) -> bytes:
    """The picture, from a browser with a fresh profile that is closed again."""
    try:
        with library.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=executable, headless=True, args=list(FLAGS))
            try:
                page = browser.new_context(**PAGE).new_page()
                log_in(page, stack)
                open_run(page, stack, runs)
                return still_picture(page)
            finally:
                browser.close()
    except library.Error as error:
        pause(0.5)  # Ctrl-C ends the browser as well
        stack.check()
        raise StackError(f"the browser: {error}") from error


def make_picture() -> int:
    """From nothing to the file."""
    library, executable = browser_library(), chromium()
    print("Starting the simulated cloud and Airflow ...", flush=True)
    with Stack(simulator_arguments=["--copy-seconds", "12"]) as stack:
        image = take(library, executable, stack, copy_images(stack))
    if len(image) > LARGEST:
        raise StackError(f"the picture has {len(image)} bytes, more than {LARGEST}; it is not written")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_bytes(image)
    print(f"{PICTURE.relative_to(PROJECT)}: {len(image) / 1000:.0f} kB", flush=True)
    return 0


def main() -> int:
    """The command: 0 only if the picture was taken; 128 + the signal's number if stopped by one."""
    return exit_status(make_picture)


if __name__ == "__main__":
    sys.exit(main())
