"""The second half of a convolution that scatters its products: they are added where they belong
(hls/kernels/sum_stage.hpp).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from hls.design.cost import Cost, Ram, sum_cost, sum_rams, sum_widest
from hls.design.kinds.conv import bias_words, finish_constants, output_word
from hls.design.process import Onward, Process, Word

if TYPE_CHECKING:
    import numpy as np

    from hls.design.stage import Stage
    from model.graph.weights import QuantLayer


@dataclasses.dataclass(frozen=True)
class SumProcess(Process):
    """Adds the k x k products of each position into the outputs they belong to, then requantises."""

    stage: Stage
    header = "sum_stage.hpp"

    @property
    def name(self) -> str:
        return f"{self.stage.layer.name}_sum"

    @property
    def kernel(self) -> str:
        return f"sum_stage<{self.name}_cfg>"

    def struct(self, onward: Onward) -> str:
        assert onward.scale == 1, "a size is scaled by depth-to-space alone"
        stage, layer = self.stage, self.stage.layer
        return "\n".join(
            [
                f"struct {self.name}_cfg {{  // adds the {layer.k}x{layer.k} taps of {layer.name}",
                f"    static constexpr int K = {layer.k}, OUT_CH = {layer.out_ch}, IN_WORD = {stage.pe};",
                f"    static constexpr int RAW_BITS = {stage.raw_bits}, ACC_BITS = {layer.acc_bits};",
                f"    static constexpr int MAX_W = {stage.max_w};",
                finish_constants(layer),
                f"    static constexpr int SHRINK = {onward.shrink};  // of the tile, for the next stage",
                "};",
            ]
        )

    @property
    def in_word(self) -> Word:
        return Word(self.stage.pe, self.stage.raw_bits, signed=True)

    @property
    def out_word(self) -> Word:
        return output_word(self.stage.layer, self.stage.layer.out_ch)

    @property
    def shrink(self) -> int:
        return self.stage.layer.k - 1

    @property
    def param_beats(self) -> int:
        return self.stage.layer.out_ch

    def param_words(self, layer: QuantLayer) -> np.ndarray:
        """What `bias_words` says of each output channel."""
        return bias_words(layer)

    @property
    def needs(self) -> list[tuple[int, int]]:
        """The step that adds a position fetches a word of the next one."""
        return [(1, 0)]

    @property
    def steady(self) -> int:
        return self.stage.out_fold

    @property
    def rams(self) -> list[Ram]:
        return sum_rams(self.stage)

    @property
    def cost(self) -> Cost:
        return sum_cost(self.stage)

    @property
    def widest(self) -> dict[str, int]:
        return sum_widest(self.stage)
