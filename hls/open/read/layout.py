"""Where the scalars, RAMs and arrays of an object lie in memory."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """A scalar of an object: `width` bits kept in `size` bytes at `offset`, extended by their sign; only members have
    names. `path` is how C++ gets to it from the object (`.taps[2].value`), `builtin` if its type is none of AMD's.
    """

    offset: int
    size: int
    width: int
    signed: bool = False
    name: str = ""
    path: str = ""
    builtin: bool = False


@dataclass(frozen=True)
class Ram:
    """A RAM member: `depth` words, each a packed `word` (a Layout); `path` as in `Cell`."""

    name: str
    offset: int
    size: int
    depth: int
    word: Layout
    path: str = ""


@dataclass(frozen=True)
class Array:
    """Where an array lies, and what it is called."""

    offset: int
    stride: int
    count: int
    name: str = ""


@dataclass
class Layout:
    """All scalars and RAMs of an object, in the order of their offsets."""

    size: int
    cells: list = field(default_factory=list)
    rams: list = field(default_factory=list)
    arrays: list = field(default_factory=list)

    @property
    def width(self) -> int:
        """Bits of the packed object: its scalars, the first in the lowest bits."""
        return sum(cell.width for cell in self.cells)

    def __hash__(self):
        return id(self)
