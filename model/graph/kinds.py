"""The kinds of layers a network consists of."""

from __future__ import annotations

import dataclasses

from model.graph.formats import ACT_BITS, BIAS_BITS, MAX_SHIFT, WEIGHT_BITS


@dataclasses.dataclass(frozen=True)
class Tensor:
    """What is known of the values between layers, whatever the picture.

    Attributes
    ----------
    channels : int
    scale : int
        Pixels per pixel of the network's input, along each side.
    shrink : int
        Rows and columns that it has fewer than the input at this scale: twice the halo up to here.
    zero_point : int
        The uint8 that stands for 0.
    """

    channels: int
    scale: int = 1
    shrink: int = 0
    zero_point: int = 0


@dataclasses.dataclass(frozen=True)
class Conv:
    """One convolution. `k` is the filter side; stride is 1, no padding (valid).

    `inputs` names the tensor it reads; its own output has its name. Empty: that of the layer before it, or the input.
    """

    name: str
    k: int
    in_ch: int
    out_ch: int
    relu: bool
    inputs: tuple = ()

    def output(self, given: Tensor) -> Tensor:
        """Return what is known of its output, from its input's."""
        return Tensor(self.out_ch, given.scale, given.shrink + self.k - 1)

    @property
    def taps(self) -> int:
        """Products per output value: k * k * in_ch."""
        return self.k * self.k * self.in_ch

    @property
    def macs_per_pixel(self) -> int:
        """Multiply-accumulates per output pixel: taps * out_ch."""
        return self.taps * self.out_ch

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Project order O, Kh, Kw, I."""
        return (self.out_ch, self.k, self.k, self.in_ch)

    @property
    def acc_bits(self) -> int:
        """Signed accumulator width that no int8 weights, uint8 inputs, bias and rounding term can overflow.

        |acc| <= taps * (2^8 - 1) * 2^7 + 2^(BIAS_BITS-1) + 2^(MAX_SHIFT-1), plus a sign bit.
        """
        worst = self.taps * (2**ACT_BITS - 1) * 2 ** (WEIGHT_BITS - 1) + 2 ** (BIAS_BITS - 1) + 2 ** (MAX_SHIFT - 1)
        return worst.bit_length() + 1
