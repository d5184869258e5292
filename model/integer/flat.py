"""How the golden model multiplies: layers as matrix products over flat pictures, chunk by chunk.

With rows of W pixels, tap (i, j) of the window at pixel p is pixel p + i * W + j: every tap of a chunk of pixels
is one contiguous slice. Windows that wrap around the right edge are computed too, and dropped at the end.
Activations are (channels, pixels) and pass layer after layer through the caches; each layer keeps the rows that
its next windows need, so that nothing is computed twice within a block. That is how a chain of convolutions goes; any
other graph goes tensor by tensor (`_infer_graph`), each convolution in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.graph.kinds import Add, Conv
from model.graph.network import INPUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from model.graph.weights import QuantModel

_CHUNK_PIXELS = 16 * 384  # pixels per step: small enough for the caches, large enough to hide Python
_FULL_WINDOW_TAPS = 128  # up to here a window is gathered whole, beyond it row by row
_DIRECT_PRODUCTS = 1_000_000  # OpenBLAS multiplies matrices below this many products without repacking them first
_DIRECT_PIXELS = 384  # which pays from this width on; divides _CHUNK_PIXELS


def infer_block(model: QuantModel, x: np.ndarray, dtype: type) -> np.ndarray:
    """Run the network on one padded block.

    Parameters
    ----------
    model : QuantModel
    x : ndarray of uint8, shape (H + 2 halo, W + 2 halo), or (..., C) if the network takes C > 1 channels
    dtype : type
        float32 or float64, whichever holds every partial sum exactly.

    Returns
    -------
    ndarray of uint8, shape (H * scale, W * scale), or (..., C) if the network gives C > 1 channels
    """
    plain = all(isinstance(layer, Conv) and layer.activation != "prelu" for layer in model.network.layers)
    if not plain or model.network.in_ch > 1:
        return _infer_graph(model, x, dtype)
    pixels = x.ravel()
    chunk = min(_CHUNK_PIXELS, len(pixels))
    windows, last = list(model.layers), None
    if model.network.out_ch == 1:
        last = _Gather(windows.pop(), x.shape[1], chunk, dtype, x.size)
    layers = [_Window(q, x.shape[1], chunk, dtype) for q in windows]
    last = last or _Collect(model.network.out_ch, x.shape[1], chunk, dtype, x.size)
    inputs = [layer.input for layer in layers] + [last.input]
    for start in range(0, len(pixels), chunk):
        new = min(chunk, len(pixels) - start)
        inputs[0](new)[:] = pixels[start : start + new]
        for layer, next_input in zip(layers, inputs[1:]):
            new = layer.step(new, next_input)
            if not new:
                break
        else:
            last.step(new)
    halo = model.network.halo
    return last.output(x.shape[0] - 2 * halo, x.shape[1] - 2 * halo)


def _infer_graph(model, x, dtype):
    """The same for any graph. Tensors are (channels, rows, pixels of a row); a convolution's is as large as its input,
    of which the last k - 1 rows and columns mean nothing, so that all tensors of one scale share a row length.
    """
    planes = {INPUT: np.moveaxis(x.reshape(*x.shape[:2], -1), 2, 0).astype(dtype)}
    size = {INPUT: x.shape[:2]}  # of the part that means something
    parameters = dict(zip((layer.name for layer in model.network.convs), model.layers))
    for layer in model.network.layers:
        source, (height, width) = planes[layer.inputs[0]], size[layer.inputs[0]]
        if isinstance(layer, Conv):
            made = _convolve(source, parameters[layer.name], dtype, layer.signed)
            height, width = height - layer.k + 1, width - layer.k + 1
        elif isinstance(layer, Add):
            earlier, crop = planes[layer.inputs[1]], (size[layer.inputs[1]][0] - height) // 2
            inside = earlier[:, crop : crop + height, crop : crop + width]
            made = source[:, :height, :width].reshape(-1, *inside.shape) + inside
            made = np.clip(made, 0, 255, out=made).reshape(-1, height, width)
        else:
            s = layer.factor
            made = source[:, :height, :width].reshape(s, s, -1, height, width).transpose(2, 3, 0, 4, 1)
            height, width = s * height, s * width
            made = made.reshape(-1, height, width)
        planes[layer.name], size[layer.name] = made, (height, width)
    result = made[:, :height, :width].astype(np.uint8)
    return result[0] if len(result) == 1 else np.moveaxis(result, 0, 2)


def _convolve(source, q, dtype, signed):
    """Return a convolution's output, as large as its input (channels, rows, pixels)."""
    flat = source.reshape(len(source), -1)
    chunk, done = min(_CHUNK_PIXELS, flat.shape[1]), 0
    window = _Window(q, source.shape[2], chunk, dtype, (-256, 255) if signed else (0, 255))
    out = np.zeros((len(q.weight), flat.shape[1]), dtype)
    for start in range(0, flat.shape[1], chunk):
        new = min(chunk, flat.shape[1] - start)
        window.input(new)[:] = flat[:, start : start + new]
        done += window.step(new, lambda ready, at=done: out[:, at : at + ready])
    return out.reshape(-1, *source.shape[1:])


