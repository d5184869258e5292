"""How a video's frames are turned and mirrored until they are upright: the display matrix that phones write."""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


@dataclasses.dataclass(frozen=True)
class Orientation:
    """One of the eight ways in which a picture can lie.

    Attributes
    ----------
    transposed : bool
        Rows become columns, first of all.
    rows_reversed, columns_reversed : bool
        The last one comes first, after that.
    """

    transposed: bool = False
    rows_reversed: bool = False
    columns_reversed: bool = False

    def upright(self, pixels: np.ndarray) -> np.ndarray:
        """Return pixels (H, W, ...) of any dtype upright, as a contiguous array."""
        if self.transposed:
            pixels = pixels.swapaxes(0, 1)
        rows, columns = -1 if self.rows_reversed else 1, -1 if self.columns_reversed else 1
        return np.ascontiguousarray(pixels[::rows, ::columns])

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height of a width x height frame when it is upright."""
        return (height, width) if self.transposed else (width, height)


def read_orientation(frame: VideoFrame) -> Orientation:
    """Read how a frame has to be turned and mirrored.

    The matrix, nine signed integers a b u, c d v, x y w, sends the point (x, y) to (a x + c y, b x + d y); x goes to
    the right, y down. Angles between the right ones are taken for the nearest of these.
    """
    from av.sidedata.sidedata import Type

    try:
        data = bytes(frame.side_data[Type.DISPLAYMATRIX])
    except KeyError:
        return Orientation()
    if len(data) != 36:
        return Orientation()
    a, b, _, c, d, *_ = struct.unpack("=9i", data)
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, rows_reversed=b < 0, columns_reversed=c < 0)
    return Orientation(False, rows_reversed=d < 0, columns_reversed=a < 0)
