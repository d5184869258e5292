"""The integer network in Keras 3, trainable: its forward pass gives the golden model's integers, bit for bit.

Tensor by tensor what `model.integer.golden` computes: acc = bias + sum(weight * x), then (acc + half) >> shift,
saturated to 0..255; residuals, additions, PReLUs as they are there. Everything is a whole number in float32, which
holds all of them below 2^24, so any order of summation gives the same result (`check_exact` asserts the bound for the
weights at hand). Rounding has no derivative, so that each rounded value passes its gradient straight through (Bengio
et al. 2013), and saturation stops it. Float pixels come from whole numbers of 1/255, to which they are rounded first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from model.base.errors import UserError
from model.graph.formats import ACT_BITS, BIAS_BITS, WEIGHT_BITS
from model.graph.kinds import Add, Conv
from model.graph.network import INPUT
from model.graph.weights import QuantLayer, QuantModel
from model.integer.golden import FLOAT32_EXACT
from model.train import keras_layers
from model.train.keras_layers import keras
from model.train.keras_model import make_add, transpose_kernel

if TYPE_CHECKING:
    from model.graph.network import Network

ACT_MAX = 2**ACT_BITS - 1
RESIDUAL_MIN = -(2**ACT_BITS)
WEIGHT_MAX = 2 ** (WEIGHT_BITS - 1) - 1
BIAS_MAX = 2 ** (BIAS_BITS - 1) - 1


def straight_through(function: Callable, x: keras.KerasTensor) -> keras.KerasTensor:
    """Return function(x) with the derivative of x.

    Exact for round and floor of |x| < 2^23 without bits below 2^-23: the difference of such a number and its
    neighbouring whole one is representable, and so is the sum.
    """
    return x + keras.ops.stop_gradient(function(x) - x)


class WholeNumbers(keras.layers.Layer):
    """Pixels in [0, 1] -> the uint8 values they stand for, as floats."""

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Same shape; exact for multiples of 1/255, however those were rounded."""
        return keras.ops.round(x * ACT_MAX)


class WithinInt8(keras.constraints.Constraint):
    """Keeps kernels at int8's ends: a weight that left would get no gradient and never come back."""

    def __call__(self, kernel):
        return keras.ops.clip(kernel, -WEIGHT_MAX - 1, WEIGHT_MAX)


class IntegerConv2D(keras.layers.Layer):
    """A convolution of whole numbers (as floats) to whole numbers, valid, as the hardware does it.

    What is trained: `kernel` (H, W, I, O), in -128..127, rounded in the forward pass, and `offset` (O,), the bias in
    units of the output, rounded to whole accumulator units. `unit` (O,) is 2^shift: the binary points stay as searched.
    `centre` (I,) is what 0 is stored as in the input (`zero` of a PReLU); the hardware's bias is the trained one less
    what the kernel makes of it. A PReLU has `steep` (O,), 2^slope, and `zero` (O,) too.
    """

    def __init__(self, layer: Conv, **options: object) -> None:
        super().__init__(**options)
        self.kernel_shape = (layer.k, layer.k, layer.in_ch, layer.out_ch)
        self.prelu = layer.activation == "prelu"
        self.least = RESIDUAL_MIN if layer.signed else 0

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the variables; see `start_from`."""
        in_ch, out_ch = self.kernel_shape[2:]
        self.kernel = self.add_weight(
            name="kernel", shape=self.kernel_shape, initializer="zeros", constraint=WithinInt8()
        )
        self.offset = self.add_weight(name="offset", shape=(out_ch,), initializer="zeros")
        self.unit = self.add_weight(name="unit", shape=(out_ch,), initializer="ones", trainable=False)
        self.centre = self.add_weight(name="centre", shape=(in_ch,), initializer="zeros", trainable=False)
        if self.prelu:
            self.steep = self.add_weight(name="steep", shape=(out_ch,), initializer="ones", trainable=False)
            self.zero = self.add_weight(name="zero", shape=(out_ch,), initializer="zeros", trainable=False)

    def whole(self) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Return the integers of the forward pass, as floats: kernel and the hardware's bias."""
        ops = keras.ops
        kernel = straight_through(ops.round, ops.clip(self.kernel, -WEIGHT_MAX - 1, WEIGHT_MAX))
        folded = ops.sum(ops.sum(kernel, axis=(0, 1)) * self.centre[:, None], axis=0)
        return kernel, ops.clip(straight_through(ops.round, self.offset * self.unit) - folded, -BIAS_MAX, BIAS_MAX)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """(N, H, W, I) whole numbers in 0..255 -> (N, H - k + 1, W - k + 1, O) likewise, or -256..255."""
        ops = keras.ops
        kernel, bias = self.whole()
        # Rounded, since a fast algorithm of a GPU (Winograd) may be off by a fraction; `unit` is a power of two.
        products = straight_through(ops.round, ops.conv(x, kernel, padding="valid", data_format="channels_last"))
        scaled = (products + (bias + ops.floor(self.unit / 2))) / self.unit
        if not self.prelu:
            return straight_through(ops.floor, ops.clip(scaled, self.least, ACT_MAX))
        unit = self.unit * self.steep
        below = (products + (bias + ops.floor(unit / 2))) / unit
        scaled = ops.where(products + bias < 0, below, scaled)
        return straight_through(ops.floor, ops.clip(scaled, -self.zero, ACT_MAX - self.zero)) + self.zero


