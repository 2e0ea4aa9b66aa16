"""Every fault on every endpoint, against both tasks in both of their ways: each ends as the table by hand says."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

import pytest

from tests.faults import expected
from tests.faults.conftest import FILE
from tests.faults.playing import Play
from tests.faults.table import Seen, plays, render
from tests.faults.troubles import ROUTES, TROUBLES, Times

TABLES: Mapping[Times, Mapping[str, list[tuple[str, str]]]] = {
    1: expected.read(expected.ONCE),
    None: expected.read(expected.FOR_EVER),
}
CELLS = [
    (trouble, endpoint, times) for times in TABLES for trouble in TROUBLES for endpoint in TROUBLES[trouble].endpoints
]


@pytest.mark.parametrize(("trouble", "endpoint", "times"), CELLS)
def test_it_ends_as_expected(
    trouble: str, endpoint: str, times: Times, played: Mapping[Play, Future[str]], seen: Seen
) -> None:
    operator, sensor = TABLES[times][trouble][list(ROUTES).index(endpoint)]
    ours = plays(trouble, endpoint, times)
    seen.update({play: played[play].result() for play in ours})
    assert {play: seen[play] for play in ours} == {
        play: operator if play.kind == "operator" else sensor for play in ours
    }


@pytest.mark.parametrize("times", TABLES)
def test_the_table_by_hand_has_every_cell(times: Times) -> None:
    cells = {
        (trouble, endpoint)
        for trouble, row in TABLES[times].items()
        for endpoint, words in zip(ROUTES, row, strict=True)
        if words != ("-", "-")
    }
    assert cells == {(trouble, endpoint) for trouble in TROUBLES for endpoint in TROUBLES[trouble].endpoints}


def test_the_file_says_what_was_seen(request: pytest.FixtureRequest, seen: Seen) -> None:
    if sum("played" in getattr(item, "fixturenames", ()) for item in request.session.items) < len(CELLS):
        pytest.skip("only a part was played")
    if request.config.getoption("write"):
        FILE.write_text(render(seen))
    assert FILE.read_text() == render(seen)
