"""The second half of a convolution that scatters its products: they are added where they belong
(hls/kernels/sum_stage.hpp).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from hls.design.cost import Cost, Ram, sum_cost, sum_rams, sum_widest
from hls.design.kinds.conv import bias_words
from hls.design.process import Process, Word
from model.graph.formats import ACT_BITS

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

    @property
    def struct(self) -> str:
        stage, layer = self.stage, self.stage.layer
        return "\n".join(
            [
                f"struct {self.name}_cfg {{  // adds the {layer.k}x{layer.k} taps of {layer.name}",
                f"    static constexpr int K = {layer.k}, OUT_CH = {layer.out_ch}, IN_WORD = {stage.pe};",
                f"    static constexpr int RAW_BITS = {stage.raw_bits}, ACC_BITS = {layer.acc_bits};",
                f"    static constexpr int MAX_W = {stage.max_w};",
                "};",
            ]
        )

    @property
    def in_word(self) -> Word:
        return Word(self.stage.pe, self.stage.raw_bits, signed=True)

    @property
    def out_word(self) -> Word:
        return Word(self.stage.layer.out_ch, ACT_BITS)

    @property
    def shrink(self) -> int:
        return self.stage.layer.k - 1

    @property
    def param_beats(self) -> int:
        return self.stage.layer.out_ch

    def param_words(self, layer: QuantLayer) -> np.ndarray:
        """Bias and shift of each output channel."""
        return bias_words(layer)

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
