"""The golden model: networks in integers, numpy only. What it computes is what the FPGA has to compute.

Per convolution, with x uint8 (H, W, I), weight int8, bias, shift per output channel:

    acc = bias + sum(weight * x)                       exact, never overflows (Conv.acc_bits)
    y   = saturate((acc + half) >> shift, 0, 255)      half = (1 << shift) >> 1

Saturating at 0 is the ReLU. A residual keeps its sign, saturate(..., -256, 255), and an addition is
saturate(residual + earlier, 0, 255); more than 9 bits of the residual could not change that. A PReLU shifts negative
sums further, by `slope`, and adds `zero`, what 0 is stored as, before it saturates.

The exact integer convolution rides on BLAS: every product and every partial
sum is an integer, and float32 represents all integers up to 2^24, so a float32 matrix product is exact as
long as the worst accumulator stays below that; beyond it float64 (2^53) is used. Scaling by 2^-shift is
exact in binary floating point, so floor((acc + half) * 2^-shift) is the arithmetic shift, and with the
scale inside the weights and (bias + half) as one more row of the product, a layer is product, clip, floor.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import ThreadpoolController

from model.base.errors import UserError
from model.graph.kinds import Add, Conv
from model.graph.network import INPUT
from model.integer.blocks import compute, cut
from model.integer.flat import infer_block

if TYPE_CHECKING:
    from model.graph.network import Network
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
    return np.clip(_shifted(acc, shift), 0, 255).astype(np.uint8)


def requantise_residual(acc: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The same for the residual of an addition: saturated to 9 bits, signed. Returns int16."""
    return np.clip(_shifted(acc, shift), -256, 255).astype(np.int16)


