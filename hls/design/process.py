"""What a process of `srcnn_top` owes: the one source of its C++ top, its netlist, its cycles, its cost.

A network on a board lowers to a list of processes (`hls.design.dataflow`), from the parser to the packer in the order
in which data and commands pass them. Each is one C++ kernel with a `step()`. Its streams are, in the order of `step`'s
parameters: what it reads, then what it writes; `hls/generate/top.py` writes the C++ from that,
`hls/generate/verilog.py` the netlist.
"""

from __future__ import annotations

import abc
import dataclasses
import fractions
from typing import TYPE_CHECKING

import numpy as np

from hls.design.cost import Cost, Ram

if TYPE_CHECKING:
    from model.graph.weights import QuantLayer


@dataclasses.dataclass(frozen=True)
class Stream:
    """A FIFO between two processes.

    Attributes
    ----------
    name : str
    word : str
        C++ type of a word, without the namespace.
    depth : int
        Words that it holds beyond what the pipeline in front of it needs.
    """

    name: str
    word: str
    depth: int


@dataclasses.dataclass(frozen=True)
class Word:
    """A word of a data stream: `values` of one position, of `bits` each, the first channel in the lowest bits."""

    values: int
    bits: int
    signed: bool = False


@dataclasses.dataclass(frozen=True)
class Onward:
    """How a tile's size changes from a process to the next that commands pass: times `scale`, less `shrink`."""

    shrink: int = 0
    scale: int = 1


class Process(abc.ABC):
    """One kernel of the dataflow.

    Attributes
    ----------
    name : str
        Of the process in C++, Verilog and reports.
    header : str
        The file in `hls/kernels` that defines the kernel.
    kernel : str
        Its C++ type, without the namespace.
    """

    name: str
    header: str
    kernel: str

    def struct(self, onward: Onward) -> str:
        """Return C++ of the configuration struct that the kernel is a template of; "" if it has none."""
        return ""

    @property
    def in_word(self) -> Word | None:
        """A word of its data input; None for the parser."""
        return None

    @property
    def out_word(self) -> Word | None:
        """A word of its data output; None for the packer."""
        return None

    @property
    def out_words(self) -> int:
        """Words of its data output per position."""
        return 1

    @property
    def shrink(self) -> int:
        """Rows and columns that its output has fewer than its input."""
        return 0

    @property
    def takes_commands(self) -> bool:
        """False for what passes words on and knows no tiles."""
        return True

    @property
    def needs(self) -> list[tuple[int, int]]:
        """For each word of a position of the output, what of the input has to be there when it leaves, if the filter
        ends at this position: how many positions later, and which word of that one.
        """
        return [(0, 0)]

    @property
    def param_beats(self) -> int:
        """64-bit words that it keeps of a load packet."""
        return 0

    def param_words(self, layer: QuantLayer) -> np.ndarray:
        """Return those words, uint64, of a `QuantLayer`."""
        return np.zeros(0, np.uint64)

    @property
    def steady(self) -> int | fractions.Fraction:
        """Cycles of a position of its input far from any edge."""
        return 1

    def cycles(self, rows: int, columns: int, before: int) -> tuple[int, int]:
        """Return the cycles of a tile, and those in which a position comes out.

        Parameters
        ----------
        rows, columns : int
            Positions at its input.
        before : int
            Cycles in which the process in front brings a position.
        """
        return rows * columns * self.steady, max(before, self.steady)

    @property
    def rams(self) -> list[Ram]:
        """Memories, block RAM or LUT RAM, without those of FIFOs."""
        return []

    @property
    @abc.abstractmethod
    def cost(self) -> Cost:
        """Modelled resources, its output FIFOs included."""

    @property
    def widest(self) -> dict[str, int]:
        """{what: bits} of the widest words it computes with."""
        return {}
