"""Keras, imported quietly, and the layers that networks are built of beside its own."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.graph.kinds import Conv


@contextlib.contextmanager
def _quiet():
    """Hold back what is written to stderr, and show it only if the block fails.

    TensorFlow's C++ side greets with a dozen lines that none of its own settings silences.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        except BaseException:
            log.seek(0)
            os.write(kept, log.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


with _quiet():
    import keras

    keras.ops.zeros(1)  # wakes the device, the second half of the greeting


class CroppedAdd(keras.layers.Layer):
    """A residual plus the middle of an earlier tensor, which is repeated over the residual's channels."""

    def __init__(self, crop: int, repeats: int, **options: object) -> None:
        super().__init__(**options)
        self.crop, self.repeats = crop, repeats

    def call(self, residual: keras.KerasTensor, earlier: keras.KerasTensor) -> keras.KerasTensor:
        """(N, H, W, repeats * C), (N, H + 2 crop, W + 2 crop, C) -> (N, H, W, repeats * C)."""
        if self.crop:
            inside = slice(self.crop, -self.crop)
            earlier = earlier[:, inside, inside]
        return residual + keras.ops.concatenate([earlier] * self.repeats, axis=-1)

    def compute_output_shape(self, residual_shape: tuple, earlier_shape: tuple) -> tuple:
        """The residual's."""
        return residual_shape


class DepthToSpace(keras.layers.Layer):
    """Channel (i * s + j) * C + c of (y, x) becomes channel c of (s * y + i, s * x + j)."""

    def __init__(self, factor: int, **options: object) -> None:
        super().__init__(**options)
        self.factor = factor

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """(N, H, W, s * s * C) -> (N, s * H, s * W, C)."""
        ops, s = keras.ops, self.factor
        count, height, width, channels = ops.shape(x)
        x = ops.reshape(x, (count, height, width, s, s, channels // s**2))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (count, height * s, width * s, channels // s**2))

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Sides times s, channels by s * s."""
        count, height, width, channels = shape
        s = self.factor
        return count, height and height * s, width and width * s, channels // s**2

    def compute_output_spec(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Said by the shape alone: sizes may be unknown."""
        return keras.KerasTensor(self.compute_output_shape(x.shape), x.dtype)


class TrainedConv2D(keras.layers.Layer):
    """A convolution as it is trained: its kernel is computed from more than it holds, and collapses into a plain one.

    *Whitened*, it is whitening @ (what is trained). Neighbouring pixels of a picture are nearly equal, so that plain
    gradients are hundreds of times larger along smooth filters than along the fine ones that sharpen. Whitening the
    window's taps removes that: with it, 4,000 steps of SRCNN at x3 reach what 60,000 steps reach without.

    *Expanded*, it is the product of a convolution to `expand` channels and a 1x1 convolution back (a collapsible linear
    block, Bhardwaj et al., MLSys 2022). Both are multiplied out in every step before they meet the picture, so that
    this costs little.
    """

    def __init__(
        self, layer: Conv, padding: str = "valid", whitened: bool = False, expand: int = 0, **options: object
    ) -> None:
        super().__init__(name=layer.name, **options)
        self.shape, self.taps, self.padding = (layer.k, layer.k, layer.in_ch, layer.out_ch), layer.taps, padding
        self.whitened, self.expand = whitened, expand

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the variables; they are 0 until `model.train.keras_trainable.start_from`."""
        out_ch, zeros = self.shape[-1], {"initializer": "zeros"}
        self.kernel = self.add_weight(name="kernel", shape=(*self.shape[:3], self.expand or out_ch), **zeros)
        self.bias = self.add_weight(name="bias", shape=(out_ch,), **zeros)
        if self.whitened:
            self.whitening = self.add_weight(name="whitening", shape=(self.taps, self.taps), trainable=False, **zeros)
        if self.expand:
            self.back = self.add_weight(name="back", shape=(self.expand, out_ch), **zeros)

    def collapsed(self) -> keras.KerasTensor:
        """Return the plain kernel, (H, W, I, O)."""
        matrix = keras.ops.reshape(self.kernel, (self.taps, -1))
        if self.expand:
            matrix = keras.ops.matmul(matrix, self.back)
        if self.whitened:
            matrix = keras.ops.matmul(self.whitening, matrix)
        return keras.ops.reshape(matrix, self.shape)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """(N, H, W, I) -> (N, H', W', O)."""
        return keras.ops.conv(x, self.collapsed(), padding=self.padding, data_format="channels_last") + self.bias

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Smaller by the filter if it is valid."""
        less = self.shape[0] - 1 if self.padding == "valid" else 0
        return shape[0], *(side and side - less for side in shape[1:3]), self.shape[-1]
