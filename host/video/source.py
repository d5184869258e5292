"""Video files in, frame by frame, through PyAV (FFmpeg's libraries)."""

from __future__ import annotations

import dataclasses
import fractions
import importlib
import os
import pathlib
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from host.picture.backends import untimed
from model.base.errors import UserError
from model.imaging.files import Picture

if TYPE_CHECKING:
    from av.video.reformatter import Interpolation

_BT709, _SMPTE170M = 1, 6
MATRICES = {
    _BT709: "ITU709",
    4: "FCC",
    5: "ITU601",
    _SMPTE170M: "ITU601",
    7: "SMPTE240M",
    9: "BT2020",
    10: "BT2020",
}  # H.273 -> swscale
_REMEDY = "convert it to mp4 or copy it again from its source"


class DamagedError(UserError):
    """The video cannot be read to its end, in this run or the next."""


@dataclasses.dataclass(frozen=True)
class Info:
    """What is known of a video before it is read through.

    Attributes
    ----------
    size : (int, int)
        Width and height, upright.
    quarter_turns : int
        Of its frames to the left, until they are upright.
    frames : int
        1 or more; an estimate if not `counted`.
    counted : bool
        The file has an index that counts the frames.
    seconds : float
        That the video takes, as the file says; 0 if it doesn't.
    rate : fractions.Fraction
        Frames per second.
    matrix : int
        Of Y, Cb and Cr, as ITU-T H.273 numbers them.
    notes : tuple of str
        What is lost, for the user.
    """

    size: tuple
    quarter_turns: int
    frames: int
    counted: bool
    seconds: float
    rate: fractions.Fraction
    matrix: int
    notes: tuple


