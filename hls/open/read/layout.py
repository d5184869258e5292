"""Where the scalars, RAMs and arrays of an object lie in memory."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """A scalar of an object, without a name: `width` bits kept in `size` bytes at `offset`."""

    offset: int
    size: int
    width: int
    signed: bool = False


@dataclass(frozen=True)
class Leaf:
    """A scalar in memory: `width` bits kept in `size` bytes at `offset`, extended by their sign."""

    name: str
    offset: int
    size: int
    width: int
    signed: bool


@dataclass(frozen=True)
class Ram:
    """A RAM member: `depth` words, each a packed `word` (a Layout)."""

    name: str
    offset: int
    size: int
    depth: int
    word: "Layout"


@dataclass(frozen=True)
class Array:
    """Where an array lies: LLVM addresses its elements as offset + index * stride."""

    offset: int
    stride: int
    count: int


@dataclass
class Layout:
    """All scalars and RAMs of an object, in the order of their offsets."""

    size: int
    leaves: list = field(default_factory=list)
    rams: list = field(default_factory=list)
    arrays: list = field(default_factory=list)

    @property
    def width(self):
        """Bits of the packed object: its scalars, the first in the lowest bits."""
        return sum(leaf.width for leaf in self.leaves)

    def __hash__(self):
        return id(self)
