"""Colour: BT.601 studio range as MATLAB's rgb2ycbcr (the papers'), full range as OpenCV's YCrCb (the original
project's).

Pictures are uint8 (H, W, 3) in RGB order, or (H, W) grey.
"""

from __future__ import annotations

import cv2
import numpy as np

from model.imaging.strips import each_strip

# Thousandths per 255 of R, G, B: MATLAB's table, exactly. Y = 16..235, Cb and Cr = 16..240.
_RGB_TO_YCBCR = ((65481, 128553, 24966), (-37797, -74203, 112000), (112000, -93786, -18214))
_OFFSET = (16, 128, 128)
_UNIT = 255000
# 255 times the inverse of that table (per 255, in units), applied to (Y - 16, Cb - 128, Cr - 128).
_YCBCR_TO_RGB = (
    (1.1643835616438358, 3.0112439739772951e-07, 1.5960268873357040),
    (1.1643835616438358, -0.39176253994145005, -0.81296829216220534),
    (1.1643835616438358, 2.0172326395564593, 3.0542617453304942e-06),
)
Y_GAIN = _YCBCR_TO_RGB[0][0]  # what a step of Y adds to red, green and blue alike
# The same as OpenCV wants it, offsets in a last column. It rounds sums of doubles to the nearest integer, without a
# rule for ties that holds on every machine: half of the smallest step, 1 / 255000, turns "half" into "up", as MATLAB
# rounds.
_FORWARD = np.column_stack([np.divide(_RGB_TO_YCBCR, _UNIT), np.add(_OFFSET, 0.5 / _UNIT)])
# None of the 2^24 colours comes closer to a tie than 5e-8 on the way back (tests/model/test_color.py computes them
# all).
_BACK = np.column_stack([_YCBCR_TO_RGB, -np.dot(_YCBCR_TO_RGB, _OFFSET)])
_STRIP_PIXELS = 1 << 16  # at a time: temporaries stay in the caches


def rgb_to_ycbcr(rgb: np.ndarray) -> np.ndarray:
    """RGB -> YCbCr, studio range, rounded to the nearest, halves up, exactly.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Channels Y (16..235), Cb, Cr (16..240, 128 is grey).
    """
    _check(rgb)
    return _transform(rgb, _FORWARD)


def rgb_to_y(picture: np.ndarray) -> np.ndarray:
    """The Y of `rgb_to_ycbcr`: uint8 (H, W, 3) -> (H, W). A grey (H, W) picture is returned as it is."""
    if picture.ndim == 2:
        return picture
    _check(picture)
    return _transform(picture, _FORWARD[:1])[:, :, 0]


def ycbcr_to_rgb(ycbcr: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """YCbCr, studio range -> RGB, rounded and clipped, as MATLAB's ycbcr2rgb; uint8 (H, W, 3) in and out, into `out`
    if given.
    """
    _check(ycbcr)
    return _transform(ycbcr, _BACK, clip=True, out=out)


def rgb_to_ycrcb_full(rgb: np.ndarray) -> np.ndarray:
    """RGB -> OpenCV's full-range YCrCb (note the order: Y, Cr, Cb); uint8 (H, W, 3) in and out."""
    _check(rgb)
    return cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2YCrCb)


def ycrcb_full_to_rgb(ycrcb: np.ndarray) -> np.ndarray:
    """OpenCV's full-range YCrCb -> RGB; uint8 (H, W, 3) in and out."""
    _check(ycrcb)
    return cv2.cvtColor(np.ascontiguousarray(ycrcb), cv2.COLOR_YCrCb2RGB)


def _transform(picture, matrix, clip=False, out=None):
    """Apply a (C, 3 + 1) matrix to every pixel, in doubles, and round; uint8 (H, W, 3) -> uint8 (H, W, C)."""
    height, width = picture.shape[:2]
    out = np.empty((height, width, len(matrix)), np.uint8) if out is None else out
    rows = max(1, min(height, _STRIP_PIXELS // max(1, width)))

    def work(strips):
        before = np.empty((rows, width, 3), np.int32)  # whole numbers that OpenCV transforms in doubles
        after = np.empty((rows, width, len(matrix)), np.int32)
        for top, bottom in strips:
            values = after[: bottom - top]
            np.copyto(before[: bottom - top], picture[top:bottom])
            cv2.transform(before[: bottom - top], matrix, dst=values)
            if clip:
                np.clip(values, 0, 255, out=values)
            np.copyto(out[top:bottom], values, casting="unsafe")

    each_strip(work, height, width, rows)
    return out


def _check(picture):
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"colour conversion takes uint8 (H, W, 3), not {picture.dtype} {picture.shape}")
