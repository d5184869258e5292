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


def feature_maps(model: QuantModel, padded: np.ndarray) -> list[np.ndarray]:
    """Run the golden model layer by layer and keep everything.

    Parameters
    ----------
    model : QuantModel
    padded : ndarray of uint8, shape (H + 2 halo, W + 2 halo)

    Returns
    -------
    list of ndarray of uint8
        Per layer (H', W', C), each k - 1 pixels smaller than the one before; the last is the output, (H, W, 1).
    """
    maps = [padded[:, :, None]]
    for layer in model.layers:
        maps.append(golden.layer_output(layer, maps[-1]))
    return maps[1:]


def brighten(maps: np.ndarray) -> np.ndarray:
    """Scale each channel of (H, W, C) so that its largest value is 255; uint8 in and out."""
    return (maps.astype(np.uint16) * 255 // np.maximum(1, maps.max(axis=(0, 1)).astype(np.uint16))).astype(np.uint8)


def mosaic(maps: np.ndarray, columns: int = 8, gap: int = 2) -> np.ndarray:
    """Put the channels of (H, W, C) side by side, with white gaps; uint8 in and out, (H', W')."""
    height, width, count = maps.shape
    rows = -(-count // columns)
    out = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), 255, np.uint8)
    for i in range(count):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        out[top : top + height, left : left + width] = maps[:, :, i]
    return out
