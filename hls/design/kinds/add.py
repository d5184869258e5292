"""An addition as processes: the fork that gives a tensor to two readers, and the sum (hls/kernels/fork_stage.hpp,
hls/kernels/add_stage.hpp).
"""

from __future__ import annotations

import dataclasses

from hls.design.cost import Cost, add_cost, fork_cost
from hls.design.process import Onward, Process, Word
from model.graph.formats import ACT_BITS


@dataclasses.dataclass(frozen=True)
class ForkProcess(Process):
    """Passes every word of a tensor on to two readers."""

    tensor: str
    word: Word
    words: int  # of a position
    number: int = 1  # of the tensor's forks, if it has several
    header = "fork_stage.hpp"

    @property
    def name(self) -> str:
        return f"{self.tensor}_fork{'' if self.number == 1 else self.number}"

    @property
    def kernel(self) -> str:
        return f"fork_stage<{self.name}_cfg>"

    def struct(self, onward: Onward) -> str:
        return "\n".join(
            [
                f"struct {self.name}_cfg {{  // {self.tensor} for two readers",
                f"    static constexpr int BITS = {self.word.values * self.word.bits};",
                "};",
            ]
        )

    @property
    def in_word(self) -> Word:
        return self.word

    @property
    def out_word(self) -> Word:
        return self.word

    @property
    def out_words(self) -> int:
        return self.words

    @property
    def takes_commands(self) -> bool:
        return False

    @property
    def steady(self) -> int:
        return self.words

    @property
    def cost(self) -> Cost:
        return fork_cost(self.word.values * self.word.bits)


@dataclasses.dataclass(frozen=True)
class AddProcess(Process):
    """Adds an earlier tensor to a residual.

    Attributes
    ----------
    layer : str
    channels, earlier : int
        Channels of the residual and of the earlier tensor.
    word, skip_word : Word
        Of the two streams.
    crop : int
        Rows and columns on each side that the earlier tensor has more.
    skip_depth : int
        Words of the FIFO in which the earlier tensor waits (hls/design/skips.py).
    """

    layer: str
    channels: int
    earlier: int
    word: Word
    skip_word: Word
    crop: int
    skip_depth: int
    header = "add_stage.hpp"

    @property
    def name(self) -> str:
        return self.layer

    @property
    def kernel(self) -> str:
        return f"add_stage<{self.name}_cfg>"

    def struct(self, onward: Onward) -> str:
        assert onward.scale == 1, "a size is scaled by depth-to-space alone"
        return "\n".join(
            [
                f"struct {self.name}_cfg {{  // adds {self.earlier} channels to {self.channels}",
                f"    static constexpr int OUT_CH = {self.channels}, IN_WORD = {self.word.values};",
                f"    static constexpr int CHANNELS = {self.earlier}, SKIP_WORD = {self.skip_word.values};",
                f"    static constexpr int CROP = {self.crop};",
                f"    static constexpr int SHRINK = {onward.shrink};  // of the tile, for the next stage",
                "};",
            ]
        )

    @property
    def in_word(self) -> Word:
        return self.word

    @property
    def out_word(self) -> Word:
        return Word(self.word.values, ACT_BITS)

    @property
    def out_words(self) -> int:
        return self.channels // self.word.values

    @property
    def skip_words(self) -> int:
        """Words of a position of the earlier tensor."""
        return self.earlier // self.skip_word.values

    @property
    def steady(self) -> int:
        return max(self.out_words, self.skip_words)

    def cycles(self, rows: int, columns: int, before: int) -> tuple[int, int]:
        """What is outside the crop takes a cycle a word, too."""
        edge = 2 * self.crop
        dropped = (rows + edge) * (columns + edge) - rows * columns
        return rows * columns * self.steady + dropped * self.skip_words, max(before, self.steady)

    @property
    def cost(self) -> Cost:
        return add_cost(self)