class Saturate(keras.layers.Layer):
    """Keeps an addition within 0..255."""

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Same shape."""
        return keras.ops.clip(x, 0, ACT_MAX)


def build(network: Network) -> keras.Model:
    """Return the integer network as a Keras model: pixels in [0, 1] (multiples of 1/255), (N, H, W, C) -> (N, H', W',
    C').
    """
    pixels = keras.Input((None, None, network.in_ch), name="rgb" if network.in_ch == 3 else "y")
    known = {INPUT: WholeNumbers(name="levels")(pixels)}
    for layer in network.layers:
        given = [known[source] for source in layer.inputs]
        if isinstance(layer, Conv):
            known[layer.name] = IntegerConv2D(layer, name=layer.name)(*given)
        elif isinstance(layer, Add):
            known[layer.name] = Saturate(name=f"{layer.name}_saturated")(make_add(network, layer)(*given))
        else:
            known[layer.name] = keras_layers.DepthToSpace(layer.factor, name=layer.name)(*given)
    out = keras.layers.Rescaling(1 / ACT_MAX)(known[network.layers[-1].name])
    keras_model = keras.Model(pixels, out, name=f"{network.name}_integer")
    keras_model.network = network
    return keras_model


def zero_points(model: QuantModel) -> dict[str, np.ndarray]:
    """Return what 0 is stored as in every channel of every tensor, by name, float32."""
    network, zeros = model.network, {INPUT: np.zeros(model.network.in_ch, np.float32)}
    parameters = dict(zip((layer.name for layer in network.convs), model.layers))
    for layer in network.layers:
        if isinstance(layer, Conv):
            zero = parameters[layer.name].zero
            zeros[layer.name] = np.zeros(layer.out_ch, np.float32) if zero is None else zero.astype(np.float32)
        elif isinstance(layer, Add):
            earlier = zeros[layer.inputs[1]]
            zeros[layer.name] = np.tile(earlier, network.tensors[layer.name].channels // len(earlier))
        else:  # channels that lie in one plane afterwards share their zero point
            zeros[layer.name] = zeros[layer.inputs[0]][: network.tensors[layer.name].channels]
    return zeros


def start_from(keras_model: keras.Model, model: QuantModel) -> None:
    """Put a `QuantModel` into a model made by `build`."""
    zeros = zero_points(model)
    for layer, q in zip(model.network.convs, model.layers):
        block, centre = keras_model.get_layer(layer.name), zeros[layer.inputs[0]]
        folded = q.weight.astype(np.int64).sum((1, 2)) @ centre
        block.kernel.assign(transpose_kernel(q.weight, "tensorflow").astype(np.float32))
        block.offset.assign(((q.bias + folded) / 2.0**q.shift).astype(np.float32))
        block.unit.assign(np.ldexp(np.float32(1), q.shift.astype(np.int32)))
        block.centre.assign(centre)
        if block.prelu:
            block.steep.assign(np.ldexp(np.float32(1), q.slope.astype(np.int32)))
            block.zero.assign(q.zero.astype(np.float32))


def to_quant_model(keras_model: keras.Model, upscale: int, meta: dict | None = None) -> QuantModel:
    """Return the integers of the forward pass as a `QuantModel`. Raises UserError if one is NaN or the sums may
    overflow.
    """
    layers, to_numpy = [], keras.ops.convert_to_numpy
    for layer in keras_model.network.convs:
        block = keras_model.get_layer(layer.name)
        if not all(np.isfinite(to_numpy(value)).all() for value in (block.kernel, block.offset)):
            raise UserError(f"the weights of layer {layer.name} are no longer numbers; lower --lr")
        kernel, bias = map(to_numpy, block.whole())
        parts = [transpose_kernel(kernel, "project").astype(np.int8), bias.astype(np.int32), _exponents(block.unit)]
        if block.prelu:
            parts += [_exponents(block.steep), to_numpy(block.zero).astype(np.uint8)]
        layers.append(QuantLayer(*parts))
    return QuantModel(keras_model.network, upscale, tuple(layers), meta or {})


def _exponents(powers):
    return (np.frexp(keras.ops.convert_to_numpy(powers))[1] - 1).astype(np.uint8)


def check_exact(model: QuantModel) -> None:
    """Raise UserError if a layer's sums could leave what float32 holds exactly."""
    for layer, q in zip(model.network.convs, model.layers):
        if q.worst_accumulator >= FLOAT32_EXACT:
            raise UserError(
                f"the sums of layer {layer.name} may reach {q.worst_accumulator}, but training computes them in "
                f"float32, "
                f"exact below {FLOAT32_EXACT}; lower --lr, or take the weights of `make quantise` as they are"
            )


def infer_valid(keras_model: keras.Model, x: np.ndarray) -> np.ndarray:
    """Return what the forward pass, compiled as in training, gives for a batch of padded pictures.

    Parameters
    ----------
    keras_model : keras.Model
    x : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)

    Returns
    -------
    ndarray of uint8, shape (N, (H - 2 halo) * scale, (W - 2 halo) * scale), or (..., C)
    """
    pixels = x.reshape(*x.shape[:3], -1).astype(np.float32) / np.float32(ACT_MAX)
    out = np.round(keras_model.predict_on_batch(pixels) * ACT_MAX).astype(np.uint8)
    return out[..., 0] if out.shape[3] == 1 else out
