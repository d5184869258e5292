"""Colour: BT.601 studio range as MATLAB's rgb2ycbcr (the papers'), full range as OpenCV's YCrCb (the original project's).

Pictures are uint8 (H, W, 3) in RGB order, or (H, W) grey.
"""

import cv2
import numpy as np

# Thousandths per 255 of R, G, B: MATLAB's table, exactly. Y = 16..235, Cb and Cr = 16..240.
_RGB_TO_YCBCR = ((65481, 128553, 24966), (-37797, -74203, 112000), (112000, -93786, -18214))
_OFFSET = (16, 128, 128)
_UNIT = 255000
# 255 times the inverse of that table (per 255, in units), applied to (Y - 16, Cb - 128, Cr - 128).
_YCBCR_TO_RGB = ((1.1643835616438358, 3.0112439739772951e-07, 1.5960268873357040),
                 (1.1643835616438358, -0.39176253994145005, -0.81296829216220534),
                 (1.1643835616438358, 2.0172326395564593, 3.0542617453304942e-06))
_STRIP_ROWS = 64  # rows at a time: temporaries stay in the cache


def rgb_to_ycbcr(rgb):
    """RGB -> YCbCr, studio range, rounded to the nearest, in exact integers.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Channels Y (16..235), Cb, Cr (16..240, 128 is grey).
    """
    _check(rgb)
    out = np.empty(rgb.shape, np.uint8)
    for top in range(0, len(rgb), _STRIP_ROWS):
        part = slice(top, top + _STRIP_ROWS)
        channels = [rgb[part, :, c].astype(np.int32) for c in range(3)]
        for c in range(3):
            out[part, :, c] = _studio(channels, c)
    return out


def rgb_to_y(picture):
    """The Y of `rgb_to_ycbcr`: uint8 (H, W, 3) -> (H, W). A grey (H, W) picture is returned as it is."""
    if picture.ndim == 2:
        return picture
    _check(picture)
    out = np.empty(picture.shape[:2], np.uint8)
    for top in range(0, len(picture), _STRIP_ROWS):
        part = slice(top, top + _STRIP_ROWS)
        out[part] = _studio([picture[part, :, c].astype(np.int32) for c in range(3)], 0)
    return out


def ycbcr_to_rgb(ycbcr):
    """YCbCr, studio range -> RGB, rounded and clipped, as MATLAB's ycbcr2rgb; uint8 (H, W, 3) in and out."""
    _check(ycbcr)
    out = np.empty(ycbcr.shape, np.uint8)
    for top in range(0, len(ycbcr), _STRIP_ROWS):
        part = slice(top, top + _STRIP_ROWS)
        y, cb, cr = (ycbcr[part, :, c].astype(np.float64) - _OFFSET[c] for c in range(3))
        for c, (from_y, from_cb, from_cr) in enumerate(_YCBCR_TO_RGB):
            value = y * from_y
            value += cb * from_cb
            value += cr * from_cr
            value += 0.5
            np.clip(np.floor(value, out=value), 0, 255, out=value)
            out[part, :, c] = value
    return out


def rgb_to_ycrcb_full(rgb):
    """RGB -> OpenCV's full-range YCrCb (note the order: Y, Cr, Cb); uint8 (H, W, 3) in and out."""
    _check(rgb)
    return cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2YCrCb)


def ycrcb_full_to_rgb(ycrcb):
    """OpenCV's full-range YCrCb -> RGB; uint8 (H, W, 3) in and out."""
    _check(ycrcb)
    return cv2.cvtColor(np.ascontiguousarray(ycrcb), cv2.COLOR_YCrCb2RGB)


def _studio(channels, row):
    """One channel of the studio-range table: offset + round(sum / 255000), the sum in exact int32."""
    red, green, blue = _RGB_TO_YCBCR[row]
    total = channels[0] * np.int32(red)
    total += channels[1] * np.int32(green)
    total += channels[2] * np.int32(blue)
    total += _UNIT // 2
    total //= _UNIT  # floor; with the half added, round half up
    total += _OFFSET[row]
    return total


def _check(picture):
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"colour conversion takes uint8 (H, W, 3), not {picture.dtype} {picture.shape}")
