"""The golden model: SRCNN in integers, numpy only. What it computes is what the FPGA has to compute.

Per layer, with x uint8 (H, W, I), weight int8, bias, shift per output channel:

    acc = bias + sum(weight * x)                       exact, never overflows (Layer.acc_bits)
    y   = saturate((acc + half) >> shift, 0, 255)      half = (1 << shift) >> 1

Saturating at 0 is the ReLU. The exact integer convolution rides on BLAS: every product and every partial
sum is an integer, and float32 represents all integers up to 2^24, so a float32 matrix product is exact as
long as the worst accumulator stays below that; beyond it float64 (2^53) is used. Scaling by 2^-shift is
exact in binary floating point, so floor((acc + half) * 2^-shift) is the arithmetic shift.
"""

import concurrent.futures
import os

import numpy as np
from threadpoolctl import threadpool_limits

from model.errors import UserError

FLOAT32_EXACT = 2**24  # float32 holds every integer of smaller magnitude
_STRIP_PIXELS = 1 << 13  # pixels per strip: its matrices stay in the second-level cache


def requantise(acc, shift):
    """Add half, arithmetic shift right, saturate to uint8: the one expression of the contract.

    Parameters
    ----------
    acc : ndarray of int64
        Accumulators, channels last.
    shift : ndarray of integer
        Right shift per channel, 0..MAX_SHIFT.

    Returns
    -------
    ndarray of uint8
    """
    shift = np.asarray(shift, np.int64)
    half = (np.int64(1) << shift) >> 1
    return np.clip((acc + half) >> shift, 0, 255).astype(np.uint8)


def pad(y, halo):
    """Replicate-pad an (H, W) picture by `halo` pixels on each side."""
    return np.pad(y, halo, mode="edge")


def infer(model, y, workers=None):
    """Run the network on a whole picture.

    Parameters
    ----------
    model : QuantModel
    y : ndarray of uint8, shape (H, W)
        Y of the bicubic-upscaled picture.
    workers : int, optional
        Threads; all cores if None.

    Returns
    -------
    ndarray of uint8, shape (H, W)
    """
    return infer_valid(model, pad(y, model.network.halo), workers)


def infer_valid(model, x, workers=None):
    """Run the network on an already padded picture or tile: (H + 2 halo, W + 2 halo) -> (H, W) uint8.

    Raises
    ------
    UserError
        If `x` is not uint8 or too small to give one pixel.
    """
    halo = model.network.halo
    if x.dtype != np.uint8 or x.ndim != 2 or min(x.shape) <= 2 * halo:
        raise UserError(f"the network takes uint8 pictures of at least {2 * halo + 1} pixels a side with their halo, not {x.dtype} {x.shape}")
    compiled = [_compile(q, np.float32) for q in model.layers]
    height, width = x.shape[0] - 2 * halo, x.shape[1] - 2 * halo
    out = np.empty((height, width), np.uint8)
    rows = max(1, min(height, _STRIP_PIXELS // width))
    workers = workers or os.cpu_count() or 1

    def strip(top):
        bottom = min(top + rows, height)
        act = x[top:bottom + 2 * halo, :, None].astype(np.float32)
        for layer in compiled:
            act = layer(act)
        out[top:bottom] = act[:, :, 0]  # exact: whole numbers in 0..255

    with threadpool_limits(1, "blas"):
        if workers == 1:
            for top in range(0, height, rows):
                strip(top)
        else:
            with concurrent.futures.ThreadPoolExecutor(workers) as pool:
                list(pool.map(strip, range(0, height, rows)))
    return out


def layer_output(q, x):
    """Return one layer's output, for reports and testbenches.

    Parameters
    ----------
    q : QuantLayer
    x : ndarray of uint8, shape (H, W, I)

    Returns
    -------
    ndarray of uint8, shape (H - k + 1, W - k + 1, O)
    """
    return _compile(q, np.float32)(x.astype(np.float32)).astype(np.uint8)


def accumulate(q, x):
    """Return one layer's accumulators, bias included, before requantisation: int64 (H - k + 1, W - k + 1, O)."""
    out_ch, k = q.weight.shape[:2]
    columns = _im2col(x.astype(np.float64), k)
    matrix = q.weight.reshape(out_ch, -1).T.astype(np.float64)
    return (columns @ matrix).astype(np.int64) + q.bias.astype(np.int64)


def _im2col(x, k):
    """(H, W, I) -> (H - k + 1, W - k + 1, k * k * I), taps in weight order Kh, Kw, I."""
    height, width, channels = x.shape
    if k == 1:
        return x
    view = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(0, 1))
    return view.transpose(0, 1, 3, 4, 2).reshape(height - k + 1, width - k + 1, k * k * channels)


def _compile(q, dtype):
    """Return a function from an (H, W, I) activation to the next one, both as exact whole numbers in floats."""
    if q.worst_accumulator >= FLOAT32_EXACT:
        dtype = np.float64
    out_ch, k, _, in_ch = q.weight.shape
    scale = np.ldexp(1.0, -q.shift.astype(np.int32))  # 2^-shift, exact
    half = (np.int64(1) << q.shift.astype(np.int64)) >> 1
    offset = ((q.bias + half) * scale).astype(dtype)
    weight = (q.weight * scale[:, None, None, None]).astype(dtype)
    # Few outputs of large windows: multiply every input pixel by every tap once, then add the shifted planes
    # (im2col would copy k * k times more than it computes).
    accumulate_valid = _tap_sum(weight) if k > 1 and out_ch < in_ch else _window_product(weight)

    def layer(x):
        acc = accumulate_valid(x.astype(dtype, copy=False))
        acc += offset
        np.floor(acc, out=acc)
        np.clip(acc, 0, 255, out=acc)
        return acc

    return layer


def _window_product(weight):
    out_ch, k = weight.shape[:2]
    matrix = np.ascontiguousarray(weight.reshape(out_ch, -1).T)

    def product(x):
        columns = _im2col(x, k)
        return (columns.reshape(-1, columns.shape[2]) @ matrix).reshape(*columns.shape[:2], out_ch)

    return product


def _tap_sum(weight):
    out_ch, k, _, in_ch = weight.shape
    # (tap, out) columns: one row of products per tap, planes (tap, out, H, W) after the product
    matrix = np.ascontiguousarray(weight.transpose(1, 2, 0, 3).reshape(-1, in_ch))

    def product(x):
        height, width, _ = x.shape
        planes = (matrix @ x.reshape(-1, in_ch).T).reshape(k, k, out_ch, height, width)
        rows, columns = height - k + 1, width - k + 1
        acc = np.zeros((out_ch, rows, columns), x.dtype)
        for i in range(k):
            for j in range(k):
                acc += planes[i, j, :, i:i + rows, j:j + columns]
        return np.moveaxis(acc, 0, 2)

    return product
