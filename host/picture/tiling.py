"""Cutting a padded picture into tiles and putting their outputs together.

The network is made of valid convolutions over the replicate-padded picture, so each output pixel depends on
its own window and on nothing else: any tiling gives exactly the bits of the whole picture. Tiles are cut in pixels of
the network's input; its output may have `scale` times as many along each side.

    padded picture                     picture
    +------------------------+         +----------------+
    | halo                   |         | tile 0 | tile 1|
    |  +------ - - - -+      |   -->   |        |       |
    |  |  view of tile 0     |         |--------+-------|
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class Tile(NamedTuple):
    """A rectangle of pixels, without halo."""

    top: int
    left: int
    height: int
    width: int

    def times(self, scale: int) -> Tile:
        """Return the rectangle that it covers in a picture `scale` times as large."""
        return Tile(*(scale * side for side in self))


def cut(height: int, width: int, tile_height: int, tile_width: int) -> list[Tile]:
    """Cut a picture into tiles, row by row; the last ones of a row or column may be smaller.

    Parameters
    ----------
    height, width : int
        Of the picture, without halo.
    tile_height, tile_width : int
        Of a tile, without halo; 1 or more.

    Returns
    -------
    list of Tile
        Every pixel is in exactly one of them.
    """
    return [
        Tile(top, left, min(tile_height, height - top), min(tile_width, width - left))
        for top in range(0, height, tile_height)
        for left in range(0, width, tile_width)
    ]


def even(side: int, limit: int) -> int:
    """Return the smallest tile side that cuts `side` into as few parts as `limit` allows: 2000, 1920 -> 1000."""
    return -(-side // -(-side // limit))


def views(padded: np.ndarray, tiles: Iterable[Tile], halo: int) -> Iterator[np.ndarray]:
    """Yield each tile's input, halo included: views into the padded picture, nothing is copied.

    Parameters
    ----------
    padded : ndarray of uint8, shape (H + 2 halo, W + 2 halo) or (..., C)
    tiles : iterable of Tile
    halo : int

    Yields
    ------
    ndarray of uint8, shape (height + 2 halo, width + 2 halo)
    """
    for top, left, height, width in tiles:
        yield padded[top : top + height + 2 * halo, left : left + width + 2 * halo]


def put(out: np.ndarray, tile: Tile, pixels: np.ndarray) -> None:
    """Write a tile's output where it belongs.

    Parameters
    ----------
    out : ndarray of uint8, shape (H, W) or (H, W, C)
        The picture; may be a strided view.
    tile : Tile
        In pixels of `out`.
    pixels : ndarray of uint8, shape (tile.height, tile.width) or (..., C)

    Raises
    ------
    ValueError
        If the output has another size: broadcasting would hide it.
    """
    if pixels.shape != (tile.height, tile.width, *out.shape[2:]):
        raise ValueError(
            f"the tile at row {tile.top}, column {tile.left} gave {pixels.shape}, expected {(tile.height, tile.width)}"
        )
    out[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] = pixels
