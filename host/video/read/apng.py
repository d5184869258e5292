"""Animated pngs: their frames, each put onto what the ones before have left, as the PNG standard (third edition) says.

Pillow's own way is wrong where a frame is laid over one that is to be taken back, and FFmpeg knows no transparency that
frames without an alpha channel leave behind.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from model.imaging.decode import decode
from model.imaging.kinds import png

_BACKGROUND, _PREVIOUS = 1, 2  # what becomes of a frame's place when its time is over
_OPAQUE = 255
_USUAL_PARTS = 100  # of a second, if a frame says 0


class _Frame(NamedTuple):
    width: int
    height: int
    x: int
    y: int
    milliseconds: float
    dispose: int
    over: bool
    data: list


class Apng:
    """An animated png.

    Parameters
    ----------
    data : bytes
        The file.

    Attributes
    ----------
    count : int
        Frames that the file says it has.
    lengths : list of float
        Milliseconds that each of those takes that are there.
    """

    def __init__(self, data: bytes) -> None:
        self.count, self._shared, self._header, self._frames = 0, b"", b"", []
        at = len(png.SIGNATURE)
        while at + 12 <= len(data):
            length, name = struct.unpack_from(">I4s", data, at)
            content = data[at + 8 : at + 8 + length]
            at += 12 + length
            if name == b"IHDR":
                self._header = content
            elif name == b"acTL" and len(content) == 8:
                self.count = struct.unpack_from(">I", content)[0]
            elif name in (b"PLTE", b"tRNS"):
                self._shared += png.chunk(name, content)
            elif name == b"fcTL" and len(content) == 26:
                width, height, x, y, share, parts, dispose, blend = struct.unpack_from(">IIIIHHBB", content, 4)
                time = 1000 * share / (parts or _USUAL_PARTS)
                self._frames.append(_Frame(width, height, x, y, time, dispose, blend == 1, []))
            elif name == b"IDAT" and self._frames:  # else a picture for programs that know no animation
                self._frames[0].data.append(content)
            elif name == b"fdAT" and self._frames:
                self._frames[-1].data.append(content[4:])
        self.lengths = [frame.milliseconds for frame in self._frames]

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the frames, uint8 (H, W, 4), not multiplied by alpha.

        Raises
        ------
        Exception
            Whatever a decoder trips over.
        """
        width, height = struct.unpack_from(">II", self._header)
        canvas = np.zeros((height, width, 4), np.uint8)
        for number, frame in enumerate(self._frames):
            if not (0 < frame.width <= width - frame.x and 0 < frame.height <= height - frame.y):
                raise ValueError("a frame lies outside of the picture")
            before = canvas.copy() if frame.dispose == _PREVIOUS and number else None
            place = canvas[frame.y : frame.y + frame.height, frame.x : frame.x + frame.width]
            pixels = self._pixels(frame)
            place[:] = _over(pixels, place) if frame.over else pixels
            yield canvas.copy()
            if before is not None:
                canvas = before
            elif frame.dispose in (_BACKGROUND, _PREVIOUS):  # the first one has none before it
                place[:] = 0

    def _pixels(self, frame):
        """Return a frame alone, uint8 (H, W, 4): a png of its own."""
        header = struct.pack(">II", frame.width, frame.height) + self._header[8:]
        parts = [
            png.chunk(b"IHDR", header),
            self._shared,
            png.chunk(b"IDAT", b"".join(frame.data)),
            png.chunk(b"IEND", b""),
        ]
        data = png.SIGNATURE + b"".join(parts)
        picture = decode("a frame", Image.open(io.BytesIO(data), formats=["PNG"]), data).shallow()
        pixels = picture.pixels if picture.pixels.ndim == 3 else np.repeat(picture.pixels[:, :, None], 3, axis=2)
        alpha = np.full(pixels.shape[:2], _OPAQUE, np.uint8) if picture.alpha is None else picture.alpha
        return np.dstack([pixels, alpha])


def _over(above, below):
    """Return one picture laid over another, uint8 (H, W, 4)."""
    if (above[:, :, 3] == _OPAQUE).all():
        return above
    share, rest = above[:, :, 3:] / _OPAQUE, below[:, :, 3:] / _OPAQUE
    rest = rest * (1 - share)
    alpha = share + rest
    colours = (above[:, :, :3] * share + below[:, :, :3] * rest) / np.where(alpha > 0, alpha, 1)
    return np.floor(np.dstack([colours, alpha * _OPAQUE]) + 0.5).astype(np.uint8)
