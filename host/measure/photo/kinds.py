"""Twelve ways in which a small picture comes to be, to measure on: made by Pillow, with fixed numbers.

Nothing here is shared with what trains for such pictures (`model.data.photo`), so that a network which only undoes our
own way of spoiling a picture would be found out.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from model.imaging.resize import imresize, to_uint8


def _resized(filter_: Image.Resampling) -> Callable:
    def small(picture, upscale, rng):
        size = picture.shape[1] // upscale, picture.shape[0] // upscale
        return np.asarray(Image.fromarray(picture).resize(size, filter_))

    return small


def _clean(picture, upscale, rng):
    return to_uint8(imresize(picture, 1 / upscale))


def _decimated(picture, upscale, rng):
    return np.ascontiguousarray(picture[upscale // 2 :: upscale, upscale // 2 :: upscale])


def _sharpened(picture, upscale, rng):
    image = Image.fromarray(_clean(picture, upscale, rng))
    return np.asarray(image.filter(ImageFilter.UnsharpMask(radius=1, percent=100, threshold=0)))


def _noisy(sigma: float, quality: int = 0) -> Callable:
    """Of luminance: what a camera leaves after it has smoothed the colours, and all of it is seen in Y."""

    def small(picture, upscale, rng):
        image = _clean(picture, upscale, rng)
        image = to_uint8(image + rng.normal(0, sigma, image.shape[:2])[:, :, None])
        return _compressed(image, quality) if quality else image

    return small


def _jpeg(quality: int) -> Callable:
    return lambda picture, upscale, rng: _compressed(_clean(picture, upscale, rng), quality)


def _compressed(image, quality):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


KINDS: dict[str, Callable] = {
    "clean": _clean,
    "box": _resized(Image.Resampling.BOX),
    "bilinear": _resized(Image.Resampling.BILINEAR),
    "Lanczos": _resized(Image.Resampling.LANCZOS),
    "decimated": _decimated,
    "sharpened": _sharpened,
    "noise 3": _noisy(3),
    "noise 8": _noisy(8),
    "noise 8 + JPEG 85": _noisy(8, 85),
    "JPEG 90": _jpeg(90),
    "JPEG 75": _jpeg(75),
    "JPEG 50": _jpeg(50),
}


def make_small(kind: str, picture: np.ndarray, upscale: int, name: str) -> np.ndarray:
    """Return a true picture made small.

    Parameters
    ----------
    kind : str
        A key of `KINDS`.
    picture : ndarray of uint8, shape (H, W, 3)
        RGB, sides are multiples of `upscale`.
    upscale : int
    name : str
        Of the picture: what noise is drawn from.

    Returns
    -------
    ndarray of uint8, shape (H / upscale, W / upscale, 3)
    """
    return KINDS[kind](picture, upscale, np.random.default_rng(zlib.crc32(name.encode())))
