"""A layer as hardware: its folding, and what follows from it."""

import dataclasses
import functools
from typing import NamedTuple

from hls.design.cost import BEAT_BITS, MAX_WORD
from hls.design.dataflow import layer_processes
from hls.design.process import Process
from model.graph.formats import ACT_BITS, WEIGHT_BITS
from model.graph.kinds import Conv


class Fold(NamedTuple):
    """How a layer is folded: PE output channels by SIMD taps a cycle, of which the last `lut_taps` have no DSP."""

    pe: int
    simd: int
    lut_taps: int = 0


@dataclasses.dataclass(frozen=True)
class Stage:
    """One layer with its folding.

    A *direct* stage keeps k - 1 input rows in a line buffer and a k x k window in registers. One that *scatters*
    multiplies each input pixel by all k * k taps at once (a 1x1 layer with k * k * out_ch outputs) and
    keeps k - 1 rows of partial sums instead; it is chosen where those are narrower than the input rows.
    """

    layer: Conv
    pe: int
    simd: int
    in_word: int  # channels per word of the input stream
    max_w: int  # positions of the widest row at its input: what its line buffer holds
    pack: bool = True  # two products per DSP (hls/kernels/products.hpp)
    lut_taps: int = 0  # of SIMD, those whose products are made of LUTs

    @functools.cached_property
    def scatter(self) -> bool:
        """True if a row of partial sums takes less memory than a row of inputs, and no word of them is too wide."""
        layer, sums = self.layer, self.layer.out_ch * self.layer.acc_bits
        widest = max(layer.k**2 * layer.out_ch * _product_bits(layer.in_ch), (layer.k - 1) * sums)  # cost.sum_widest
        return layer.k > 1 and sums < layer.in_ch * ACT_BITS and widest <= MAX_WORD

    @property
    def mac_k(self) -> int:
        """Filter side that the MAC array sees."""
        return 1 if self.scatter else self.layer.k

    @property
    def mac_out_ch(self) -> int:
        """Outputs of the MAC array per input position."""
        return self.layer.out_ch * self.layer.k**2 if self.scatter else self.layer.out_ch

    @property
    def mac_taps(self) -> int:
        """Products per output of the MAC array."""
        return self.mac_k**2 * self.layer.in_ch

    @property
    def raw_bits(self) -> int:
        """Signed width of one scattered sum of products: mac_taps * 255 * 128, and a sign."""
        return _product_bits(self.mac_taps)

    @property
    def out_fold(self) -> int:
        """Passes over the output channels."""
        return self.mac_out_ch // self.pe

    @property
    def tap_fold(self) -> int:
        """Cycles per pass over the taps, rounded up: weights are zero where SIMD does not divide them."""
        return -(-self.mac_taps // self.simd)

    @functools.cached_property
    def fold(self) -> int:
        """Cycles per position of the MAC array: out_fold * tap_fold."""
        return self.out_fold * self.tap_fold

    @property
    def dsp(self) -> int:
        """Multipliers: one per tap that has them, for every two of the PE output channels, or for every one without
        packing.
        """
        return (self.simd - self.lut_taps) * (-(-self.pe // 2) if self.pack else self.pe)

    @property
    def weight_beats(self) -> int:
        """64-bit words that carry the SIMD weights of one PE in one fold step."""
        return -(-self.simd * WEIGHT_BITS // BEAT_BITS)

    @functools.cached_property
    def processes(self) -> tuple[Process, ...]:
        """The processes that compute it."""
        return layer_processes(self)


def _product_bits(taps):
    return (taps * (2**ACT_BITS - 1) * 2 ** (WEIGHT_BITS - 1)).bit_length() + 1


def legal_simd(taps: int) -> list[int]:
    """Return the SIMD widths worth having, ascending: the smallest for each number of steps over the taps."""
    return sorted({-(-taps // steps) for steps in range(1, taps + 1)})
