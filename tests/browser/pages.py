"""Airflow's pages as a person sees them: the browser, the log-in, and pictures of what is there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import expect, sync_playwright

from tests.real.processes import pause
from tests.real.stack import PROJECT, USER, Stack

PICTURES = PROJECT / ".github" / "pictures"
LARGEST = 300_000
"""Bytes that a picture may have, so that the README stays quick to load."""

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
LOOKS = {
    "viewport": {"width": 1440, "height": 900},
    "device_scale_factor": 1.25,
    "color_scheme": "light",
    "reduced_motion": "reduce",
    "locale": "en-US",
    "timezone_id": "UTC",
}
PATIENCE = 120_000
"""Milliseconds for which a page may be busy before a test fails."""


def chromium() -> str | None:
    """Where the browser is, if there is one."""
    return next((path for name in CHROMIUMS if (path := shutil.which(name))), None)


@contextmanager
def browsing(stack: Stack) -> Iterator[Any]:
    """Within, a browser with a fresh profile, which has logged in."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), headless=True, args=list(FLAGS))
        try:
            context = browser.new_context(**LOOKS)
            context.set_default_timeout(PATIENCE)
            expect.set_options(timeout=PATIENCE)
            page = context.new_page()
            page.goto(stack.url)
            page.fill("input[name=username]", USER)
            page.fill("input[name=password]", stack.password)
            page.keyboard.press("Enter")
            page.get_by_test_id("nav-dags-link").wait_for()
            page.close()
            yield context
        finally:
            browser.close()


def take_picture(seen: Any, name: str) -> None:
    """Write ``.github/pictures/<name>.png``: the page, or a part of it, once it has been still for a second."""
    before, since = b"", time.monotonic()
    while time.monotonic() < since + 1:
        now = seen.screenshot()
        if now != before:
            before, since = now, time.monotonic()
        pause(0.3)
    assert len(before) < LARGEST, f"{name}.png has {len(before)} bytes, more than {LARGEST}"
    (PICTURES / f"{name}.png").write_bytes(before)
