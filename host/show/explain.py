"""What `host/srcnn.ipynb` shows of the network's inside, with numpy alone, so that it runs on a board as well."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

import cv2
import numpy as np

from model.imaging.files import read_picture
from model.integer import golden

if TYPE_CHECKING:
    from model.graph.weights import QuantModel


def sample_photo() -> tuple[np.ndarray, str]:
    """Return a photo that comes with an installed package: RGB uint8 (H, W, 3), and its name.

    scikit-image's astronaut, else matplotlib's sample photo, else a drawn picture.
    """
    try:
        import skimage.data

        return skimage.data.astronaut(), "astronaut (scikit-image)"
    except ImportError:
        pass
    try:
        import matplotlib

        path = pathlib.Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
        if path.is_file():  # some distributions leave it out
            return read_picture(path).pixels, "Grace Hopper (matplotlib)"
    except ImportError:
        pass
    return draw_picture(), "a drawing"


def draw_picture(side: int = 384) -> np.ndarray:
    """Return a picture with edges in all directions, fine lines and soft shades, RGB uint8 (side, side, 3)."""
    rows, columns = np.mgrid[:side, :side] / side
    picture = np.stack([90 + 120 * rows, 120 + 90 * columns, 200 - 120 * rows * columns], axis=2).astype(np.uint8)
    centre = (side // 2, side // 2)
    for i in range(24):
        angle = np.pi * i / 12
        end = (round(side * (0.5 + 0.47 * np.cos(angle))), round(side * (0.5 + 0.47 * np.sin(angle))))
        cv2.line(picture, centre, end, (250, 240, 225) if i % 2 else (25, 30, 60), 1 + i % 3, cv2.LINE_AA)
    for i, radius in enumerate(range(side // 16, side // 2, side // 16)):
        cv2.circle(picture, centre, radius, (200, 60 + 20 * i, 40), 2, cv2.LINE_AA)
    cv2.putText(
        picture,
        "SRCNN",
        (side // 10, side - side // 12),
        cv2.FONT_HERSHEY_SIMPLEX,
        side / 160,
        (255, 255, 255),
        3,
        cv2.LINE_AA,
    )
    return picture


def feature_maps(model: QuantModel, padded: np.ndarray) -> dict[str, np.ndarray]:
    """Run the golden model layer by layer and keep everything.

    Parameters
    ----------
    model : QuantModel
    padded : ndarray of uint8, shape (H + 2 halo, W + 2 halo), or (..., 3) for an RGB network

    Returns
    -------
    dict of str to ndarray
        Per layer, by its name, (H', W', C), uint8, or int16 of a residual; the last is the output, (H * scale, W *
        scale, 1).
    """
    known = golden.tensors(model, padded)
    return {layer.name: known[layer.name] for layer in model.network.layers}


def brighten(maps: np.ndarray) -> np.ndarray:
    """Return each channel of (H, W, C) scaled so that its largest magnitude is 255, as uint8."""
    sizes = np.abs(maps.astype(np.int32))
    return (sizes * 255 // np.maximum(1, sizes.max(axis=(0, 1)))).astype(np.uint8)


def mosaic(maps: np.ndarray, columns: int = 8, gap: int = 2) -> np.ndarray:
    """Put the channels of (H, W, C) side by side, with white gaps; uint8 in and out, (H', W')."""
    height, width, count = maps.shape
    rows = -(-count // columns)
    out = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), 255, np.uint8)
    for i in range(count):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        out[top : top + height, left : left + width] = maps[:, :, i]
    return out
