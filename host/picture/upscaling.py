"""One picture on its way through the network, band by band.

A backend asks for tiles and hands back their outputs. Only then is the work done that a tile needs, and that its
output allows: the network's input (`Network.input`: bicubic Y, Y as it is, or red, green and blue) as far down as the
tile reaches, bicubic Cb and Cr and the merge of the rows that are complete.
A picture of 16 bits: the network sees it rounded to 8. What it adds to bicubic is a difference of 8-bit pictures,
which is put on top of the 16-bit picture upscaled bicubically, all channels alike where the network takes Y:

    result = bicubic(R, G, B in 16 bits) + gain * (network's Y - bicubic Y, both in 8 bits)

A difference of one step counts for nothing: it is the rounding as often as the network. So a smooth gradient stays as
smooth as it was.

So on a board the host's steps overlap with the overlay's, which computes one transfer while the tiles of the next
are asked for and the outputs of the last are merged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np

from host.picture import tiling
from model.imaging import color
from model.imaging.files import Picture
from model.imaging.picture import to_eight
from model.imaging.resize import upscale_bicubic
from model.imaging.transparency import extend_colours

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
        network = backend.model.network
        with clock("colour"):
            pixels = extend_colours(picture.pixels, picture.alpha, _reach(network, backend.model.upscale))
        self._picture, self._clock = picture, clock
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
        self._deep = pixels if picture.deep else None
        with clock("colour"):
            self._small = self._planes(to_eight(pixels))
        colours = (3,) * (self._kind == "rgb")  # of a pixel that the network takes and gives
        self._padded = np.empty((self._height + 2 * self._halo, self._width + 2 * self._halo, *colours), np.uint8)
        self._out = np.empty((height, width, *colours), np.uint8)
        if self._deep is not None:
            self._pixels = np.empty((height, width, *self._deep.shape[2:]), np.uint16)
            self._steps = np.rint(np.arange(-255, 256) * _gain(self._kind, grey)).astype(np.int32)
            self._steps[254:257] = 0  # one step is the rounding to 8 bits as often as the network, and would band
        else:
            self._pixels = self._out if grey or colours else np.empty((height, width, 3), np.uint8)
        self._alpha = None if picture.alpha is None else np.empty((height, width), picture.alpha.dtype)

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
        if self._kind == "rgb" and self._picture.pixels.ndim == 2 and self._deep is None:
            self._pixels = _mean(self._pixels)  # three times nearly the same: grey as it came
        metadata = self._picture.metadata.enlarged(self._upscale, (self._pixels.shape[1], self._pixels.shape[0]))
        return dataclasses.replace(self._picture, pixels=self._pixels, alpha=self._alpha, metadata=metadata)

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
        chroma = [] if self._deep is not None else self._small[1:]
        with self._clock("bicubic"):
            chroma = [upscale_bicubic(plane, self._upscale, (rows.start, bottom)) for plane in chroma]
            if self._alpha is not None:
                self._alpha[rows] = upscale_bicubic(self._picture.alpha, self._upscale, (rows.start, bottom))
        if self._deep is not None:
            self._merge_deep(rows)
        elif chroma:
            with self._clock("merge"):
                color.ycbcr_to_rgb(cv2.merge([self._out[rows], *chroma]), out=self._pixels[rows])
        self._merged = bottom

    def _merge_deep(self, rows):
        """Put what the network adds on top of the 16-bit picture."""
        span = rows.start, rows.stop
        with self._clock("bicubic"):
            whole = upscale_bicubic(self._deep, self._upscale, span)
            before = upscale_bicubic(self._small[0], self._upscale, span)
        with self._clock("merge"):
            after = self._out[rows]
            if self._kind == "rgb" and self._deep.ndim == 2:
                before, after = _mean(before), _mean(after)
            added = self._steps[after.astype(np.int16) - before + 255]
            if whole.ndim == 3 and added.ndim == 2:
                added = added[:, :, None]
            np.clip(added + whole, 0, 65535, out=self._pixels[rows], casting="unsafe")


def _gain(kind, grey):
    """Return what a step of the network's output is in the result's 16 bits."""
    return 257 * (1 if grey or kind == "rgb" else color.Y_GAIN)


def _mean(pixels):
    """Return the mean of three channels, rounded; uint8 (H, W, 3) -> (H, W)."""
    return ((pixels.sum(axis=2, dtype=np.uint16) * 2 + 3) // 6).astype(np.uint8)


def _reach(network, upscale):
    """Return how many pixels beyond the visible ones a visible pixel of the result may be made of.

    Bicubic looks two pixels far, and shows what is beside the visible for another two; the network's halo is in pixels
    of what it takes.
    """
    return 4 + -(-network.halo * network.scale // upscale)
