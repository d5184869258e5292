"""What a network is given in simulation: a user's picture as the host prepares it, or a photograph of any size."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

import cv2
import numpy as np

from host.picture import pipeline
from model.base.errors import UserError
from model.imaging import color
from model.imaging import files as picture_files
from model.imaging.resize import upscale_bicubic

if TYPE_CHECKING:
    from model.graph.network import Network


def network_input(
    path: pathlib.Path, network: Network, upscale: int, size: tuple[int, int] | None = None
) -> np.ndarray:
    """Return what a network takes of a picture (`Network.input`).

    Parameters
    ----------
    path : pathlib.Path
    network : Network
    upscale : int
    size : (int, int), optional
        Rows and columns of the network's input, which are cut from its centre; all of it if None.

    Returns
    -------
    ndarray of uint8, shape (H, W), or (H, W, 3) for an RGB network

    Raises
    ------
    UserError
        If the picture cannot be read, is too large, or smaller than `size`.
    """
    picture = picture_files.read_picture(path, lambda width, height: pipeline.check_size(width, height, upscale))
    whole = prepared(picture.shallow().pixels, network, upscale)
    if size is None:
        return whole
    height, width = whole.shape[:2]
    if size[0] > height or size[1] > width:
        factor = f" x{upscale}" if network.input == "upscaled" else ""
        raise UserError(
            f"--size {size[1]}x{size[0]} is more than {path} has{factor}, {width}x{height}; choose less or a larger "
            f"picture"
        )
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return np.ascontiguousarray(whole[top : top + size[0], left : left + size[1]])


def prepared(pixels: np.ndarray, network: Network, upscale: int) -> np.ndarray:
    """Return what a network takes of pixels, (H, W) or (H, W, 3) uint8: bicubic Y, Y as it is, or the colours."""
    if network.input == "rgb":
        return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    y = pixels if pixels.ndim == 2 else cv2.split(color.rgb_to_ycbcr(pixels))[0]
    return upscale_bicubic(y, upscale) if network.input == "upscaled" else y


def photograph(height: int, width: int) -> np.ndarray:
    """Return a photograph of this size, (height, width, 3) uint8: one of scikit-image's, in its own detail, mirrored at
    its edges as often as that takes.
    """
    import skimage.data

    picture = skimage.data.coffee()
    more = [max(0, side - there) for side, there in zip((height, width), picture.shape)]
    return np.pad(picture, ((0, more[0]), (0, more[1]), (0, 0)), "symmetric")[:height, :width]