class Source:
    """An open video file; use as a context manager.

    Parameters
    ----------
    path : path-like

    Attributes
    ----------
    info : Info
    stream : av.VideoStream
    av : module
    notes : list of str
        What was found wrong while reading.

    Raises
    ------
    UserError
        Missing, empty, damaged, no video in it, or PyAV is not installed.
    """

    def __init__(self, path: str | pathlib.Path) -> None:
        self.path, self.notes, self.av = path, [], import_av()
        try:
            empty = os.stat(path).st_size == 0
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}; check the name and the folder") from error
        if empty:
            raise UserError(f"{path} is empty (0 bytes); copy it again from its source")
        self._open()
        try:
            self.info = self._probe()
        finally:
            self._container.close()
        self._open()  # from the beginning; seeking would be a matter of luck

    def _open(self):
        try:
            self._container = self.av.open(str(self.path))
        except (OSError, ValueError, self.av.FFmpegError) as error:
            raise UserError(
                f"{self.path} is not a readable video (another kind of file, damaged or cut short); {_REMEDY}"
            ) from error
        streams = _moving(self._container)
        if not streams:
            self._container.close()
            raise UserError(f"{self.path} holds no moving pictures; give a video")
        self.stream = streams[0]
        self.stream.thread_type = "AUTO"

    def read(
        self, clock: Callable = untimed, skip: int = 0, skipped: Callable | None = None
    ) -> Iterator[tuple[int, Picture]]:
        """Yield the frames in order.

        Parameters
        ----------
        clock : callable
            `clock("read")` times this.
        skip : int
            Frames at the beginning that are passed over.
        skipped : callable, optional
            Called for each of them.

        Yields
        ------
        (int, Picture)
            Time in units of `stream.time_base`, always growing; RGB, upright.

        Raises
        ------
        DamagedError
        """
        packets = decoded = damaged = 0
        last, step = None, max(1, round(1 / (self.info.rate * self.stream.time_base)))
        for packet in self._demux():
            packets += packet.size > 0
            with clock("read"):
                frames = self._decode(packet, decoded)
            for frame in frames:
                damaged += frame.is_corrupt
                pts = frame.pts if frame.pts is not None else 0 if last is None else last + step
                last = pts if last is None else max(pts, last + 1)  # two frames at one time would be refused
                decoded += 1
                if decoded <= skip:
                    if skipped is not None:
                        skipped()
                    continue
                with clock("read"):
                    picture = Picture(self._pixels(frame, decoded))
                yield last, picture
        if self.info.counted and packets < self.info.frames:
            raise DamagedError(
                f"{self.path} is cut short: {decoded} of {self.info.frames} frames could be read; {_REMEDY}"
            )
        if decoded < max(1, skip):
            raise DamagedError(
                f"{self.path} has lost frames since the last run, {decoded} of {skip} were found; {_REMEDY}"
            )
        end = float((last + step) * self.stream.time_base)
        if not self.info.counted and end < 0.95 * self.info.seconds - 1:
            self.notes.append(
                f"the pictures end after {end:.1f} s, the file says {self.info.seconds:.1f} s: perhaps it is cut short"
            )
        if damaged:
            self.notes.append(f"{damaged} of {decoded} frames are damaged in the source")

    def _demux(self):
        try:
            yield from self._container.demux(self.stream)
        except self.av.FFmpegError as error:
            raise DamagedError(f"{self.path} is damaged or cut short ({reason(error)}); {_REMEDY}") from error

    def _decode(self, packet, count):
        try:
            return packet.decode()
        except self.av.FFmpegError as error:
            raise DamagedError(f"{self.path} is damaged behind frame {count} ({reason(error)}); {_REMEDY}") from error

    def _pixels(self, frame, count):
        """A frame as RGB, upright, uint8 (H, W, 3)."""
        if (frame.width, frame.height) != (self.stream.width, self.stream.height):
            raise DamagedError(
                f"{self.path} changes its size at frame {count + 1} from {self.stream.width}x{self.stream.height} to "
                f"{frame.width}x{frame.height}; cut it there"
            )
        if not frame.format.is_rgb:
            frame.colorspace = self.info.matrix
        rgb = frame.reformat(format="rgb24", interpolation=scaling(self.av)).to_ndarray()
        return np.ascontiguousarray(np.rot90(rgb, self.info.quarter_turns))

    def _probe(self):
        stream, streams, notes = self.stream, len(_moving(self._container)), []
        frame = next((frame for packet in self._demux() for frame in self._decode(packet, 0)), None)
        if frame is None:
            raise DamagedError(f"{self.path} is damaged or cut short: no frame could be read; {_REMEDY}")
        rate = stream.average_rate or stream.guessed_rate or fractions.Fraction(25)
        seconds = (
            float(stream.duration * stream.time_base)
            if stream.duration
            else (self._container.duration or 0) / self.av.time_base
        )
        turns = round(frame.rotation / 90) % 4
        size = (frame.width, frame.height) if turns % 2 == 0 else (frame.height, frame.width)
        high = (
            max(size) >= 1280 or min(size) > 576
        )  # a video that doesn't say its colours has those of its kind of television
        matrix = frame.colorspace if frame.colorspace in MATRICES else _BT709 if high else _SMPTE170M
        if any(component.bits > 8 for component in frame.format.components):
            notes.append("more than 8 bits per channel: computed and written in 8 bits")
        if frame.interlaced_frame:
            notes.append("interlaced: both fields are upscaled as one picture; deinterlace it first for a better one")
        if streams > 1:
            notes.append(f"{streams} video streams: the first one is taken")
        kinds = sorted({stream.type for stream in self._container.streams} - {"video", "audio"})
        if kinds:
            notes.append(f"{' and '.join(kinds)} streams are dropped")
        counted = (
            stream.frames > 0 and "mp4" in self._container.format.name
        )  # others count frames that were left out as well
        return Info(
            size, turns, stream.frames or max(1, round(seconds * rate)), counted, seconds, rate, matrix, tuple(notes)
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._container.close()


def _moving(container):
    """The video streams of a file that are no cover pictures."""
    return [stream for stream in container.streams.video if not stream.disposition & stream.disposition.attached_pic]


def import_av() -> types.ModuleType:
    """Return the package `av`, which only videos need."""
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise UserError(
            f"videos need the package av, which cannot be imported here ({error}); install it: pip install av"
        ) from error


def scaling(av: types.ModuleType) -> Interpolation:
    """How FFmpeg converts between Y, Cb, Cr and RGB: the same bits on every machine."""
    kinds = av.video.reformatter.Interpolation
    return kinds.BICUBIC | kinds.ACCURATE_RND | kinds.FULL_CHR_H_INT | kinds.BITEXACT


def reason(error: OSError) -> str:
    """Say what an error is about."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