def requantise_prelu(acc: np.ndarray, shift: np.ndarray, slope: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """The same for a PReLU, whose slope below 0 is 2^-slope; `zero` is what 0 is stored as. Returns uint8."""
    further = np.where(acc < 0, np.asarray(slope, np.int64), 0)
    return np.clip(_shifted(acc, np.asarray(shift, np.int64) + further) + np.asarray(zero, np.int64), 0, 255).astype(
        np.uint8
    )


def _shifted(acc, shift):
    shift = np.asarray(shift, np.int64)
    half = (np.int64(1) << shift) >> 1
    return (acc + half) >> shift


def pad(picture: np.ndarray, halo: int) -> np.ndarray:
    """Replicate-pad an (H, W) or (H, W, C) picture by `halo` pixels on each side."""
    return np.pad(picture, ((halo, halo), (halo, halo), (0, 0))[: picture.ndim], mode="edge")


def infer(model: QuantModel, y: np.ndarray, workers: int | None = None) -> np.ndarray:
    """Run the network on a whole picture.

    Parameters
    ----------
    model : QuantModel
    y : ndarray of uint8, shape (H, W), or (H, W, 3) for an RGB network
        What the network takes (`Network.input`).
    workers : int, optional
        Threads; all cores if None.

    Returns
    -------
    ndarray of uint8, shape (H * scale, W * scale), or (..., C) if the network gives C > 1 channels
    """
    return infer_valid(model, pad(y, model.network.halo), workers)


def infer_valid(model: QuantModel, x: np.ndarray, workers: int | None = None) -> np.ndarray:
    """Run the network on an already padded picture or tile: (H + 2 halo, W + 2 halo[, 3]) -> uint8 (H * scale, W *
    scale), or (..., C) if the network gives C > 1 channels.

    Raises
    ------
    UserError
        If `x` is not uint8, has other channels than the network takes, or is too small to give one pixel.
    """
    network = model.network
    require_input(network, x)
    halo, scale = network.halo, network.scale
    height, width = x.shape[0] - 2 * halo, x.shape[1] - 2 * halo
    pixel = () if network.out_ch == 1 else (network.out_ch,)
    out = np.empty((height * scale, width * scale, *pixel), np.uint8)
    workers = workers or os.cpu_count() or 1
    rows, columns = _block_size(height, width, workers)

    def run(block):
        inside = tuple(slice(side.start, side.stop + 2 * halo) for side in block)
        made = tuple(slice(side.start * scale, side.stop * scale) for side in block)
        out[made] = infer_block(model, x[inside], exact_dtype(model))

    with _blas().limit(limits=1):  # the workers are the threads: BLAS's own would fight them for the cores
        compute(run, cut(height, width, rows, columns), workers)
    return out


def require_input(network: Network, x: np.ndarray) -> None:
    """Raise `UserError` unless an array is what a network takes, with its halo: see `infer_valid`."""
    shape = (network.in_ch,) * (network.in_ch > 1)  # of a pixel
    if x.dtype != np.uint8 or x.shape[2:] != shape or x.ndim < 2 or min(x.shape[:2]) <= 2 * network.halo:
        colour = " of three channels" if shape else ""
        raise UserError(
            f"the network takes uint8 pictures{colour} of at least {2 * network.halo + 1} pixels a side with their "
            f"halo, not {x.dtype} {x.shape}"
        )


@functools.cache
def _blas():
    """Return the BLAS libraries of this process; looking for them takes milliseconds, as long as a small picture."""
    return ThreadpoolController().select(user_api="blas")


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


def layer_output(q: QuantLayer, x: np.ndarray, signed: bool = False) -> np.ndarray:
    """Return one convolution's output, for reports and testbenches.

    Parameters
    ----------
    q : QuantLayer
    x : ndarray of uint8, shape (H, W, I)
    signed : bool
        The output is a residual (`Conv.signed`).

    Returns
    -------
    ndarray of uint8, or of int16 for a residual, shape (H - k + 1, W - k + 1, O)
    """
    acc = accumulate(q, x)
    if q.slope is not None:
        return requantise_prelu(acc, q.shift, q.slope, q.zero)
    return (requantise_residual if signed else requantise)(acc, q.shift)


def add(residual: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """Return an addition's output: the earlier tensor cropped in the middle, repeated over the channels, saturated.

    Parameters
    ----------
    residual : ndarray of int16, shape (H, W, n * C)
    earlier : ndarray of uint8, shape (H + 2 crop, W + 2 crop, C)

    Returns
    -------
    ndarray of uint8, shape (H, W, n * C)
    """
    height, width, channels = residual.shape
    crop = (earlier.shape[0] - height) // 2
    inside = earlier[crop : crop + height, crop : crop + width].astype(np.int64)
    return np.clip(residual + np.tile(inside, channels // earlier.shape[2]), 0, 255).astype(np.uint8)


def depth_to_space(x: np.ndarray, factor: int) -> np.ndarray:
    """Return (H, W, s * s * C) as (s * H, s * W, C): channel (i * s + j) * C + c is channel c of pixel (i, j)."""
    height, width, channels = x.shape
    split = x.reshape(height, width, factor, factor, channels // factor**2).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(split).reshape(height * factor, width * factor, channels // factor**2)


def tensors(model: QuantModel, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return every tensor of the network on one padded picture, for reports and testbenches.

    Parameters
    ----------
    model : QuantModel
    x : ndarray of uint8, shape (H, W) or (H, W, C)
        With its halo.

    Returns
    -------
    dict of str to ndarray
        By name, the input first; each (H', W', C), uint8, residuals int16.
    """
    known = {INPUT: x.reshape(*x.shape[:2], -1)}
    parameters = dict(zip((layer.name for layer in model.network.convs), model.layers))
    for layer in model.network.layers:
        given = [known[name] for name in layer.inputs]
        if isinstance(layer, Conv):
            known[layer.name] = layer_output(parameters[layer.name], *given, layer.signed)
        elif isinstance(layer, Add):
            known[layer.name] = add(*given)
        else:
            known[layer.name] = depth_to_space(*given, layer.factor)
    return known


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
