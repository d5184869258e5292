"""A convolution as a process: line buffer, window, folded MAC array, requantise (hls/kernels/conv_stage.hpp)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from hls.design.cost import Cost, Ram, mac_cost, mac_rams, mac_widest
from hls.design.process import Onward, Process, Word
from model.graph.formats import ACT_BITS

if TYPE_CHECKING:
    from hls.design.stage import Stage
    from model.graph.kinds import Conv
    from model.graph.weights import QuantLayer

FIFO_POSITIONS = 2  # positions that the FIFO in front of a stage holds: so far the stage before can run ahead


@dataclasses.dataclass(frozen=True)
class ConvProcess(Process):
    """The MAC array of a stage: all of a direct one, the first half of one that scatters."""

    stage: Stage
    header = "conv_stage.hpp"

    @property
    def name(self) -> str:
        return self.stage.layer.name

    @property
    def kernel(self) -> str:
        return f"conv_stage<{self.name}_cfg>"

    def struct(self, onward: Onward) -> str:
        assert onward.scale == 1, "a size is scaled by depth-to-space alone"
        stage, layer = self.stage, self.stage.layer
        return "\n".join(
            [
                f"struct {layer.name}_cfg {{  // {layer.k}x{layer.k}, {layer.in_ch} -> {layer.out_ch}, {stage.fold} "
                f"cycles per position",
                f"    static constexpr int K = {stage.mac_k}, IN_CH = {layer.in_ch}, OUT_CH = {stage.mac_out_ch};",
                f"    static constexpr int PE = {stage.pe}, SIMD = {stage.simd}, IN_WORD = {stage.in_word};",
                f"    static constexpr int ACC_BITS = {stage.raw_bits if stage.scatter else layer.acc_bits};",
                f"    static constexpr int MAX_W = {stage.max_w};",
                f"    static constexpr bool PACK = {str(stage.pack).lower()};  // two output channels per multiplier",
                f"    static constexpr int LUT_TAPS = {stage.lut_taps};  // of SIMD, whose products are made of LUTs",
                f"    static constexpr bool RAW = {str(stage.scatter).lower()};  // accumulators go out as they are",
                finish_constants(layer),
                f"    static constexpr int SHRINK = {onward.shrink};  // of the tile, for the next stage",
                "};",
            ]
        )

    @property
    def in_word(self) -> Word:
        return Word(self.stage.in_word, ACT_BITS)

    @property
    def out_word(self) -> Word:
        return (
            Word(self.stage.pe, self.stage.raw_bits, signed=True)
            if self.stage.scatter
            else output_word(self.stage.layer, self.stage.pe)
        )

    @property
    def out_words(self) -> int:
        return self.stage.out_fold

    @property
    def shrink(self) -> int:
        return self.stage.mac_k - 1

    @property
    def param_beats(self) -> int:
        return self.stage.fold * self.stage.pe * self.stage.weight_beats + (
            0 if self.stage.scatter else self.stage.layer.out_ch
        )

    def param_words(self, layer: QuantLayer) -> np.ndarray:
        """The weights in the order of the RAMs, then bias and shift of each output channel unless the sum has those."""
        words = weight_words(self.stage, layer.weight)
        return words if self.stage.scatter else np.concatenate([words, bias_words(layer)])

    @property
    def steady(self) -> int:
        return max(self.stage.fold, self.stage.out_fold)

    def cycles(self, rows: int, columns: int, before: int) -> tuple[int, int]:
        """`fold` cycles where a position gives an output. On the others (the first k - 1 rows, and k - 1 positions of
        every further row) a cycle per input word, or the wait for the process in front, once the positions that the
        FIFO holds are used up.
        """
        words, edge = self.stage.layer.in_ch // self.stage.in_word, self.shrink
        waits, stored = max(words, before), min(edge, FIFO_POSITIONS)
        row = (columns - edge) * max(self.stage.fold, words) + stored * words + (edge - stored) * waits
        return (rows - edge) * row + edge * columns * waits, max(before, self.stage.fold, words)

    @property
    def needs(self) -> list[tuple[int, int]]:
        """A step waits for the input that it fetches (`wants_input` of the kernel): the one in which a position enters
        an idle array, and the last steps of a position, or all if there are as many words, fetch the next one.
        """
        words, fold, each = self.stage.layer.in_ch // self.stage.in_word, self.stage.fold, self.stage.tap_fold
        found = []
        for step in range(each - 1, fold, each):
            if words < fold:
                fetched = min(words, 1 + max(0, step - (fold - 1 - words) + 1))  # of the next position
            else:
                fetched = step + 2
            later, word = divmod(words + fetched - 1, words)
            found.append((later, word))
        return found

    @property
    def rams(self) -> list[Ram]:
        return mac_rams(self.stage)

    @property
    def cost(self) -> Cost:
        return mac_cost(self.stage)

    @property
    def widest(self) -> dict[str, int]:
        return mac_widest(self.stage)


def weight_words(stage: Stage, weight: np.ndarray) -> np.ndarray:
    """Return a stage's weights in the order of its RAMs.

    Word order: fold step (output pass, tap pass), PE, then the 64-bit pieces of its SIMD weights. Taps run
    column by column (kw, kh, channel), since a new column enters the window as a unit. A stage that scatters sees
    its taps as output channels, row by row (kh, kw), of a 1x1 layer.

    Parameters
    ----------
    stage : Stage
    weight : ndarray of int8, shape (O, Kh, Kw, I)

    Returns
    -------
    ndarray of uint64
    """
    order = (0, 1, 2, 3) if stage.scatter else (0, 2, 1, 3)
    matrix = weight.transpose(order).reshape(stage.mac_out_ch, stage.mac_taps)
    matrix = np.pad(
        matrix, ((0, 0), (0, stage.tap_fold * stage.simd - stage.mac_taps))
    )  # where SIMD does not divide the taps
    blocks = matrix.reshape(stage.out_fold, stage.pe, stage.tap_fold, stage.simd).transpose(0, 2, 1, 3)
    padded = np.zeros((stage.fold * stage.pe, stage.weight_beats * 8), np.int8)
    padded[:, : stage.simd] = blocks.reshape(-1, stage.simd)
    return padded.view("<u8").reshape(-1).astype(np.uint64)


def bias_words(layer: QuantLayer) -> np.ndarray:
    """Return bias (bits 31:0), shift (36:32) and, of a PReLU, slope (39:37) and zero point (47:40) of each output
    channel of a `QuantLayer`, uint64.
    """
    words = layer.bias.astype(np.int64).astype(np.uint64) & np.uint64(0xFFFFFFFF)
    for part, at in ((layer.shift, 32), (layer.slope, 37), (layer.zero, 40)):
        if part is not None:
            words |= part.astype(np.uint64) << np.uint64(at)
    return words


def output_word(layer: Conv, channels: int) -> Word:
    """Return the word of so many channels of a convolution's output: activations, or a residual with its sign."""
    return Word(channels, ACT_BITS + layer.signed, layer.signed)


def finish_constants(layer: Conv) -> str:
    """Return the constants of a configuration struct that say what becomes of a sum (hls/kernels/requantise.hpp)."""
    residual, prelu = (str(value).lower() for value in (layer.signed, layer.activation == "prelu"))
    return f"    static constexpr bool RESIDUAL = {residual}, PRELU = {prelu};"
