"""The table of OTHERS.md is what the tests of this folder have seen; it comes after all of them, by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.others.table import FILE, Seen


def test_the_file_says_what_was_seen(request: pytest.FixtureRequest, seen: Seen) -> None:
    ran = {item.path.name for item in request.session.items if "seen" in getattr(item, "fixturenames", ())}
    there = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    if ran != there or request.session.testsfailed or request.config.option.keyword:
        pytest.skip("only a part was asked")
    if request.config.getoption("write"):
        FILE.write_text(seen.render())
    assert FILE.read_text() == seen.render()
