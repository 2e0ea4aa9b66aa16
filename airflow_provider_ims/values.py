"""What the nouns are made with."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct


class Value(Struct, frozen=True):
    """A frozen value. What it is made of prints, but for the fields that are ``unprinted``: secrets, and what is long.

    Not a dataclass, for each process of a task would spend a millisecond on each of these, many times as much as here.
    """

    unprinted: ClassVar[frozenset[str]] = frozenset()

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        unprinted = {name for kind in type(self).__mro__ for name in vars(kind).get("unprinted", ())}
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in unprinted]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"
