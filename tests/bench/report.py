"""What a part of the bench hands over, and where it is written: a table in the README, a picture, what was promised."""

from __future__ import annotations

import json
import os
import platform
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.real.stack import PROJECT

README = PROJECT / "README.md"
PICTURES = PROJECT / ".github" / "pictures"
OURS, THEIRS = "#e20074", "#8a8a8a"
T = TypeVar("T")
Panels = Mapping[str, tuple[str, Callable[[T], float]]]
"""What a picture shows: headings, each with how its figures are written and where they are."""

KEPT = PROJECT / "build" / "bench"
"""Where the raw results are left; not part of the repository."""


@dataclass(frozen=True, slots=True)
class Promise:
    """Something that the figures must show, and what they showed."""

    text: str
    seen: str
    held: bool

    @classmethod
    def at_most(cls, text: str, seen: float, most: float) -> Promise:
        return cls(text, f"{seen:.4g} of at most {most:.4g}", seen <= most)

    def __str__(self) -> str:
        return f"{'held    ' if self.held else 'NOT HELD'}  {self.text}: {self.seen}"


@dataclass(frozen=True, slots=True)
class Report:
    """One part's outcome. ``name`` is that of its markers in the README, its picture and its raw results."""

    name: str
    markdown: str
    draw: Callable[[Path], None]
    promises: Sequence[Promise]
    raw: Any

    def keep(self) -> None:
        """Leave raw results, table and picture in ``KEPT``."""
        KEPT.mkdir(parents=True, exist_ok=True)
        (KEPT / f"{self.name}.json").write_text(json.dumps(self.raw, indent=1, default=str) + "\n")
        (KEPT / f"{self.name}.md").write_text(self.markdown + "\n")
        self.draw(KEPT / f"{self.name}.svg")

    def publish(self) -> None:
        """Put table and picture into the README."""
        picture = PICTURES / f"bench-{self.name}.svg"
        self.draw(picture)
        shown = f"{self.markdown}\n\n![The same as a picture]({picture.relative_to(PROJECT)})"
        README.write_text(between_markers(README.read_text(), self.name, shown))


def between_markers(text: str, name: str, block: str) -> str:
    """``text`` with ``block`` in place of what stands between the markers of that name."""
    begin, end = f"<!-- bench:{name} -->\n", f"<!-- /bench:{name} -->"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"the README must have {begin.strip()} and {end}")
    return f"{before}{begin}{block}\n{end}{after}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def filled(text: str) -> str:
    """A paragraph in lines of the README's length."""
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def machine() -> str:
    """Where the figures come from, in words."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}"


def bars(path: Path, panels: Panels[T], shown: Sequence[tuple[str, T, bool]], title: str = "") -> None:
    """A picture of a panel a figure and a bar a line. ``shown``: name, figures, and whether they are ours as it is."""
    from matplotlib.figure import Figure

    upwards = list(reversed(shown))
    figure = Figure(figsize=(12, 0.9 + 0.35 * len(shown)), layout="constrained")
    figure.suptitle(title, fontsize=11)
    for axes, (heading, (form, value)) in zip(
        figure.subplots(1, len(panels), sharey=True), panels.items(), strict=True
    ):
        colours = [OURS if is_ours else THEIRS for _, _, is_ours in upwards]
        drawn = axes.barh([name for name, _, _ in upwards], [value(each) for _, each, _ in upwards], color=colours)
        axes.bar_label(drawn, fmt=form, padding=3)
        axes.set_title(heading, fontsize=10)
        axes.margins(x=0.25)
        axes.xaxis.set_visible(False)
        axes.tick_params(left=False)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    svg(figure, path)


def svg(figure: Any, path: Path) -> None:
    """Write a figure of matplotlib so that the same figures make the same file."""
    import matplotlib

    path.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({"svg.hashsalt": "airflow-provider-ims", "svg.fonttype": "none"}):
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")
