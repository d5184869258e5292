"""Where a video's result goes: a file, by way of parts, or a pipe. (Numbered frames: `host.video.frames`.)"""

from __future__ import annotations

import os
import pathlib
import sys
from fractions import Fraction

from host.video.codecs import Encoding
from host.video.muxing import write_file
from host.video.needs import check_room, disk_needed
from host.video.parts import Encoder, Parts
from host.video.read.info import PIPE, DamagedError
from host.video.read.source import Source
from host.video.target import Target
from model.base.errors import UserError
from model.base.paths import atomic_write
from model.imaging.files import Picture


def pipe_encoding(source: Source) -> Encoding:
    """Return how frames go through a pipe: as they came if they had no header, else as y4m.

    y4m has Y, Cb and Cr only, and 4:2:0 is what the programs behind a pipe expect.
    """
    raw = source.clip.raw
    if raw is None:
        return Encoding("y4m", "rawvideo", "yuv420p", {}, any_size=True)
    kind = source.av.VideoFormat(raw.pixels, *raw.size)
    alpha = any(component.is_alpha for component in kind.components)
    return Encoding("raw", "rawvideo", raw.pixels, {}, kind.is_rgb, alpha, any_size=True)


class FileSink:
    """A video file; use as a context manager.

    Parameters
    ----------
    output : pathlib.Path
    about : list
        Of `Parts`.
    source : Source or FrameSource
    target : Target

    Attributes
    ----------
    before : int
        Frames that an earlier run has encoded.
    notes : list of str
    """

    def __init__(self, output: pathlib.Path, about: list[object], source: Source, target: Target) -> None:
        self._output, self._target, self.notes = output, target, []
        self._forget = str(source.path) == PIPE  # what came through a pipe cannot be gone on with
        self._parts = Parts(output, about)
        self._encoder, self.before = Encoder(self._parts, target.open_encoder), self._parts.frames
        # while they are put together, parts and file are both there
        least = disk_needed(target.pixels * (2 * source.info.frames - self.before), target.encoding)[0]
        try:
            check_room(self._parts.folder, output, least)
        except UserError:
            self._parts.__exit__(None, None, None)
            raise

    def write(self, pts: int, picture: Picture) -> None:
        """Encode a frame, at a time in units of the source's time base."""
        parts, known = self._parts, self._parts.count
        self._encoder.write(self._target.frame(pts, picture))
        if parts.count > known:
            left = max(0, self._target.info.frames - parts.frames)
            # scenes differ: only what can hardly be enough ends the run here, and not after hours
            check_room(parts.folder, self._output, parts.bytes * (1 + 2 * left / parts.frames) / 2)

    def finish(self, source: Source) -> str:
        """Write the file; return what became of the source's audio, in words."""
        self._encoder.finish()
        with atomic_write(self._output, folder=self._parts.folder) as temporary:
            sound = write_file(source, self._target, temporary, self._parts)
        self._parts.remove()
        return sound

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self._forget or isinstance(error, DamagedError):
            self._parts.remove()
        self._parts.__exit__(kind, error, trace)


class _WithAspect:
    """Takes what FFmpeg writes as y4m and says the pixel's aspect ratio in its first line, which PyAV cannot."""

    def __init__(self, file, aspect: Fraction) -> None:
        self._file, self._aspect, self._begun = file, f" A{aspect.numerator}:{aspect.denominator}".encode(), False

    def write(self, data) -> int:
        """Write what the muxer says; it gives the first line as a whole."""
        changed = data
        if not self._begun:
            line, end, rest = bytes(data).partition(b"\n")
            changed = line.replace(b" A0:0", self._aspect) + end + rest
        self._begun = True
        self._file.write(changed)
        return len(data)


class PipeSink:
    """Standard output, frame by frame as they are computed: y4m, or frames without a header if the source had none;
    use as a context manager.

    Parameters
    ----------
    source : Source or FrameSource
    target : Target

    Attributes
    ----------
    before : int
        Always 0.
    notes : list of str
    """

    before = 0

    def __init__(self, source: Source, target: Target) -> None:
        self.notes, self._frames, self._uneven = [], 0, False
        raw, info, self._target = source.clip.raw, source.info, target
        out = sys.stdout.buffer
        if info.aspect and not raw:  # raw frames come from raw ones, which have none
            out = _WithAspect(out, info.aspect)
        self._container = source.av.open(out, "w", "rawvideo" if raw else "yuv4mpegpipe")
        self._stream = self._container.add_stream("rawvideo", rate=info.rate)
        target.configure(self._stream.codec_context)
        self._stream.codec_context.time_base = 1 / Fraction(info.rate)

    def write(self, pts: int, picture: Picture) -> None:
        """Write a frame; a pipe has no times, frames follow at a constant rate."""
        info = self._target.info
        frame = self._target.frame(pts, picture)
        if self._frames == 0:
            self._zero = pts
        self._uneven |= abs((pts - self._zero) * info.time_base * info.rate - self._frames) > 1
        frame.pts, frame.time_base = self._frames, 1 / Fraction(info.rate)
        self._container.mux(self._stream.encode(frame))
        self._frames += 1

    def finish(self, source: Source) -> str:
        """Write what is left; return what became of the source's audio, in words."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        sys.stdout.flush()
        if self._uneven:
            self.notes.append(
                f"the source's frames have times of their own; a pipe has none, there are "
                f"{float(self._target.info.rate):g} frames a second"
            )
        return "no audio: this pipe holds none"

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            return
        # What is behind the pipe may be gone, and Python would complain once more about what it could not write.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if issubclass(kind, BrokenPipeError):
            raise UserError(
                "the program behind the pipe ended before all frames were written; see what it says"
            ) from error
