"""Resizing: MATLAB-style bicubic, as the papers measure with, and OpenCV's, as the original project did.

Both picture in and picture out may be any size from 1x1 up. All sums of `imresize` run in a fixed order with plain
multiplications and additions, and `upscale_bicubic` is exact, so that every machine gives the same bits.
"""

from __future__ import annotations

import fractions
import functools
import math

import cv2
import numpy as np

from model.base.errors import UserError
from model.imaging.strips import each_strip

CUBIC_A = fractions.Fraction(-1, 2)  # MATLAB's kernel; OpenCV has -3/4
_STRIP_BYTES = 1 << 18  # temporaries of one strip of rows stay in the second-level cache
_UPSCALE_STRIP_BYTES = 1 << 19  # more, to make up for the calls
_REACH = 2  # input pixels that an upscaled pixel sees on each side


def imresize(image: np.ndarray, scale_or_size: float | tuple[int, int]) -> np.ndarray:
    """Resize as MATLAB's `imresize(image, ..., "bicubic")`: a = -0.5, antialiased when shrinking, symmetric edges.

    Parameters
    ----------
    image : ndarray, shape (H, W) or (H, W, C)
        Any numeric dtype, any range.
    scale_or_size : float or (int, int)
        Factor, giving ceil(factor * side) pixels a side, or the size (height, width) of the result.

    Returns
    -------
    ndarray of float64, shape (H', W') or (H', W', C)
        Not rounded, not clipped: the kernel overshoots at edges.

    Raises
    ------
    UserError
        If the image is empty or the result would be.
    """
    image = np.asarray(image, np.float64)
    if image.ndim not in (2, 3) or image.size == 0:
        raise UserError(
            f"a picture has to be (height, width) or (height, width, channels) and not empty, not {image.shape}"
        )
    sides = image.shape[:2]
    if np.ndim(scale_or_size) == 0:
        scales = (float(scale_or_size),) * 2
        # the tolerance keeps 0.9 * 110 = 99.00000000000001 at 99 pixels
        size = tuple(math.ceil(scale * side - 1e-9) for scale, side in zip(scales, sides))
    else:
        size = tuple(int(side) for side in scale_or_size)
        scales = tuple(new / old for new, old in zip(size, sides))
    if min(size) < 1 or len(size) != 2:
        raise UserError(f"cannot resize {sides} to {size}; a picture has at least 1x1 pixels")
    # MATLAB's order: the side that shrinks most first
    for axis in sorted((0, 1), key=lambda axis: scales[axis]):
        image = _resize_axis(image, axis, size[axis], scales[axis])
    return image


