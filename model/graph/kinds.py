"""The kinds of layers a network consists of."""

import dataclasses

from model.graph.formats import ACT_BITS, BIAS_BITS, MAX_SHIFT, WEIGHT_BITS


@dataclasses.dataclass(frozen=True)
class Layer:
    """One convolution. `k` is the filter side; stride is 1, no padding (valid)."""

    name: str
    k: int
    in_ch: int
    out_ch: int
    relu: bool

    @property
    def taps(self):
        """Products per output value: k * k * in_ch."""
        return self.k * self.k * self.in_ch

    @property
    def macs_per_pixel(self):
        """Multiply-accumulates per output pixel: taps * out_ch."""
        return self.taps * self.out_ch

    @property
    def weight_shape(self):
        """Project order O, Kh, Kw, I."""
        return (self.out_ch, self.k, self.k, self.in_ch)

    @property
    def acc_bits(self):
        """Signed accumulator width that no int8 weights, uint8 inputs, bias and rounding term can overflow.

        |acc| <= taps * (2^8 - 1) * 2^7 + 2^(BIAS_BITS-1) + 2^(MAX_SHIFT-1), plus a sign bit.
        """
        worst = (self.taps * (2**ACT_BITS - 1) * 2 ** (WEIGHT_BITS - 1)
                 + 2 ** (BIAS_BITS - 1) + 2 ** (MAX_SHIFT - 1))
        return worst.bit_length() + 1
