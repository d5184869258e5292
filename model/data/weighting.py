"""What a picture's errors weigh in a training that wants every picture as far above bicubic as it can be."""

from __future__ import annotations

import numpy as np

from model.data.datasets import Pairs
from model.imaging.resize import imresize, to_uint8

ROUNDED = 1.0  # levels squared, added to each error: below it, rounding decides
MOST = 30.0  # medians: no picture weighs more, however smooth it is


def picture_weights(pairs: Pairs) -> np.ndarray:
    """Return the inverse of bicubic's squared error of each picture, 1 for a pixel on average.

    The gain over bicubic that a comparison reports is a mean over pictures of logarithms. Its slope by a picture's
    squared error is 1 / that error: weighed so, squared errors of patches add up to what is reported, to first order.
    (PSNR per patch does that to patches, of which smooth ones then decide.)

    Parameters
    ----------
    pairs : Pairs

    Returns
    -------
    ndarray of float32, shape (pictures,)
    """
    errors = []
    for low, high in pairs.pictures():
        enlarged = to_uint8(imresize(low, pairs.scale)) if pairs.scale > 1 else low
        errors.append(np.mean((enlarged.astype(np.float64) - high) ** 2))
    weights = 1 / (np.array(errors) + ROUNDED)
    weights = np.minimum(weights, MOST * np.median(weights))
    pixels = pairs.shapes.prod(1)
    return (weights * pixels.sum() / (weights @ pixels)).astype(np.float32)
