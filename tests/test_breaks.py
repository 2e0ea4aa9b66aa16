"""The promises that ``make test-breaking`` breaks can still be broken: each line that keeps one is there, once."""

from __future__ import annotations

import pytest

from tests.breaking import BREAKS, PACKAGE, PROJECT
from tests.breaks.promise import Break


@pytest.mark.parametrize("each", BREAKS, ids=lambda each: each.promise)
def test_the_line_is_there_once_and_so_are_the_tests(each: Break) -> None:
    assert (PROJECT / PACKAGE / each.file).read_text().count(each.kept) == 1
    assert all((PROJECT / "tests" / name).exists() for name in each.tests.split())
