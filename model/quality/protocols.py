"""The two ways to measure quality: how a true picture is degraded, what the network sees, what is compared.

standard (the papers'): BT.601 Y, cut to multiples of the factor, MATLAB-style antialiased bicubic down and up in
floats, result rounded, as many pixels shaved as the factor, SSIM over Gaussian windows.

opencv (the original project's): OpenCV's full-range YCrCb, its bicubic without antialiasing on 8-bit channels, the
network's output truncated, every result stored as JPEG of quality 95 and read back, 6 pixels shaved, SSIM over
one window.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from model.base.errors import UserError
from model.imaging.color import rgb_to_y, rgb_to_ycrcb_full, ycrcb_full_to_rgb
from model.imaging.resize import imresize, modcrop, opencv_resize, to_uint8
from model.quality import metrics

PROTOCOLS = ("standard", "opencv")
OPENCV_SHAVE = 6  # 9-1-5's halo, whatever the factor
JPEG_QUALITY = 95


@dataclasses.dataclass(frozen=True)
class Case:
    """One true picture, degraded.

    Attributes
    ----------
    protocol : str
    upscale : int
    truth : ndarray of uint8, shape (H, W)
        Y of the true picture.
    bicubic : ndarray of uint8, shape (H, W)
        Y downscaled and bicubically upscaled: what a network sees that takes the upscaled picture.
    bilinear : ndarray of uint8, shape (H, W)
    small : ndarray of uint8, shape (H / upscale, W / upscale)
        Y downscaled: what a network sees that takes Y as it came.
    small_rgb : ndarray of uint8, shape (H / upscale, W / upscale, 3)
        The picture downscaled, for a network that takes colours.
    chroma : ndarray of uint8, shape (H, W, 2), or None
        Cr and Cb that the opencv protocol stores with every result.
    """

    protocol: str
    upscale: int
    truth: np.ndarray
    bicubic: np.ndarray
    bilinear: np.ndarray
    small: np.ndarray
    small_rgb: np.ndarray
    chroma: np.ndarray | None = None

    def input(self, kind: str) -> np.ndarray:
        """Return what a network takes, by its `Network.input`."""
        return {"upscaled": self.bicubic, "y": self.small, "rgb": self.small_rgb}[kind]

    @property
    def shave(self) -> int:
        """Pixels left out of the comparison on each side."""
        return self.upscale if self.protocol == "standard" else OPENCV_SHAVE


def prepare(picture: np.ndarray, upscale: int, protocol: str = "standard") -> Case:
    """Degrade a true picture.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3) RGB or (H, W) grey
    upscale : int
    protocol : str
        "standard" or "opencv".

    Returns
    -------
    Case

    Raises
    ------
    UserError
        Unknown protocol; picture too small for a comparison.
    """
    if protocol not in PROTOCOLS:
        raise UserError(f"there is no protocol {protocol!r}; choose {' or '.join(PROTOCOLS)}")
    shave = upscale if protocol == "standard" else OPENCV_SHAVE
    least = -(-(2 * shave + metrics.SSIM_WINDOW) // upscale) * upscale
    if min(picture.shape[:2]) < least:
        raise UserError(
            f"a picture of {picture.shape[1]}x{picture.shape[0]} pixels is too small to be compared at x{upscale}; "
            f"it needs {least} pixels a side"
        )
    picture = modcrop(picture, upscale)
    return _standard(picture, upscale) if protocol == "standard" else _opencv(picture, upscale)


def finish(case: Case, y: np.ndarray) -> np.ndarray:
    """Return a result as the protocol compares it.

    Parameters
    ----------
    case : Case
    y : ndarray, shape (H, W), or (H, W, 3) of a network that gives colours
        0..255, uint8 or float, as a method gave it.

    Returns
    -------
    ndarray of uint8, shape (H, W)
    """
    y = luma(case, y)
    if case.protocol == "standard":
        return to_uint8(y)
    y = np.clip(y, 0, 255).astype(np.uint8)  # truncates
    rgb = ycrcb_full_to_rgb(np.dstack([y, case.chroma]))
    _, stored = cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    read = cv2.imdecode(stored, cv2.IMREAD_COLOR)
    return rgb_to_ycrcb_full(read[:, :, ::-1])[:, :, 0]


def luma(case: Case, y: np.ndarray) -> np.ndarray:
    """Return Y of a result, (H, W), by the protocol's formula if the network gave colours, (H, W, 3)."""
    if y.ndim == 2:
        return y
    colours = to_uint8(y)
    return rgb_to_y(colours) if case.protocol == "standard" else rgb_to_ycrcb_full(colours)[:, :, 0]


def measure(case: Case, y: np.ndarray) -> dict[str, float]:
    """Compare a result with the truth.

    Parameters
    ----------
    case, y
        See `finish`.

    Returns
    -------
    dict of str to float
        psnr (dB, at most `metrics.MOST_PSNR`), ssim, mse (grey levels squared).
    """
    inside = (slice(case.shave, -case.shave),) * 2
    truth, result = case.truth[inside], finish(case, y)[inside]
    similarity = metrics.ssim if case.protocol == "standard" else metrics.ssim_global
    return {
        "psnr": min(metrics.psnr(truth, result), metrics.MOST_PSNR),
        "ssim": similarity(truth, result),
        "mse": metrics.mse(truth, result),
    }


def _standard(picture, upscale):
    truth = rgb_to_y(picture)
    small = imresize(truth, 1 / upscale)
    bilinear = opencv_resize(small.astype(np.float32), truth.shape, cv2.INTER_LINEAR)
    colours = np.dstack([to_uint8(imresize(plane, 1 / upscale)) for plane in _planes(picture)])
    return Case(
        "standard",
        upscale,
        truth,
        to_uint8(imresize(small, upscale)),
        to_uint8(bilinear),
        to_uint8(small),
        colours,
    )


def _planes(picture):
    """Return red, green and blue; of grey three times the same."""
    return [picture] * 3 if picture.ndim == 2 else [picture[:, :, channel] for channel in range(3)]


def _opencv(picture, upscale):
    if picture.ndim == 2:
        picture = np.repeat(picture[:, :, None], 3, axis=2)  # the original read every picture as colour
    true = rgb_to_ycrcb_full(picture)
    size = true.shape[:2]
    small = opencv_resize(true, (size[0] // upscale, size[1] // upscale))
    bicubic = opencv_resize(small, size)
    bilinear = opencv_resize(small[:, :, 0], size, cv2.INTER_LINEAR)
    colours = opencv_resize(picture, (size[0] // upscale, size[1] // upscale))
    return Case(
        "opencv",
        upscale,
        true[:, :, 0],
        bicubic[:, :, 0],
        bilinear,
        np.ascontiguousarray(small[:, :, 0]),
        colours,
        bicubic[:, :, 1:],
    )
