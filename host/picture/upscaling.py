"""One picture on its way through the network, band by band.

A backend asks for tiles and hands back their outputs. Only then is the work done that a tile needs, and that its
output allows: the network's input (`Network.input`: bicubic Y, Y as it is, or red, green and blue) as far down as the
tile reaches, bicubic Cb and Cr and the merge of the rows that are complete.
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
        Rows and columns of a tile, in pixels of the result, rounded down to whole pixels of the input; the
        backend's choice if None.
    clock : callable
        See `host.picture.pipeline.Clock`.

    Raises
    ------
    UserError
        If the backend does not take tiles of this size.
    """

    def __init__(self, picture: Picture, backend: Backend, tile: tuple[int, int], clock: Callable) -> None:
        self._picture, self._clock = picture, clock
        network = backend.model.network
        self._upscale, self._halo, self._scale, self._kind = (
            backend.model.upscale,
            network.halo,
            network.scale,
            network.input,
        )
        height, width = (side * self._upscale for side in picture.pixels.shape[:2])  # of the result
        self._height, self._width = height // self._scale, width // self._scale  # of the network's input
        self._places = tiling.cut(self._height, self._width, *backend.tile_for(self._height, self._width, tile))
        self._put = 0  # tiles whose output is there
        self._prepared = 0  # rows of the padded input that are there, without halo
        self._merged = 0  # rows of the result that are there
        grey = picture.pixels.ndim == 2
        with clock("colour"):
            self._small = self._planes(picture.pixels)
        colours = (3,) * (self._kind == "rgb")  # of a pixel that the network takes and gives
        self._padded = np.empty((self._height + 2 * self._halo, self._width + 2 * self._halo, *colours), np.uint8)
        self._out = np.empty((height, width, *colours), np.uint8)
        self._pixels = self._out if grey or colours else np.empty((height, width, 3), np.uint8)
        self._alpha = None if picture.alpha is None else np.empty((height, width), np.uint8)

    def _planes(self, pixels):
        """Return what the network's input is made of, then the planes that only bicubic enlarges."""
        if self._kind == "rgb":
            return [pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)]
        return [pixels] if pixels.ndim == 2 else cv2.split(color.rgb_to_ycbcr(pixels))

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
        """Take the output of the next tile, uint8; it may be overwritten afterwards."""
        place = self._places[self._put]
        made = place.times(self._scale)
        with self._clock("unpack"):
            tiling.put(self._out, made, pixels)
        self._put += 1
        if place.left + place.width == self._width:
            self._merge(made.top + made.height)

    def result(self) -> Picture:
        """Return the upscaled `Picture`."""
        assert self.done
        if self._kind == "rgb" and self._picture.pixels.ndim == 2:  # three times nearly the same: grey as it came
            self._pixels = np.ascontiguousarray(color.rgb_to_ycbcr(self._pixels)[:, :, 0])
        return Picture(self._pixels, self._alpha, self._picture.icc, self._picture.notes)

    def _prepare(self, bottom):
        """Have the padded input down to this row of it."""
        top, height, width, halo = self._prepared, self._height, self._width, self._halo
        step = self._upscale // self._scale
        bottom = min(height, -(-bottom // step) * step)  # no row of the picture is computed twice
        if bottom <= top:
            return
        if self._kind == "upscaled":
            with self._clock("bicubic"):
                made = upscale_bicubic(self._small[0], self._upscale, (top, bottom))
        else:
            made = self._small[0][top:bottom]
        with self._clock("pack"):
            rows = self._padded[halo + top : halo + bottom]
            rows[:, halo : halo + width] = made
            rows[:, :halo] = made[:, :1]
            rows[:, halo + width :] = made[:, -1:]
            if top == 0:
                self._padded[:halo] = rows[:1]
            if bottom == height:
                self._padded[halo + height :] = rows[-1:]
        self._prepared = bottom

    def _merge(self, bottom):
        """Have the result down to this row, for which the network's output is there."""
        rows = slice(self._merged, bottom)
        with self._clock("bicubic"):
            chroma = [upscale_bicubic(plane, self._upscale, (rows.start, bottom)) for plane in self._small[1:]]
            if self._alpha is not None:
                self._alpha[rows] = upscale_bicubic(self._picture.alpha, self._upscale, (rows.start, bottom))
        if chroma:
            with self._clock("merge"):
                color.ycbcr_to_rgb(cv2.merge([self._out[rows], *chroma]), out=self._pixels[rows])
        self._merged = bottom
