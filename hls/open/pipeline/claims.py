"""Named conditions on a design, written by the compiler, which knows why they hold (`hls/open/prove/`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LOOK = "inside."  # in front of the path of a wire inside the design


@dataclass(frozen=True)
class Claim:
    """A named expression of SystemVerilog, and the sentence that a report prints for it."""

    name: str
    expression: str
    says: str


def inside(path: str) -> str:
    """Return a wire inside the design as a wrapper writes it: an escaped name, with the space that ends it."""
    return f"\\{LOOK}{path} "


def bits(width: int) -> str:
    """Return the range of a wire of this width, with a space behind it unless it is a single bit."""
    return f"[{width - 1}:0] " if width > 1 else ""


def pick(index: str, words: Sequence[str]) -> str:
    """Return the expression of the word at an index."""
    chain = "".join(f"({index}) == {i} ? {word} : " for i, word in enumerate(words[:-1]))
    return f"({chain}{words[-1]})"


class Fifo:
    """A FIFO's wires, and what holds between its pointers, counter and room.

    Parameters
    ----------
    path : str
        Of the instance.
    width, depth, room : int
        Its parameters.
    """

    def __init__(self, path: str, width: int, depth: int, room: int) -> None:
        self.path, self.width, self.depth, self.room_words = path, width, depth, room
        self.pointer, self.counter = max(1, (depth - 1).bit_length()), depth.bit_length()
        self.name = path.split(".")[-1]
        self.count, self.head, self.tail, self.room = (
            inside(f"{path}.{wire}") for wire in ("count", "head", "tail", "room")
        )
        self.words = [inside(f"{path}.mem[{i}]") for i in range(depth)]

    def looks(self, words: bool = True) -> dict[str, str]:
        """Return {path: range} of the wires that claims look at, those of the memory only if `words`."""
        spans = {"count": self.counter, "head": self.pointer, "tail": self.pointer, "room": 1, "out_valid": 1}
        memory = {f"{self.path}.mem[{i}]": bits(self.width) for i in range(self.depth)}
        return {f"{self.path}.{wire}": bits(width) for wire, width in spans.items()} | (memory if words else {})

    def word(self, ahead: str) -> str:
        """Return the word that has so many words in front of it, fewer than DEPTH."""
        return pick(f"(32'({self.head}) + {ahead}) % {self.depth}", self.words)

    def invariants(self) -> list[Claim]:
        """Return what holds from the first reset on (`started`)."""
        name, d = self.name, self.depth
        return [
            Claim(f"{name}_count", f"!started || {self.count} <= {d}", "the counter is never above DEPTH"),
            Claim(
                f"{name}_pointers",
                f"!started || ({self.head} < {d} && {self.tail} < {d})",
                "both pointers stay inside the memory",
            ),
            Claim(
                f"{name}_distance",
                f"!started || 32'({self.tail}) == (32'({self.head}) + 32'({self.count})) % {d}",
                "the pointers are as far apart as the counter says",
            ),
            *self.offers(),
            Claim(
                f"{name}_room",
                f"!started || !{self.room} || 32'({self.count}) + {self.room_words} <= {d + 1}",
                "room means ROOM free words, but for one that may have come since",
            ),
        ]

    def offers(self) -> list[Claim]:
        """Return what `out_valid` says."""
        offered = inside(f"{self.path}.out_valid")
        return [
            Claim(
                f"{self.name}_offers",
                f"!started || {offered} == ({self.count} != 0)",
                "a word is offered if one is there",
            )
        ]


class DeepFifo(Fifo):
    """A FIFO in block RAM: what `Fifo` has, and what holds of the register that offers its next word."""

    def looks(self, words: bool = True) -> dict[str, str]:
        spans = {"there": bits(self.counter), "put": "", "out_valid": "", "out_data": bits(self.width)}
        return super().looks(words) | {f"{self.path}.{wire}": span for wire, span in spans.items()}

    def offers(self) -> list[Claim]:
        return []  # what the memory can give, below

    def invariants(self) -> list[Claim]:
        there, put, valid, data = (inside(f"{self.path}.{wire}") for wire in ("there", "put", "out_valid", "out_data"))
        return [
            *super().invariants(),
            Claim(
                f"{self.name}_there",
                f"!started || 32'({there}) + {put} == 32'({self.count})",
                "the memory can give all words but one that came in the cycle before",
            ),
            Claim(f"{self.name}_offers", f"!started || {valid} == ({there} != 0)", "what it can give is offered"),
            Claim(
                f"{self.name}_output",
                f"!started || !{valid} || {data} == {self.word('0')}",
                "the register at the output holds the word at the head",
            ),
        ]
