"""How a video's result is encoded: size, colours, times."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING

import numpy as np

from host.video.codecs import Encoding
from host.video.read.colours import FULL, LIMITED, MATRICES, OPAQUE
from host.video.read.info import Info
from host.video.read.library import reason, scaling
from model.base.errors import UserError

if TYPE_CHECKING:
    from av.codec.context import CodecContext
    from av.video.frame import VideoFrame

    from model.imaging.files import Picture


_DEEP = "more than 8 bits per channel: computed as they are, written in 8"


class Target:
    """How the result of one video is encoded.

    Parameters
    ----------
    av : module
    info : Info
        Of the source.
    upscale : int
    encoding : Encoding

    Attributes
    ----------
    info : Info
    encoding : Encoding
    size : (int, int)
        Width and height of the encoded frames.
    pixels : int
        Of a frame of the result.
    notes : list of str
    """

    def __init__(self, av: types.ModuleType, info: Info, upscale: int, encoding: Encoding) -> None:
        self._av, self.info, self.encoding, self.notes = av, info, encoding, []
        width, height = (side * upscale for side in info.size)
        self.pixels = width * height
        # players and hardware want halved colour, and that wants even sides
        self._pad = tuple(side % 2 if even else 0 for side, even in zip((height, width), encoding.even))
        self.size = width + self._pad[1], height + self._pad[0]
        if any(self._pad):
            self.notes.append(
                f"{width}x{height} pixels became {self.size[0]}x{self.size[1]}: the last row or column is doubled, "
                f"videos have even sides"
            )
        # one for all frames: its tables are made once
        self._reformatter = av.video.reformatter.VideoReformatter()

    def open_encoder(self) -> CodecContext:
        """Return an encoder for frames from `frame`; raise `UserError` if it does not take them."""
        context = self._av.CodecContext.create(self.encoding.encoder, "w")
        self.configure(context)
        context.framerate = self.info.rate
        context.options = self.encoding.options
        # parameters in the file's header, as mp4 has them
        context.flags |= int(self._av.codec.context.Flags.global_header)
        try:
            context.open()
        except self._av.FFmpegError as error:
            raise UserError(
                f"{self.encoding.codec} is not written here in frames of {self.size[0]}x{self.size[1]}, "
                f"{float(self.info.rate):g} a second ({reason(error)}); choose another --codec"
            ) from error
        return context

    def frame(self, pts: int, picture: Picture) -> VideoFrame:
        """Return a frame to encode: a picture, at a time in units of the source's time base."""
        if picture.deep and _DEEP not in self.notes:
            self.notes.append(_DEEP)
        picture = picture.shallow()
        pixels, alpha = picture.pixels, picture.alpha
        if pixels.ndim == 2:  # grey, of frames that are pictures
            pixels = np.repeat(pixels[:, :, None], 3, axis=2)
        if self.encoding.alpha:
            opaque = np.full(pixels.shape[:2], OPAQUE, np.uint8)
            pixels = np.dstack([pixels, opaque if alpha is None else alpha])
        elif alpha is not None:
            pixels = self._on_black(pixels, alpha)
        if any(self._pad):
            pixels = np.pad(pixels, ((0, self._pad[0]), (0, self._pad[1]), (0, 0)), mode="edge")
        given = "rgba" if self.encoding.alpha else "rgb24"
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=given)
        if self.encoding.pixels != given:
            converted = (
                {}
                if self.encoding.rgb
                else {
                    "dst_colorspace": self._av.video.reformatter.Colorspace[MATRICES[self.info.colours.matrix]],
                    "dst_color_range": self._range,
                }
            )
            frame = self._reformatter.reformat(
                frame, format=self.encoding.pixels, interpolation=scaling(self._av), **converted
            )
        frame.pts, frame.time_base = pts, self.info.time_base
        return frame

    def _on_black(self, pixels, alpha):
        note = (
            f"transparency is dropped, what lies behind is black: {self.encoding.codec} holds none; choose --codec "
            f"ffv1 or prores, or frames (-o frames/%05d.png)"
        )
        if note not in self.notes:
            self.notes.append(note)
        return ((pixels * alpha[:, :, None].astype(np.uint16) + OPAQUE // 2) // OPAQUE).astype(np.uint8)

    def configure(self, context: CodecContext) -> None:
        """Set size, times and colours of an encoder that is not open yet."""
        context.width, context.height = self.size
        context.pix_fmt = self.encoding.pixels
        context.time_base = self.info.time_base
        if self.encoding.every_frame_key:
            context.gop_size = 1
        if not self.encoding.rgb:
            context.colorspace, context.color_range = self.info.colours.matrix, self._range
        context.color_primaries, context.color_trc = self.info.colours.primaries, self.info.colours.transfer
        if self.info.aspect:
            context.sample_aspect_ratio = self.info.aspect

    @property
    def _range(self):
        return FULL if self.info.colours.full else LIMITED
