"""The ends of the dataflow: packets to commands, parameters and pixels; output positions to packets."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

from hls.design.cost import Cost, packer_cost, parser_cost
from hls.design.process import Onward, Process, Word
from model.graph.formats import ACT_BITS

BEAT_BYTES = 8


@dataclasses.dataclass(frozen=True)
class ParserProcess(Process):
    """Takes packets apart (hls/kernels/parser_stage.hpp); it knows no stage but the first.

    Attributes
    ----------
    channels : int
        Bytes of an input pixel.
    """

    channels: int = 1
    name = "parser"
    header = "parser_stage.hpp"
    kernel = "parser_stage"

    @property
    def out_word(self) -> Word:
        return Word(self.channels, ACT_BITS)

    @property
    def cost(self) -> Cost:
        return parser_cost(self.channels)


@dataclasses.dataclass(frozen=True)
class PackerProcess(Process):
    """Writes answers (hls/kernels/packer_stage.hpp).

    Attributes
    ----------
    channels : int
        Output channels: bytes of a pixel.
    word : int
        Bytes that arrive at a time: a part of a pixel, or several pixels.
    """

    channels: int
    word: int
    name = "packer"
    header = "packer_stage.hpp"
    kernel = "packer_stage<packer_cfg>"

    def struct(self, onward: Onward) -> str:
        return "\n".join(
            [
                "struct packer_cfg {  // bytes of an output pixel, and how many come at a time",
                f"    static constexpr int OUT_CH = {self.channels}, WORD = {self.word};",
                "};",
            ]
        )

    @property
    def in_word(self) -> Word:
        return Word(self.word, ACT_BITS)

    @property
    def part(self) -> int:
        """Bytes placed in a step: the largest part of a word that is no larger than a beat."""
        return max(part for part in range(1, BEAT_BYTES + 1) if self.word % part == 0)

    @property
    def steady(self) -> Fraction:
        return Fraction(self.channels, self.part)

    @property
    def cost(self) -> Cost:
        return packer_cost(self.part)
