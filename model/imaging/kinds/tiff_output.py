"""TIFF files out: 8 or 16 bits, deflate with differences, and the tags that travel with the picture."""

from __future__ import annotations

import zlib

import numpy as np

from model.base.errors import UserError
from model.imaging import tags
from model.imaging.kinds import tiff
from model.imaging.metadata import DESCRIPTIVE, Metadata, put_resolution

XMP, IPTC, ICC = 700, 33723, 34675
_STRIP_BYTES = 1 << 18
_LEVEL = 4  # of zlib; differences of photographs shrink little more beyond
_LARGEST = (1 << 32) - (1 << 24)  # offsets have 32 bits


def encode(pixels: np.ndarray, alpha: np.ndarray | None, icc: bytes | None, metadata: Metadata) -> bytes:
    """Return a TIFF file.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
    alpha : ndarray of the same dtype, shape (H, W), or None
    icc : bytes or None
    metadata : Metadata

    Raises
    ------
    UserError
        Larger than a TIFF can be.
    """
    channels = (1 if pixels.ndim == 2 else 3) + (alpha is not None)
    height, width = pixels.shape[:2]
    if height * width * channels * pixels.itemsize > _LARGEST:
        raise UserError(f"{width}x{height} pixels are more than the 4 GB of a tif; write a png")
    directory = tags.Directory(metadata.exif.order if metadata.exif is not None else "<")
    if metadata.exif is not None:
        directory.update({tag: entry for tag, entry in metadata.exif.items() if tag in DESCRIPTIVE})
        directory.subs = metadata.exif.subs
    rows = max(1, min(height, _STRIP_BYTES // (width * channels * pixels.itemsize)))
    strips = [_strip(pixels, alpha, top, rows, directory.order) for top in range(0, height, rows)]
    offsets, at = [], 8
    for strip in strips:
        offsets.append(at)
        at += len(strip)
    put = directory.put
    put(tiff.WIDTH, tags.LONG, width)
    put(tiff.HEIGHT, tags.LONG, height)
    put(tiff.BITS, tags.SHORT, *(8 * pixels.itemsize,) * channels)
    put(tiff.COMPRESSION, tags.SHORT, tiff.DEFLATE)
    put(tiff.PHOTOMETRIC, tags.SHORT, tiff.RGB if pixels.ndim == 3 else tiff.BLACK_IS_ZERO)
    put(tiff.STRIPS, tags.LONG, *offsets)
    put(tiff.ORIENTATION, tags.SHORT, 1)
    put(tiff.SAMPLES, tags.SHORT, channels)
    put(tiff.ROWS_PER_STRIP, tags.LONG, rows)
    put(tiff.STRIP_BYTES, tags.LONG, *map(len, strips))
    put(tiff.PLANAR, tags.SHORT, 1)
    put(tiff.PREDICTOR, tags.SHORT, 2)
    if alpha is not None:
        put(tiff.EXTRA_SAMPLES, tags.SHORT, 2)
    put_resolution(directory, metadata.dpi)
    for tag, data, kind in (
        (XMP, metadata.xmp, tags.BYTE),
        (IPTC, metadata.iptc, tags.UNDEFINED),
        (ICC, icc, tags.UNDEFINED),
    ):
        if data:
            directory.put_bytes(tag, data, kind)
    padding = at % 2
    return b"".join(
        [tags.header(directory.order, at + padding), *strips, b"\0" * padding, tags.pack(directory, at + padding)]
    )


def _strip(pixels, alpha, top, rows, order):
    samples = pixels[top : top + rows]
    samples = samples if samples.ndim == 3 else samples[:, :, None]
    if alpha is not None:
        samples = np.concatenate([samples, alpha[top : top + rows, :, None]], axis=2)
    differences = samples.copy()
    differences[:, 1:] -= samples[:, :-1]  # wraps
    return zlib.compress(differences.astype(differences.dtype.newbyteorder(order)).tobytes(), _LEVEL)