def _fold(q, dtype):
    """Weights and offset with 2^-shift inside: sum(weight * x) + offset has to be floored and clipped, no more.

    A PReLU's half depends on the sum's sign, and is not in the offset.
    """
    scale = np.ldexp(1.0, -q.shift.astype(np.int32))
    half = (np.int64(1) << q.shift.astype(np.int64)) >> 1 if q.slope is None else 0
    return (q.weight * scale[:, None, None, None]).astype(dtype), ((q.bias + half) * scale).astype(dtype)


def _buffer(rows, columns, dtype):
    """Return ones whose rows begin on cache lines, an odd number of lines apart (or they compete for cache sets)."""
    line = 64 // dtype().itemsize
    stride = (-(-columns // line) | 1) * line
    memory = np.ones(rows * stride + line, dtype)
    start = -(memory.ctypes.data // memory.itemsize) % line
    return memory[start : start + rows * stride].reshape(rows, stride)[:, :columns]


def _product(matrix, columns, out):
    """out = matrix @ columns, as a stack of narrower products where BLAS is faster at those."""
    width = _DIRECT_PIXELS
    stacked = columns.shape[1] // width * width if matrix.size * width < _DIRECT_PRODUCTS else 0
    if stacked:
        np.matmul(matrix, _stack(columns[:, :stacked], width), out=_stack(out[:, :stacked], width))
    if stacked < columns.shape[1]:
        np.matmul(matrix, columns[:, stacked:], out=out[:, stacked:])


def _stack(columns, width):
    """(rows, n * width) -> a view (n, rows, width)."""
    return columns.reshape(len(columns), -1, width).transpose(1, 0, 2)


class _Window:
    """A layer as matrix products over gathered windows; keeps the last (k - 1) rows of its input between steps.

    Parameters
    ----------
    q : QuantLayer
    row : int
        Pixels from one row to the next in the flat picture.
    chunk : int
        Largest number of pixels a step brings.
    dtype : type
        float32 or float64, whichever is exact.
    limits : tuple of int
        Where the output saturates.
    """

    def __init__(self, q, row, chunk, dtype, limits=(0, 255)):
        self.limits, self.prelu = limits, None if q.slope is None else _Prelu(q, dtype)
        weight, offset = _fold(q, dtype)
        out_ch, k, _, in_ch = weight.shape
        self.row = row
        self.history = (k - 1) * (row + 1)  # a window spans this many pixels more than its first
        self.filled = 0
        self.act = _buffer(in_ch + 1, self.history + chunk, dtype)  # the last row stays 1: it carries the offset
        # Small windows are gathered whole. Larger ones row by row, the k products added: the pixels of one filter
        # row are those of the next, `row` pixels on, so that k times less is copied.
        whole = k * k * in_ch <= _FULL_WINDOW_TAPS
        products = 1 if whole else k
        self.matrices = np.zeros((products, out_ch, weight[0].size // products + 1), dtype)
        self.matrices[:, :, :-1] = weight.reshape(out_ch, products, -1).transpose(1, 0, 2)
        self.matrices[0, :, -1] = offset
        if k == 1:
            self.windows, self.columns = None, self.act
            return
        span = chunk + (products - 1) * row
        step, channel = dtype().itemsize, self.act.strides[0]
        shape = (k // products, k, in_ch, span)
        self.windows = np.lib.stride_tricks.as_strided(
            self.act, shape, (row * step, step, channel, step), writeable=False
        )
        self.columns = _buffer(self.matrices.shape[2], span, dtype)
        self.gathered = self.columns[:-1].reshape(shape)
        self.part = _buffer(out_ch, chunk, dtype) if products > 1 else None

    def input(self, new: int) -> np.ndarray:
        """Return where the next `new` pixels belong, (I, new)."""
        return self.act[:-1, self.filled : self.filled + new]

    def step(self, new: int, next_input: Callable) -> int:
        """Take the `new` pixels written to `input`, write what they complete to `next_input`; return how many."""
        self.filled += new
        ready = self.filled - self.history
        if ready <= 0:
            return 0
        out = next_input(ready)
        if self.windows is not None:
            span = ready + (len(self.matrices) - 1) * self.row
            self.gathered[..., :span] = self.windows[..., :span]
        _product(self.matrices[0], self.columns[:, :ready], out)
        for i, matrix in enumerate(self.matrices[1:], 1):
            part = self.part[:, :ready]
            _product(matrix, self.columns[:, i * self.row : i * self.row + ready], part)
            out += part
        if self.prelu:
            self.prelu.apply(out)
        np.clip(out, *self.limits, out=out)
        np.floor(out, out=out)
        self.act[:-1, : self.history] = self.act[:-1, ready : self.filled]
        self.filled = self.history
        return ready


class _Prelu:
    """What a PReLU does to sums times 2^-shift; exact, as all of it are steps of a power of two."""

    def __init__(self, q, dtype):
        shift, slope = q.shift.astype(np.int32), q.slope.astype(np.int32)
        self.slope = np.ldexp(1.0, -slope)[:, None].astype(dtype)
        self.half = (0.5 * (shift > 0))[:, None].astype(dtype)  # of a sum that is not negative
        self.half_below = (0.5 * (shift + slope > 0))[:, None].astype(dtype)
        self.zero = q.zero[:, None].astype(dtype)

    def apply(self, out: np.ndarray) -> None:
        """Turn (O, pixels) sums into what is still to be clipped and floored."""
        out[:] = np.where(out < 0, np.floor(out * self.slope + self.half_below), np.floor(out + self.half)) + self.zero


class _Collect:
    """What several output channels end in: a flat picture. `size` is the number of pixels of the input, `row` as for
    `_Window`.
    """

    def __init__(self, channels, row, chunk, dtype, size):
        self.row, self.done = row, 0
        self.chunk = _buffer(channels, chunk, dtype)
        self.flat = np.zeros((channels, size), np.uint8)

    def input(self, new: int) -> np.ndarray:
        """Return where the next `new` pixels belong, (C, new)."""
        return self.chunk[:, :new]

    def step(self, new: int) -> None:
        """Take the `new` pixels written to `input`."""
        self.flat[:, self.done : self.done + new] = self.chunk[:, :new]
        self.done += new

    def output(self, height: int, width: int) -> np.ndarray:
        """Return the finished picture, uint8 (height, width, C)."""
        return self.flat[:, : height * self.row].reshape(-1, height, self.row)[:, :, :width].transpose(1, 2, 0)


class _Gather:
    """The last layer, one output channel: each pixel times all taps in one product, then added where it belongs.

    Windows of many channels for one output would copy k * k times more than they compute. Parameters as for
    `_Window`; `size` is the number of pixels of the flat picture.
    """

    def __init__(self, q, row, chunk, dtype, size):
        weight, self.offset = _fold(q, dtype)
        _, k, _, in_ch = weight.shape
        self.k, self.row = k, row
        self.matrix = np.ascontiguousarray(weight.reshape(k * k, in_ch))
        self.act = _buffer(in_ch, chunk, dtype)
        # k - 1 pixels of history for the taps of a row; the new pixels begin on a cache line
        line = 64 // dtype().itemsize
        self.start = line * -(-(k - 1) // line)
        self.planes = _buffer(k * k, self.start + chunk, dtype)
        self.planes[:, : self.start] = 0
        # tap (i, j) of output p looks at pixel p + j of plane (i, j)
        step, plane = dtype().itemsize, self.planes.strides[0]
        first = self.planes[:, self.start - (k - 1) :]
        self.taps = np.lib.stride_tricks.as_strided(
            first, (k, k, chunk), (k * plane, plane + step, step), writeable=False
        )
        # per filter row, the sums of its taps; the first k - 1 windows begin before the picture
        self.rows = np.zeros((k, k - 1 + size), dtype)
        self.done = 0

    def input(self, new: int) -> np.ndarray:
        """Return where the next `new` pixels belong, (I, new)."""
        return self.act[:, :new]

    def step(self, new: int) -> None:
        """Add the `new` pixels written to `input` to the accumulators."""
        start, history = self.start, self.k - 1
        _product(self.matrix, self.act[:, :new], self.planes[:, start : start + new])
        np.add.reduce(self.taps[:, :, :new], axis=1, out=self.rows[:, self.done : self.done + new])
        self.planes[:, start - history : start] = self.planes[:, start + new - history : start + new]
        self.done += new

    def output(self, height: int, width: int) -> np.ndarray:
        """Return the finished picture, uint8 (height, width)."""
        acc = np.full((height, width), self.offset, self.rows.dtype)
        for i in range(self.k):
            first = self.k - 1 + i * self.row
            acc += self.rows[i, first : first + height * self.row].reshape(height, self.row)[:, :width]
        return np.clip(acc, 0, 255, out=acc).astype(np.uint8)  # the conversion floors
