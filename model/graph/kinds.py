"""The kinds of layers a network consists of.

Each says what it owes the graph: what it reads, and what is known of its output (`output`), or why it can't be. What
it computes is in `model.integer`; docs/layer-kinds.md lists all that a kind owes.
"""

from __future__ import annotations

import dataclasses
import operator
from typing import TYPE_CHECKING

from model.base.errors import UserError
from model.graph.formats import ACT_BITS, BIAS_BITS, MAX_SHIFT, WEIGHT_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

ACTIVATIONS = ("none", "relu", "clip", "prelu")


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
    signed : bool
        True for a residual, -256..255 (9 bits); false for an activation, 0..255.
    """

    channels: int
    scale: int = 1
    shrink: int = 0
    signed: bool = False


@dataclasses.dataclass(frozen=True)
class Conv:
    """One convolution and its activation. `k` is the filter side; stride is 1, no padding (valid).

    `activation` is "relu", "none", "clip" (ReLU, and at most `cap`, 1.0 being white: in integers it is what saturation
    does) or "prelu" (a slope per channel below 0). `inputs` names the tensor it reads; its own output has its name.
    Empty: that of the layer before it, or the input. `signed`: its output is the residual of an `Add`, which keeps its
    sign; `Network` sets it.
    """

    name: str
    k: int
    in_ch: int
    out_ch: int
    activation: str
    inputs: tuple = ()
    cap: float | None = None
    signed: bool = False

    @property
    def relu(self) -> bool:
        """True if negative values don't pass as they are."""
        return self.activation != "none"

    def output(self, given: Sequence[Tensor]) -> Tensor:
        """Return what is known of its output, from its input's."""
        (tensor,) = given
        if tensor.signed:
            raise UserError(
                f"layer {self.name} reads {self.inputs[0]}, which keeps its sign for an addition; let only the "
                f"addition read it"
            )
        if self.in_ch != tensor.channels:
            raise UserError(
                f"layer {self.name} takes {self.in_ch} channels, {self.inputs[0]} has {tensor.channels}; make them "
                f"equal"
            )
        return Tensor(self.out_ch, tensor.scale, tensor.shrink + self.k - 1, self.signed)

    @property
    def taps(self) -> int:
        """Products per output value: k * k * in_ch."""
        return self.k * self.k * self.in_ch

    @property
    def macs_per_pixel(self) -> int:
        """Multiply-accumulates per output position: taps * out_ch."""
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


@dataclasses.dataclass(frozen=True)
class Add:
    """A residual plus an earlier tensor, which is cropped by the halo between them.

    `inputs` names the residual, then the earlier tensor. A residual of n times as many channels gets the earlier
    tensor n times over: channel o its channel o % C. The network's input added s * s times in front of depth-to-space
    is the *anchor* (ABPN, Du et al., CVPR Workshops 2021).
    """

    name: str
    inputs: tuple = ()

    def output(self, given: Sequence[Tensor]) -> Tensor:
        """Return what is known of its output, from its inputs'."""
        residual, earlier = given
        names = " and ".join(self.inputs)
        if residual.scale != earlier.scale:
            raise UserError(
                f"layer {self.name} adds {names}, of scale {residual.scale} and {earlier.scale}; add tensors of one "
                f"scale: an anchor in front of depth-to-space"
            )
        if residual.channels % earlier.channels:
            raise UserError(
                f"layer {self.name} adds {names}, of {residual.channels} and {earlier.channels} channels; the first "
                f"needs a multiple of the second's"
            )
        if earlier.signed or not residual.signed:
            raise UserError(
                f"layer {self.name} adds {names}; first comes the output of a convolution without activation that "
                f"only this layer reads, then a tensor of uint8"
            )
        crop = residual.shrink - earlier.shrink
        if crop < 0:
            raise UserError(f"layer {self.name} adds {names}; the second has to be the earlier one: swap them")
        return Tensor(residual.channels, residual.scale, residual.shrink)


@dataclasses.dataclass(frozen=True)
class DepthToSpace:
    """Channels to pixels: channel (i * s + j) * C + c of (y, x) becomes channel c of (s * y + i, s * x + j).

    TensorFlow's `depth_to_space`; sub-pixel convolution, pixel shuffle in other order of channels.
    """

    name: str
    factor: int
    inputs: tuple = ()

    def output(self, given: Sequence[Tensor]) -> Tensor:
        """Return what is known of its output, from its input's."""
        (tensor,) = given
        if tensor.signed:
            raise UserError(f"layer {self.name} reads {self.inputs[0]}, which keeps its sign; add first")
        if tensor.channels % self.factor**2:
            raise UserError(
                f"layer {self.name} makes {self.factor} x {self.factor} pixels of {tensor.channels} channels; their "
                f"number has to be a multiple of {self.factor**2}"
            )
        return Tensor(tensor.channels // self.factor**2, tensor.scale * self.factor, tensor.shrink * self.factor)


Layer = Conv | Add | DepthToSpace
READS = {Conv: 1, Add: 2, DepthToSpace: 1}  # tensors


def mark_residuals(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Return the layers with `signed` set on every convolution that is the residual of an addition."""
    residuals = {layer.inputs[0] for layer in layers if isinstance(layer, Add) and layer.inputs}
    return tuple(
        dataclasses.replace(layer, signed=layer.activation == "none" and operator.contains(residuals, layer.name))
        if isinstance(layer, Conv)
        else layer
        for layer in layers
    )
