"""The integer network in Keras 3, trainable: its forward pass gives the golden model's integers, bit for bit.

Layer by layer what `model.integer.golden` computes: acc = bias + sum(weight * x), then (acc + half) >> shift, saturated
to 0..255. Everything is a whole number in float32, which holds all of them below 2^24, so any order of summation gives
the same result (`check_exact` asserts the bound for the weights at hand). Rounding has no derivative, so that each
rounded value passes its gradient straight through (Bengio et al. 2013), and saturation stops it.
Float pixels come from whole numbers of 1/255, to which they are rounded first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from model.base.errors import UserError
from model.graph.formats import ACT_BITS, BIAS_BITS, WEIGHT_BITS
from model.graph.weights import QuantLayer, QuantModel
from model.integer.golden import FLOAT32_EXACT
from model.train.keras_model import keras, transpose_kernel

if TYPE_CHECKING:
    from model.graph.kinds import Layer
    from model.graph.network import Network

ACT_MAX = 2**ACT_BITS - 1
WEIGHT_MAX = 2 ** (WEIGHT_BITS - 1) - 1
BIAS_MAX = 2 ** (BIAS_BITS - 1) - 1


def straight_through(function: Callable, x: keras.KerasTensor) -> keras.KerasTensor:
    """Return function(x) with the derivative of x.

    Exact for round and floor of 0 <= |x| < 2^23: the difference of a number and its neighbouring whole one is
    representable (Sterbenz), and so is the sum.
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
    """A convolution of uint8 values (as floats) to uint8 values, valid, as the hardware does it.

    What is trained: `kernel` (H, W, I, O), in -128..127, rounded in the forward pass, and `offset` (O,), the bias in
    units of the output, rounded to whole accumulator units. `unit` (O,) is 2^shift: the binary points stay as searched.
    """

    def __init__(self, layer: Layer, **options: object) -> None:
        super().__init__(**options)
        self.kernel_shape = (layer.k, layer.k, layer.in_ch, layer.out_ch)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the variables; see `start_from`."""
        out_ch = self.kernel_shape[-1]
        self.kernel = self.add_weight(
            name="kernel", shape=self.kernel_shape, initializer="zeros", constraint=WithinInt8()
        )
        self.offset = self.add_weight(name="offset", shape=(out_ch,), initializer="zeros")
        self.unit = self.add_weight(name="unit", shape=(out_ch,), initializer="ones", trainable=False)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """(N, H, W, I) whole numbers in 0..255 -> (N, H - k + 1, W - k + 1, O) likewise."""
        ops = keras.ops
        bias = ops.clip(straight_through(ops.round, self.offset * self.unit), -BIAS_MAX, BIAS_MAX)
        half = ops.floor(self.unit / 2)
        products = ops.conv(x, straight_through(ops.round, self.kernel), padding="valid", data_format="channels_last")
        # Rounded, since a fast algorithm of a GPU (Winograd) may be off by a fraction; `unit` is a power of two.
        scaled = (straight_through(ops.round, products) + (bias + half)) / self.unit
        return straight_through(ops.floor, ops.clip(scaled, 0, ACT_MAX))


def build(network: Network) -> keras.Model:
    """Return the integer network as a Keras model: pixels in [0, 1] (multiples of 1/255), (N, H, W, 1) -> (N, H', W',
    1).
    """
    pixels = keras.Input((None, None, 1), name="y")
    x = WholeNumbers(name="levels")(pixels)
    for layer in network.layers:
        x = IntegerConv2D(layer, name=layer.name)(x)
    return keras.Model(pixels, keras.layers.Rescaling(1 / ACT_MAX)(x), name=f"{network.name}_integer")


def start_from(keras_model: keras.Model, model: QuantModel) -> None:
    """Put a `QuantModel` into a model made by `build`."""
    for layer, q in zip(_layers(keras_model), model.layers):
        layer.kernel.assign(transpose_kernel(q.weight, "tensorflow").astype(np.float32))
        layer.offset.assign((q.bias / 2.0**q.shift).astype(np.float32))
        layer.unit.assign(np.ldexp(np.float32(1), q.shift.astype(np.int32)))


def to_quant_model(keras_model: keras.Model, network: Network, upscale: int, meta: dict | None = None) -> QuantModel:
    """Return the integers of the forward pass as a `QuantModel`. Raises UserError if one is NaN or the sums may
    overflow.
    """
    layers = []
    for layer in _layers(keras_model):
        kernel, offset, unit = (keras.ops.convert_to_numpy(value) for value in (layer.kernel, layer.offset, layer.unit))
        if not (np.isfinite(kernel).all() and np.isfinite(offset).all()):
            raise UserError(f"the weights of layer {layer.name} are no longer numbers; lower --lr")
        weight = np.clip(np.round(kernel), -WEIGHT_MAX - 1, WEIGHT_MAX)
        bias = np.clip(np.round(offset * unit), -BIAS_MAX, BIAS_MAX)
        shift = np.frexp(unit)[1] - 1
        layers.append(
            QuantLayer(
                transpose_kernel(weight, "project").astype(np.int8), bias.astype(np.int32), shift.astype(np.uint8)
            )
        )
    return QuantModel(network, upscale, tuple(layers), meta or {})


def check_exact(model: QuantModel) -> None:
    """Raise UserError if a layer's sums could leave what float32 holds exactly."""
    for layer, q in zip(model.network.layers, model.layers):
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
    x : ndarray of uint8, shape (N, H, W)

    Returns
    -------
    ndarray of uint8, shape (N, H - 2 halo, W - 2 halo)
    """
    out = keras_model.predict_on_batch(x[..., None].astype(np.float32) / np.float32(ACT_MAX))
    return np.round(out[..., 0] * ACT_MAX).astype(np.uint8)


def _layers(keras_model):
    return [layer for layer in keras_model.layers if isinstance(layer, IntegerConv2D)]
