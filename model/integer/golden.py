"""The golden model: SRCNN in integers, numpy only. What it computes is what the FPGA has to compute.

Per layer, with x uint8 (H, W, I), weight int8, bias, shift per output channel:

    acc = bias + sum(weight * x)                       exact, never overflows (Conv.acc_bits)
    y   = saturate((acc + half) >> shift, 0, 255)      half = (1 << shift) >> 1

Saturating at 0 is the ReLU. The exact integer convolution rides on BLAS: every product and every partial
sum is an integer, and float32 represents all integers up to 2^24, so a float32 matrix product is exact as
long as the worst accumulator stays below that; beyond it float64 (2^53) is used. Scaling by 2^-shift is
exact in binary floating point, so floor((acc + half) * 2^-shift) is the arithmetic shift, and with the
scale inside the weights and (bias + half) as one more row of the product, a layer is product, clip, floor.
"""

from __future__ import annotations

import concurrent.futures
import os
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from model.base.errors import UserError
from model.integer.flat import infer_block

if TYPE_CHECKING:
    from model.graph.weights import QuantLayer, QuantModel

FLOAT32_EXACT = 2**24  # float32 holds every integer of smaller magnitude
FLOAT64_EXACT = 2**53
_BLOCK_COLUMNS = 1 << 10  # wider pictures are cut, or the rows a window spans leave the caches
_BLOCK_ROWS = 1 << 9  # bounds the memory per worker
_MIN_ROWS = 16  # less is not worth a thread


def requantise(acc: np.ndarray, shift: np.ndarray) -> np.ndarray:
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


def pad(y: np.ndarray, halo: int) -> np.ndarray:
    """Replicate-pad an (H, W) picture by `halo` pixels on each side."""
    return np.pad(y, halo, mode="edge")


def infer(model: QuantModel, y: np.ndarray, workers: int | None = None) -> np.ndarray:
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
    ndarray of uint8, shape (H, W), or (H, W, C) if the network gives C > 1 channels
    """
    return infer_valid(model, pad(y, model.network.halo), workers)


def infer_valid(model: QuantModel, x: np.ndarray, workers: int | None = None) -> np.ndarray:
    """Run the network on an already padded picture or tile: (H + 2 halo, W + 2 halo) -> (H, W) uint8, or (H, W, C) if
    the network gives C > 1 channels.

    Raises
    ------
    UserError
        If `x` is not uint8 or too small to give one pixel.
    """
    halo = model.network.halo
    if x.dtype != np.uint8 or x.ndim != 2 or min(x.shape) <= 2 * halo:
        raise UserError(
            f"the network takes uint8 pictures of at least {2 * halo + 1} pixels a side with their halo, not "
            f"{x.dtype} {x.shape}"
        )
    height, width = x.shape[0] - 2 * halo, x.shape[1] - 2 * halo
    channels = model.network.out_ch
    out = np.empty((height, width) if channels == 1 else (height, width, channels), np.uint8)
    workers = workers or os.cpu_count() or 1
    rows, columns = _block_size(height, width, workers)
    blocks = [
        (slice(top, min(top + rows, height)), slice(left, min(left + columns, width)))
        for top in range(0, height, rows)
        for left in range(0, width, columns)
    ]

    def run(block):
        inside = tuple(slice(side.start, side.stop + 2 * halo) for side in block)
        out[block] = infer_block(model, x[inside], exact_dtype(model))

    with threadpool_limits(1, "blas"):  # the workers are the threads: BLAS's own would fight them for the cores
        if workers == 1 or len(blocks) == 1:
            for block in blocks:
                run(block)
        else:
            with concurrent.futures.ThreadPoolExecutor(workers) as pool:
                list(pool.map(run, blocks))
    return out


def accumulate(q: QuantLayer, x: np.ndarray) -> np.ndarray:
    """Return one layer's accumulators, bias included, before requantisation.

    Parameters
    ----------
    q : QuantLayer
    x : ndarray of uint8, shape (H, W, I)

    Returns
    -------
    ndarray of int64, shape (H - k + 1, W - k + 1, O)
    """
    out_ch, k, _, in_ch = q.weight.shape
    height, width = x.shape[0] - k + 1, x.shape[1] - k + 1
    view = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), (k, k), axis=(0, 1))
    columns = view.transpose(0, 1, 3, 4, 2).reshape(height * width, k * k * in_ch)  # taps in weight order Kh, Kw, I
    products = columns @ q.weight.reshape(out_ch, -1).T.astype(np.float64)
    return products.astype(np.int64).reshape(height, width, out_ch) + q.bias.astype(np.int64)


def layer_output(q: QuantLayer, x: np.ndarray) -> np.ndarray:
    """Return one layer's output, for reports and testbenches.

    Parameters
    ----------
    q : QuantLayer
    x : ndarray of uint8, shape (H, W, I)

    Returns
    -------
    ndarray of uint8, shape (H - k + 1, W - k + 1, O)
    """
    return requantise(accumulate(q, x), q.shift)


def exact_dtype(model: QuantModel) -> type:
    """Return the float type in which every partial sum of every layer is an exact integer (scaled by a power of
    two).
    """
    worst = max(q.worst_accumulator for q in model.layers)
    assert worst < FLOAT64_EXACT, f"an accumulator of {worst} is beyond float64"  # QuantModel allows far less
    return np.float32 if worst < FLOAT32_EXACT else np.float64


def _block_size(height, width, workers):
    """Return rows and columns of the blocks that workers take: even shares, few, as neighbours recompute a halo."""
    bands = min(workers * -(-height // (workers * _BLOCK_ROWS)), -(-height // _MIN_ROWS))
    return -(-height // bands), -(-width // -(-width // _BLOCK_COLUMNS))
