"""The ends of the dataflow: packets to commands, parameters and pixels; output positions to packets."""

from __future__ import annotations

import dataclasses
import math

from hls.design.cost import PACKER, PARSER, Cost
from hls.design.process import Process, Word
from model.graph.formats import ACT_BITS

BEAT_BYTES = 8


@dataclasses.dataclass(frozen=True)
class ParserProcess(Process):
    """Takes packets apart (hls/kernels/parser_stage.hpp); it knows no stage but the first."""

    name = "parser"
    header = "parser_stage.hpp"
    kernel = "parser_stage"

    @property
    def out_word(self) -> Word:
        return Word(1, ACT_BITS)

    @property
    def cost(self) -> Cost:
        return PARSER


@dataclasses.dataclass(frozen=True)
class PackerProcess(Process):
    """Writes answers (hls/kernels/packer_stage.hpp).

    Attributes
    ----------
    channels : int
        Output channels: bytes of a position.
    word : int
        How many of them arrive at a time.
    """

    channels: int
    word: int
    name = "packer"
    header = "packer_stage.hpp"
    kernel = "packer_stage<packer_cfg>"

    @property
    def struct(self) -> str:
        return "\n".join(
            [
                "struct packer_cfg {  // a position of the output, and how much of it comes at a time",
                f"    static constexpr int OUT_CH = {self.channels}, WORD = {self.word};",
                "};",
            ]
        )

    @property
    def in_word(self) -> Word:
        return Word(self.word, ACT_BITS)

    @property
    def steady(self) -> int:
        """Bytes that divide a word and a beat are placed in a step."""
        return self.channels // math.gcd(self.word, BEAT_BYTES)

    @property
    def cost(self) -> Cost:
        return PACKER
