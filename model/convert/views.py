"""Which value of a tensor lies where, behind operators that only move values.

Reshape, transpose, depth-to-space of both modes, concatenation, slices and nearest-neighbour resizing compute nothing.
Instead of knowing how each exporter writes them, the operator itself is run on coordinates: three pictures hold the
channel, row and column that every value comes from. What came out is then read as one thing: `factor` x `factor` pixels
per position, cropped, channels in some order.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from model.base.errors import UserError

if TYPE_CHECKING:
    from model.convert.planes import Plane


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """Values of a plane, moved.

    Attributes
    ----------
    plane : Plane
    channel, row, column : ndarray of int32, any shape
        Where each value comes from.
    """

    plane: Plane
    channel: np.ndarray
    row: np.ndarray
    column: np.ndarray

    @property
    def shape(self) -> tuple:
        """Of the tensor."""
        return self.channel.shape

    @property
    def coordinates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Channels, rows and columns."""
        return self.channel, self.row, self.column

    def of(self, plane: Plane) -> View:
        """Return the same view of another plane with the same channels."""
        return View(plane, *self.coordinates)


def whole_view(plane: Plane, height: int, width: int) -> View:
    """Return a plane as it is, (1, C, height, width)."""
    axes = np.ogrid[: plane.channels, :height, :width]
    shape = (1, plane.channels, height, width)
    return View(plane, *(np.broadcast_to(axis.astype(np.int32), shape) for axis in axes))  # takes no memory


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """What a view of four axes is: pixel (factor * y + i, factor * x + j) of channel c is channel order[c, i, j] of
    position (y, x), the first rows and columns cropped.
    """

    factor: int
    crop: tuple
    order: np.ndarray

    @property
    def places(self) -> np.ndarray:
        """The channels in the order of depth-to-space, (i, j, c), flat."""
        return self.order.transpose(1, 2, 0).ravel()

    def around(self, shape: tuple, before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the coordinates of a view (1, C, H, W) with rows and columns more, as if positions had no end."""
        rows, columns = (
            np.arange(-b, side + a, dtype=np.int32) + c for side, b, a, c in zip(shape[2:], before, after, self.crop)
        )
        channel = self.order[:, (rows % self.factor)[:, None], columns % self.factor]
        row, column = np.meshgrid(rows // self.factor, columns // self.factor, indexing="ij")
        return channel[None].astype(np.int32), *(np.broadcast_to(axis, (1, *channel.shape)) for axis in (row, column))


def arrangement(view: View, node: str) -> Arrangement:
    """Return what a view is, as (1, C, H, W).

    Raises
    ------
    UserError
        If it is not made of whole positions in their order.
    """
    if len(view.shape) != 4 or view.shape[0] != 1:
        raise UserError(
            f"node {node} reads a tensor of {' x '.join(map(str, view.shape))}, which is no picture; write reshapes "
            f"and transposes only as parts of a pixel shuffle"
        )
    channel, row, column = (axis[0] for axis in view.coordinates)
    rows, columns = row[0, :, 0], column[0, 0, :]
    if (row != rows[:, None]).any() or (column != columns).any():
        raise UserError(
            f"node {node} reads pixels that were taken apart into channels (space-to-depth, pixel unshuffle); the "
            f"hardware takes pixels as they come: train with the first convolution on the picture itself"
        )
    down, right = _run(rows), _run(columns)
    if down is None or right is None or down[0] != right[0]:
        raise UserError(
            f"node {node} reads pixels that are left out, mirrored or repeated unevenly; only whole factors, up, and "
            f"the same along both sides are known here"
        )
    factor, crop = down[0], (down[1], right[1])
    y, x = ((np.arange(len(axis)) + first) % factor for axis, first in zip((rows, columns), crop))
    order = np.zeros((len(channel), factor, factor), np.int64)
    order[:, y[:, None], x] = channel
    if (order[:, y[:, None], x] != channel).any():
        raise UserError(f"node {node} reads channels that change from place to place; keep each in its place")
    return Arrangement(factor, crop, order)


def _run(positions):
    """Return (factor, first) of positions that are (arange + first) // factor; None of others."""
    steps = np.diff(positions)
    changes = np.flatnonzero(steps)
    if not len(changes) or (steps[changes] != 1).any():
        return None
    factor = int(np.diff(changes).max(initial=1))
    first = int(factor * positions[0] + (-(changes[0] + 1)) % factor)
    return (factor, first) if ((np.arange(len(positions)) + first) // factor == positions).all() else None


def shuffled(channels: int, factor: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the coordinates (1, channels, height, width) of depth-to-space, of positions without end."""
    c, y, x = np.indices((channels, height, width), np.int32)
    place = (y % factor * factor + x % factor) * channels + c
    return place[None], (y // factor)[None], (x // factor)[None]
