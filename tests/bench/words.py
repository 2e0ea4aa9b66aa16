"""How the bench writes."""

from __future__ import annotations

import textwrap


def filled(text: str) -> str:
    """A paragraph in lines of the README's length."""
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)
