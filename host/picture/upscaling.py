"""One picture on its way through the network, band by band.

A backend asks for tiles and hands back their outputs. Only then is the work done that a tile needs, and that its
output allows: bicubic Y as far down as the tile reaches, bicubic Cb and Cr and the merge of the rows that are complete.
So on a board the host's steps overlap with the overlay's, which computes one transfer while the tiles of the next
are asked for and the outputs of the last are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np

from host.picture import tiling
from model.imaging import color
from model.imaging.files import Picture
from model.imaging.resize import upscale_bicubic

if TYPE_CHECKING:
    from host.picture.backends import Backend


class Upscaling:
    """A picture and all that has become of it.

    Parameters
    ----------
    picture : Picture
    backend : host.picture.backends.Backend
        Decides on the tiles; computes nothing here.
    tile : (int, int) or None
        Rows and columns of a tile, in pixels of the result; the backend's choice if None.
    clock : callable
        See `host.picture.pipeline.Clock`.

    Raises
    ------
    UserError
        If the backend does not take tiles of this size.
    """

    def __init__(self, picture: Picture, backend: Backend, tile: tuple[int, int], clock: Callable) -> None:
        self._picture, self._clock = picture, clock
        self._upscale, self._halo = backend.model.upscale, backend.model.network.halo
        self._height, self._width = (side * self._upscale for side in picture.pixels.shape[:2])
        rows, columns = tile or backend.default_tile(self._height, self._width)
        rows, columns = min(rows, self._height), min(columns, self._width)
        backend.check_tile(rows, columns)
        self._places = tiling.cut(self._height, self._width, rows, columns)
        self._put = 0  # tiles whose output is there
        self._prepared = 0  # rows of the padded Y that are there, without halo
        self._merged = 0  # rows of the result that are there
        with clock("colour"):
            grey = picture.pixels.ndim == 2
            self._small = [picture.pixels] if grey else cv2.split(color.rgb_to_ycbcr(picture.pixels))
        self._padded = np.empty((self._height + 2 * self._halo, self._width + 2 * self._halo), np.uint8)
        self._y = np.empty((self._height, self._width), np.uint8)
        self._pixels = self._y if grey else np.empty((self._height, self._width, 3), np.uint8)
        self._alpha = None if picture.alpha is None else np.empty_like(self._y)

    @property
    def done(self) -> bool:
        """Whether all outputs are there."""
        return self._put == len(self._places)

    def tiles(self) -> Iterator[np.ndarray]:
        """Yield the input of each tile, halo included, as `host.picture.backends.Backend.infer` takes it."""
        for place in self._places:
            self._prepare(place.top + place.height + self._halo)
            yield from tiling.views(self._padded, [place], self._halo)

    def put(self, pixels: np.ndarray) -> None:
        """Take the output of the next tile, uint8 (H, W); it may be overwritten afterwards."""
        place = self._places[self._put]
        with self._clock("unpack"):
            tiling.put(self._y, place, pixels)
        self._put += 1
        if place.left + place.width == self._width:
            self._merge(place.top + place.height)

    def result(self) -> Picture:
        """Return the upscaled `Picture`."""
        assert self.done
        return Picture(self._pixels, self._alpha, self._picture.icc, self._picture.notes)

    def _prepare(self, bottom):
        """Have the padded Y down to this row of the result."""
        top, height, width, halo = self._prepared, self._height, self._width, self._halo
        bottom = min(height, -(-bottom // self._upscale) * self._upscale)  # no row of the input is computed twice
        if bottom <= top:
            return
        with self._clock("bicubic"):
            y = upscale_bicubic(self._small[0], self._upscale, (top, bottom))
        with self._clock("pack"):
            rows = self._padded[halo + top : halo + bottom]
            rows[:, halo : halo + width] = y
            rows[:, :halo] = y[:, :1]
            rows[:, halo + width :] = y[:, -1:]
            if top == 0:
                self._padded[:halo] = rows[:1]
            if bottom == height:
                self._padded[halo + height :] = rows[-1:]
        self._prepared = bottom

    def _merge(self, bottom):
        """Have the result down to this row, for which Y is there."""
        rows = slice(self._merged, bottom)
        with self._clock("bicubic"):
            chroma = [upscale_bicubic(plane, self._upscale, (rows.start, bottom)) for plane in self._small[1:]]
            if self._alpha is not None:
                self._alpha[rows] = upscale_bicubic(self._picture.alpha, self._upscale, (rows.start, bottom))
        if chroma:
            with self._clock("merge"):
                color.ycbcr_to_rgb(cv2.merge([self._y[rows], *chroma]), out=self._pixels[rows])
        self._merged = bottom
