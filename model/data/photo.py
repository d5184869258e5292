"""Pictures as cameras and the web hand them out: blurred, made small anyhow, sharpened, noisy, compressed.

`photo.toml` says how much of each. What befalls a picture depends on the picture and the number of the copy alone, so
that a training can go on where it stopped, and calibration sees what training saw.
"""

from __future__ import annotations

import functools
import hashlib
import pathlib
import re

import cv2
import numpy as np

from model.base.toml import load_toml
from model.imaging.resize import imresize, to_uint8

SETTINGS = pathlib.Path(__file__).with_name("photo.toml")
VALIDATED = 3  # every 3rd picture held out chooses weights; the others are for measuring what they are worth
_OPENCV = {"box": cv2.INTER_AREA, "bilinear": cv2.INTER_LINEAR, "lanczos": cv2.INTER_LANCZOS4}
_SOFTENED = {"bilinear": 0.4, "lanczos": 0.3}  # sigma, in small pixels: OpenCV's do not soften what they make smaller


@functools.cache
def settings(upscale: int) -> dict:
    """Return what `photo.toml` says for a factor: what stands under it (`[x2.resize]`) replaces what is for all."""
    tables = load_toml(SETTINGS, "the committed one")
    own = tables.get(f"x{upscale}", {})
    common = {name: value for name, value in tables.items() if not re.fullmatch(r"x\d", name)}
    return {name: value | own.get(name, {}) if isinstance(value, dict) else value for name, value in common.items()}


def for_validation(held_out: list[pathlib.Path]) -> list[pathlib.Path]:
    """Return those of the pictures held out of a set that choose weights."""
    return held_out[::VALIDATED]


def for_measuring(held_out: list[pathlib.Path]) -> list[pathlib.Path]:
    """Return those of the pictures held out of a set that no training sees in any way."""
    return [path for i, path in enumerate(held_out) if i % VALIDATED]


def photograph(picture: np.ndarray, upscale: int, copy: int = 0) -> np.ndarray:
    """Make a small picture out of a true one.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W) or (H, W, 3)
        Sides are multiples of `upscale`.
    upscale : int
    copy : int
        Another number, another fate.

    Returns
    -------
    ndarray of uint8, shape (H / upscale, W / upscale) or (..., 3)
    """
    digest = hashlib.sha256(np.ascontiguousarray(picture).tobytes()).digest()
    rng, what = np.random.default_rng([copy, *digest[:8]]), settings(upscale)
    image = picture.astype(np.float64)
    if rng.random() < what["blur"]["share"]:
        image = _blurred(image, upscale * rng.uniform(*what["blur"]["sigma"]))
    names = list(what["resize"])
    weights = np.array([what["resize"][name] for name in names], float)
    image = _small(image, upscale, rng.choice(names, p=weights / weights.sum()), rng)
    if rng.random() < what["sharpen"]["share"]:
        soft = _blurred(image, rng.uniform(*what["sharpen"]["sigma"]))
        image = image + rng.uniform(*what["sharpen"]["amount"]) * (image - soft)
    if rng.random() < what["noise"]["share"]:
        shape = image.shape[:2] if image.ndim == 3 and rng.random() < what["noise"]["grey"] else image.shape
        noise = rng.normal(0, rng.uniform(*what["noise"]["sigma"]), shape)
        image = image + (noise if shape == image.shape else noise[:, :, None])
    small = to_uint8(image)
    if rng.random() < what["jpeg"]["share"]:
        low, high = what["jpeg"]["quality"]
        small = _compressed(small, int(rng.integers(low, high + 1)))
    return small


def _blurred(image, sigma):
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def _small(image, upscale, how, rng):
    """Smaller by `upscale`; a decimated picture starts at one of the middle pixels of a block."""
    if how == "bicubic":
        return imresize(image, 1 / upscale)
    if how == "decimated":
        at = rng.integers((upscale - 1) // 2, upscale // 2 + 1, 2)
        return image[at[0] :: upscale, at[1] :: upscale]
    size = image.shape[0] // upscale, image.shape[1] // upscale
    if how in _SOFTENED:
        image = _blurred(image, _SOFTENED[how] * upscale)
    return cv2.resize(image, size[::-1], interpolation=_OPENCV[how])


def _compressed(picture, quality):
    colour = picture.ndim == 3
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    code = cv2.imencode(".jpg", picture[..., ::-1] if colour else picture, options)[1]
    back = cv2.imdecode(code, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
    return np.ascontiguousarray(back[..., ::-1]) if colour else back
