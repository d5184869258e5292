"""What a video says of its colours, and its frames as RGB. Numbers are those of ITU-T H.273."""

from __future__ import annotations

import dataclasses
import types
from typing import TYPE_CHECKING

import numpy as np

from host.video.read import hdr
from host.video.read.library import scaling

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_BT709, _SMPTE170M, _BT2020 = 1, 6, 9
OPAQUE = 255  # alpha of what hides all behind it
LIMITED, FULL = 1, 2  # ranges of Y, Cb and Cr
MATRICES = {
    _BT709: "ITU709",
    4: "FCC",
    5: "ITU601",
    _SMPTE170M: "ITU601",
    7: "SMPTE240M",
    _BT2020: "BT2020",
    10: "BT2020",
}  # H.273 -> swscale
_SWSCALE_WHITE = 255 * 256
_HDR = {hdr.PQ: "PQ", hdr.HLG: "HLG"}  # transfer functions of more light than a usual screen shows


@dataclasses.dataclass(frozen=True)
class Colours:
    """How Y, Cb and Cr are meant, in the source and, after `Reader`, in the result.

    Attributes
    ----------
    matrix : int
        One of `MATRICES`.
    primaries, transfer : int
        2 where the file doesn't say.
    full : bool
        Y, Cb and Cr use all values, not 16 to 235 (240).
    hdr : str
        "PQ" or "HLG", of a source that was mapped to BT.709 on its way; else empty.
    """

    matrix: int
    primaries: int
    transfer: int
    full: bool
    hdr: str = ""


def read_colours(frame: VideoFrame) -> Colours:
    """Read the colours of a frame. A video that doesn't say its matrix has that of its kind of television."""
    if frame.color_trc in _HDR:
        return Colours(_BT709, _BT709, _BT709, False, _HDR[frame.color_trc])
    matrix = frame.colorspace if frame.colorspace in MATRICES else usual_matrix(frame.width, frame.height)
    full = frame.color_range == FULL and not frame.format.is_rgb
    return Colours(matrix, frame.color_primaries, frame.color_trc, full)


def usual_matrix(width: int, height: int) -> int:
    """Return the matrix that a video of a size has if it doesn't say it: that of its kind of television."""
    return _BT709 if max(width, height) >= 1280 or min(width, height) > 576 else _SMPTE170M


class Reader:
    """Makes RGB of a video's frames.

    Parameters
    ----------
    av : module
    colours : Colours
    alpha : bool
        Keep transparency.
    """

    def __init__(self, av: types.ModuleType, colours: Colours, alpha: bool) -> None:
        self._av, self._colours, self._format = av, colours, "rgba" if alpha else "rgb24"
        # one for all frames: a table between two kinds of colours takes seconds to make
        self._reformatter = av.video.reformatter.VideoReformatter()

    def rgb(self, frame: VideoFrame) -> np.ndarray:
        """Return a frame as uint8 (H, W, 3), or (H, W, 4) with alpha."""
        if self._colours.hdr:
            return self._mapped(frame)
        if not frame.format.is_rgb:
            frame.colorspace = self._colours.matrix
        return self._converted(frame, self._format)

    def _converted(self, frame, kind):
        return self._reformatter.reformat(frame, format=kind, interpolation=scaling(self._av)).to_ndarray()

    def _mapped(self, frame):
        """HDR: the signal in 16 bits, which is what the file holds, and then its mapping."""
        # what is left unsaid about HDR is what everybody means by it
        frame.colorspace = frame.colorspace if frame.colorspace in MATRICES else _BT2020
        transfer, primaries = frame.color_trc, frame.color_primaries
        rgb = self._converted(frame, "rgba64le" if self._format == "rgba" else "rgb48le")
        signal, alpha = rgb[:, :, :3], rgb[:, :, 3:]
        if not frame.format.is_rgb:  # of Y, Cb and Cr swscale makes a white of 255 * 256
            signal = np.minimum(signal, _SWSCALE_WHITE).astype(np.uint32) * 65535 // _SWSCALE_WHITE
        shown = hdr.to_usual_screen(signal.astype(np.uint16, copy=False), transfer, primaries)
        return shown if self._format == "rgb24" else np.dstack([shown, (alpha >> 8).astype(np.uint8)])
