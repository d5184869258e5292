"""Colours under what is fully transparent: nobody sees them, so nothing of them may come into the edge of the rest."""

from __future__ import annotations

import cv2
import numpy as np

_AROUND = np.ones((3, 3), np.float32)


def extend_colours(pixels: np.ndarray, alpha: np.ndarray | None, reach: int) -> np.ndarray:
    """Replace hidden colours by those of what is visible beside them, `reach` pixels deep.

    From the edge outwards each hidden pixel takes the mean of its neighbours that have a colour, rounded. What is
    farther away keeps what it has: no visible pixel of the result is made of it.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
    alpha : ndarray of the same dtype, shape (H, W), or None
        Hidden is what is 0.
    reach : int
        Pixels.

    Returns
    -------
    ndarray
        As `pixels`; the same array if nothing is hidden, or nothing visible.
    """
    if alpha is None or not (alpha == 0).any() or not alpha.any():
        return pixels
    top, left, bottom, right = _box(alpha, reach)
    known = (alpha[top:bottom, left:right] != 0).astype(np.float32)  # sums of nine samples of 16 bits are exact
    colours = pixels[top:bottom, left:right].astype(np.float32)
    colours *= known if colours.ndim == 2 else known[:, :, None]
    for _ in range(reach):
        count = cv2.filter2D(known, -1, _AROUND, borderType=cv2.BORDER_CONSTANT)
        fresh = (count > 0) & (known == 0)
        if not fresh.any():
            break
        total = cv2.filter2D(colours, -1, _AROUND, borderType=cv2.BORDER_CONSTANT)
        mean = total[fresh].astype(np.float64) / _like(count[fresh], total)
        colours[fresh] = np.floor(mean + 0.5)
        known[fresh] = 1
    out = pixels.copy()
    place = out[top:bottom, left:right]
    filled = (known != 0) & (alpha[top:bottom, left:right] == 0)
    place[filled] = colours[filled]
    return out


def _like(count, colours):
    return count if colours.ndim == 2 else count[:, None]


def _box(alpha, reach):
    """Return top, left, bottom, right of what is visible, and `reach` more."""
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    return (
        max(0, rows[0] - reach),
        max(0, columns[0] - reach),
        min(alpha.shape[0], rows[-1] + 1 + reach),
        min(alpha.shape[1], columns[-1] + 1 + reach),
    )