def upscale_bicubic(image: np.ndarray, upscale: int, rows: tuple[int, int] | None = None) -> np.ndarray:
    """Upscale a picture: `imresize`, rounded half up and clipped, exactly.

    The kernel's weights at multiples of 1 / (2 * upscale) are fractions with one small denominator.

    Parameters
    ----------
    image : ndarray of uint8 or uint16, shape (H, W) or (H, W, C)
    upscale : int
        Positive.
    rows : (int, int), optional
        Compute only these rows of the result, from the first up to the second; all of them if None.

    Returns
    -------
    ndarray of the same dtype, shape (upscale * H, upscale * W) or with C channels; fewer rows with `rows`
    """
    _check_unsigned(image, upscale)
    begin, end = rows or (0, upscale * len(image))
    if upscale == 1:
        return image[begin:end].copy()
    if image.ndim == 3:
        channels = [np.ascontiguousarray(image[:, :, c]) for c in range(image.shape[2])]
        return np.stack([upscale_bicubic(channel, upscale, rows) for channel in channels], axis=2)
    first, weights, denominator = _phases(upscale)
    white = np.iinfo(image.dtype).max
    dtype = _sum_dtype(weights, denominator) if white == 255 else np.float64  # 53 bits are always enough for 16
    down = np.array(weights, dtype)
    across = np.array(weights, dtype) / dtype(denominator**2)
    # Rounding is adding a half and flooring. Half a unit more: the sums are whole numbers of units, so that none is
    # left at the border between two pixel values, where float arithmetic could take it for the wrong one.
    half = (denominator**2 // 2 + 0.5) / denominator**2
    start, stop = begin // upscale, -(-end // upscale)  # the input's rows
    above, below = min(_REACH, start), min(_REACH, len(image) - stop)
    height, width = stop - start, image.shape[1]
    padded = cv2.copyMakeBorder(
        image[start - above : stop + below], _REACH - above, _REACH - below, 0, 0, cv2.BORDER_REFLECT
    )
    out = np.empty((height, upscale, width, upscale), image.dtype)

    def work(strips):
        for top, bottom in strips:
            strip = padded[top : bottom + 2 * _REACH].astype(dtype)
            planes = [np.empty((bottom - top, width), image.dtype) for _ in range(upscale)]
            for i in range(upscale):
                tall = cv2.filter2D(strip, -1, down[i][:, None], anchor=(0, _REACH - first[i]))[_REACH:-_REACH]
                for j in range(upscale):
                    total = cv2.filter2D(
                        tall,
                        -1,
                        across[j][None],
                        anchor=(_REACH - first[j], 0),
                        delta=half,
                        borderType=cv2.BORDER_REFLECT,
                    )
                    np.clip(total, 0, white, out=total)
                    np.copyto(planes[j], total, casting="unsafe")  # floors
                cv2.merge(planes, out[top:bottom, i])

    each_strip(work, height, width * upscale**2, max(1, _UPSCALE_STRIP_BYTES // (np.dtype(dtype).itemsize * width)))
    return out.reshape(upscale * height, upscale * width)[begin - upscale * start : end - upscale * start]


def opencv_resize(image: np.ndarray, size: tuple[int, int], interpolation: int = cv2.INTER_CUBIC) -> np.ndarray:
    """Resize with OpenCV, without antialiasing: the original project's way down and up.

    Parameters
    ----------
    image : ndarray, shape (H, W) or (H, W, C)
        uint8 or float32; the result has the same dtype.
    size : (int, int)
        Height and width of the result.
    """
    height, width = size
    out = cv2.resize(image, (width, height), interpolation=interpolation)
    return out.reshape(height, width, *image.shape[2:])  # OpenCV drops a last axis of 1


def modcrop(image: np.ndarray, upscale: int) -> np.ndarray:
    """Cut rows and columns at the end so that both sides are multiples of `upscale`.

    Raises
    ------
    UserError
        If nothing would be left.
    """
    height, width = (side - side % upscale for side in image.shape[:2])
    if not height or not width:
        raise UserError(
            f"a picture of {image.shape[1]}x{image.shape[0]} is too small for x{upscale}; it needs {upscale} pixels a "
            f"side"
        )
    return image[:height, :width]


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Round half up, clip to 0..255 and convert to uint8."""
    return np.clip(np.floor(np.asarray(image) + 0.5), 0, 255).astype(np.uint8)


def _cubic(distance):
    """Keys' kernel at |distance|, for floats and fractions alike."""
    x = abs(distance)
    if x <= 1:
        return (CUBIC_A + 2) * x**3 - (CUBIC_A + 3) * x**2 + 1
    if x < 2:
        return CUBIC_A * (x**3 - 5 * x**2 + 8 * x - 4)
    return 0 * x


def _cubic_array(distance):
    a, x = float(CUBIC_A), np.abs(distance)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


@functools.lru_cache(maxsize=64)
def _taps(old, new, scale):
    """Return input indices and weights, both (taps, new), of one side's resize from `old` to `new` pixels."""
    stretch = min(scale, 1.0)  # shrinking widens the kernel: the antialiasing
    width = 4.0 / stretch
    centre = (np.arange(new) + 0.5) / scale - 0.5
    left = np.floor(centre - width / 2).astype(np.int64)
    index = left + np.arange(math.ceil(width) + 2)[:, None]
    weight = stretch * _cubic_array(stretch * (centre - index))
    weight /= weight.sum(0)
    used = np.any(weight != 0, axis=1)
    index, weight = index[used] % (2 * old), weight[used]
    return np.where(index < old, index, 2 * old - 1 - index), weight  # mirrored: ... 1 0 | 0 1 ...


def _resize_axis(image, axis, new, scale):
    moved = np.ascontiguousarray(np.moveaxis(image, axis, 0))
    rows = moved.reshape(len(moved), -1)
    index, weight = _taps(len(rows), new, scale)
    out = np.empty((new, rows.shape[1]))
    step = max(1, _STRIP_BYTES // (8 * rows.shape[1]))
    for top in range(0, new, step):
        part = slice(top, min(top + step, new))
        total = rows[index[0, part]] * weight[0, part, None]
        for tap in range(1, len(index)):
            term = rows[index[tap, part]]
            term *= weight[tap, part, None]
            total += term
        out[part] = total
    return np.ascontiguousarray(np.moveaxis(out.reshape(new, *moved.shape[1:]), 0, axis))


@functools.lru_cache(maxsize=16)
def _phases(upscale):
    """Integer weights of upscaling by a whole factor.

    Output pixel upscale * i + phase is sum(weights[phase] * padded[i + first[phase]:]) / denominator.
    """
    exact = []
    first = []
    for phase in range(upscale):
        centre = fractions.Fraction(2 * phase + 1, 2 * upscale) - fractions.Fraction(1, 2)  # relative to input i
        left = math.floor(centre) - 1
        exact.append([_cubic(centre - left - tap) for tap in range(4)])
        first.append(left + _REACH)
    denominator = math.lcm(*(weight.denominator for taps in exact for weight in taps))
    weights = [[int(weight * denominator) for weight in taps] for taps in exact]
    gain = max(sum(map(abs, taps)) for taps in weights)
    if 255 * gain**2 + denominator**2 >= 2**31:
        raise UserError(f"upscaling by {upscale} is too large for this exact arithmetic; upscale in two steps")
    return first, weights, denominator


def _sum_dtype(weights, denominator):
    """Return the float type in which weighted sums of sums, over denominator^2, cannot end on the wrong side of a whole
    number.

    They are half a unit of 1 / denominator^2 away from it. Over a power of two float32 holds them exactly, if they and
    that half fit its 24 bits; otherwise at most eight roundings, each by 2^-24 of the largest sum, have to stay below
    that half.
    """
    worst = 255 * max(sum(map(abs, taps)) for taps in weights) ** 2 + denominator**2
    power_of_two = denominator & (denominator - 1) == 0
    return np.float32 if worst < (2**23 if power_of_two else 2**20) else np.float64


def _check_unsigned(image, upscale):
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in (2, 3) or image.size == 0:
        raise UserError(
            f"upscaling takes uint8 or uint16 pictures of at least 1x1 pixels, not {image.dtype} {image.shape}"
        )
    if upscale < 1 or upscale != int(upscale):
        raise UserError(f"upscale {upscale} is not a positive whole number; choose 2, 3 or 4")
