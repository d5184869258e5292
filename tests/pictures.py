"""Pictures for tests, drawn by a seed. Apart from tests/random_models.py, which a board without OpenCV reads too."""

import numpy as np

from model.imaging.resize import imresize, to_uint8

# What the pixels are after each EXIF orientation, by the standard's own words: "row 0 is top, column 0 is right" ...
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}


def smooth_picture(seed, height=48, width=60):
    """Return a picture in colour without noise, uint8 (H, W, 3)."""
    small = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    return to_uint8(imresize(small, (height, width)))
