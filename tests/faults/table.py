"""What has been seen, as the Markdown table that people read."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.playing import Play
from tests.faults.troubles import ROUTES, TROUBLES, Times

Seen = dict[Play, str]

SENSORS = ("log-in", "image", "job")
"""Where the sensor goes; the operator goes everywhere."""

TITLES: dict[Times, str] = {1: "The fault strikes once", None: "The fault strikes for ever"}
WAYS = {
    ("operator", True): "deferred",
    ("operator", False): "in the worker",
    ("sensor", True): "deferred",
    ("sensor", False): "rescheduled",
}
HEAD = """# What comes of each fault

Each cell says how the first try of a waiting `CopyImageOperator` / of a `JobSensor` ends when that endpoint fails in
that way; "list at the end" is the look at all images before a copy counts as made, and `-` is what makes no sense. A
green task always has the one image, active; `adopted`: its answer was lost, and the copy was known again by its image;
after a transient failure of the operator a second try, the fault being over, always ends with the one image.

All ways of waiting agree (in the triggerer, in the worker, rescheduled){but}. The table is made and checked by
`make test-faults`; `.venv/bin/python -m pytest tests/faults --write` writes it anew.
"""


def plays(trouble: str, endpoint: str, times: Times) -> list[Play]:
    """Both kinds of tasks in both of their ways, where they go."""
    kinds = ["operator", "sensor"] if endpoint in SENSORS else ["operator"]
    return [Play(trouble, endpoint, times, kind, way) for kind in kinds for way in (True, False)]


def render(seen: Seen) -> str:
    """The whole file."""
    differs = any(len({seen.get(play) for play in _alike(play)}) > 1 for play in seen)
    but = " but where a cell names them" if differs else ""
    return "\n".join([HEAD.format(but=but), *(line for times in TITLES for line in _table(seen, times))])


def _alike(play: Play) -> list[Play]:
    return [Play(play.trouble, play.endpoint, play.times, play.kind, way) for way in (True, False)]


def _table(seen: Seen, times: Times) -> Iterator[str]:
    yield from (f"## {TITLES[times]}", "", f"| fault | {' | '.join(ROUTES)} |", f"|---|{'---|' * len(ROUTES)}")
    for trouble in TROUBLES:
        yield f"| {trouble} | {' | '.join(_cell(seen, trouble, endpoint, times) for endpoint in ROUTES)} |"
    yield ""


def _cell(seen: Seen, trouble: str, endpoint: str, times: Times) -> str:
    if endpoint not in TROUBLES[trouble].endpoints:
        return "-"
    both = [_words(seen, Play(trouble, endpoint, times, kind, True)) for kind in ("operator", "sensor")]
    return " / ".join(both)


def _words(seen: Seen, play: Play) -> str:
    found = {WAYS[each.kind, each.deferrable]: seen.get(each, "-") for each in _alike(play)}
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    return "; ".join(f"{way}: {words}" for way, words in found.items())
