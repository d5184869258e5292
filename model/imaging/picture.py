"""A decoded picture, and what of it is more than 8 bit.

One policy for every format: samples of 1 to 16 bits, unsigned, are taken from nothing to the largest value that their
file declares. Up to 8 bits they become 0..255, beyond 0..65535, rounded to the nearest; more bits, signed and
floating-point samples are refused, since their file does not say what is white.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from model.base.errors import UserError
from model.imaging.metadata import Metadata

MOST_BITS = 16
WHITE = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}


@dataclasses.dataclass(frozen=True)
class Picture:
    """A decoded picture, upright.

    Attributes
    ----------
    pixels : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
        Grey, or RGB; 65535 is white as 255 is.
    alpha : ndarray of the same dtype, shape (H, W), or None
        Not multiplied into the pixels.
    icc : bytes or None
        Colour profile, handed on to the output unchanged.
    notes : tuple of str
        What was lost or converted, for the user.
    metadata : Metadata
        What else travels with it.
    """

    pixels: np.ndarray
    alpha: np.ndarray = None
    icc: bytes = None
    notes: tuple = ()
    metadata: Metadata = Metadata()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), as people say it."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def deep(self) -> bool:
        """Whether the pixels have 16 bits."""
        return self.pixels.dtype == np.uint16

    def shallow(self) -> Picture:
        """Return the picture in 8 bits; itself if it is."""
        if not self.deep:
            return self
        alpha = None if self.alpha is None else to_eight(self.alpha)
        return dataclasses.replace(self, pixels=to_eight(self.pixels), alpha=alpha)


def to_eight(samples: np.ndarray) -> np.ndarray:
    """Samples of 16 bits to 8, to the nearest: uint16 -> uint8, the same shape. uint8 is returned as it is."""
    if samples.dtype == np.uint8:
        return samples
    out = np.empty(samples.shape, np.uint8)
    for top in range(0, len(samples), 256):  # temporaries of a strip
        strip = samples[top : top + 256].astype(np.uint32)
        out[top : top + 256] = (strip + 128) // 257
    return out


def to_full_range(samples: np.ndarray, white: int) -> np.ndarray:
    """Samples of 0..`white` to 0..255 if that holds them, else to 0..65535, to the nearest, halves up.

    Parameters
    ----------
    samples : ndarray of unsigned integers
        What is larger than `white` counts as white.
    white : int
        At most 65535.
    """
    dtype = np.dtype(np.uint8 if white <= 255 else np.uint16)
    full = WHITE[dtype]
    if white == full:
        return samples.astype(dtype, copy=False)
    samples = np.minimum(samples, white).astype(np.uint64)
    return ((2 * full * samples + white) // (2 * white)).astype(dtype)


def check_samples(name: str, bits: int, kind: str = "unsigned") -> None:
    """Raise `UserError` unless samples are of a kind that says what is white.

    Parameters
    ----------
    name : str
        The file's.
    bits : int
        Of a sample.
    kind : str
        "unsigned", "signed", "floating-point" or "complex".
    """
    if kind != "unsigned" or not 1 <= bits <= MOST_BITS:
        raise UserError(
            f"{name} has {kind} samples of {bits} bits and does not say what is white; the limit is unsigned samples "
            f"of {MOST_BITS} bits: convert it to 8 or 16 bits per channel"
        )
