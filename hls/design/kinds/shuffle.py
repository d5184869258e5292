"""Depth-to-space as a process (hls/kernels/shuffle_stage.hpp)."""

from __future__ import annotations

import dataclasses

from hls.design.cost import Cost, Ram, shuffle_cost, shuffle_rams
from hls.design.process import Onward, Process, Word
from model.graph.formats import ACT_BITS


@dataclasses.dataclass(frozen=True)
class ShuffleProcess(Process):
    """Keeps two rows of positions, and sends their pixels row by row.

    Attributes
    ----------
    layer : str
    factor, channels : int
        Of a pixel.
    word : Word
        Of its input.
    pixels : int
        In a word of its output: `factor` in front of the packer, one in front of another layer.
    max_w : int
        Positions of the widest row.
    """

    layer: str
    factor: int
    channels: int
    word: Word
    pixels: int
    max_w: int
    header = "shuffle_stage.hpp"

    @property
    def name(self) -> str:
        return self.layer

    @property
    def kernel(self) -> str:
        return f"shuffle_stage<{self.name}_cfg>"

    def struct(self, onward: Onward) -> str:
        return "\n".join(
            [
                f"struct {self.name}_cfg {{  // {self.factor} x {self.factor} pixels of every position",
                f"    static constexpr int FACTOR = {self.factor}, CHANNELS = {self.channels};",
                f"    static constexpr int IN_WORD = {self.word.values}, PIXELS = {self.pixels};",
                f"    static constexpr int MAX_W = {self.max_w};",
                f"    static constexpr int SHRINK = {onward.shrink}, SCALE = {onward.scale};  // for the next stage",
                "};",
            ]
        )

    @property
    def position(self) -> int:
        """Channels of an input position."""
        return self.factor**2 * self.channels

    @property
    def in_word(self) -> Word:
        return self.word

    @property
    def out_word(self) -> Word:
        return Word(self.pixels * self.channels, ACT_BITS)

    @property
    def leave(self) -> int:
        """Words that a position leaves in."""
        return self.factor**2 // self.pixels

    @property
    def steady(self) -> int:
        return max(self.position // self.word.values, self.leave)

    def cycles(self, rows: int, columns: int, before: int) -> tuple[int, int]:
        """One row's time more than there are rows: the last one leaves when no other comes."""
        return (rows + 1) * columns * self.steady, -(-max(before, self.steady) // self.factor**2)

    @property
    def rams(self) -> list[Ram]:
        return shuffle_rams(self)

    @property
    def cost(self) -> Cost:
        return shuffle_cost(self)

    @property
    def widest(self) -> dict[str, int]:
        return {"the channels of a position": self.position * ACT_BITS}
