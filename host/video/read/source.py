"""Video files and pipes in, frame by frame, through PyAV (FFmpeg's libraries)."""

from __future__ import annotations

import fractions
import itertools
import operator
import pathlib
import sys
from collections.abc import Callable, Iterator

import numpy as np

from host.picture.backends import untimed
from host.video.read.clip import Clip
from host.video.read.colours import OPAQUE, Reader, read_colours
from host.video.read.completeness import Completeness
from host.video.read.info import GAP, JUMP, PIPE, REMEDY, DamagedError, Info, check_file
from host.video.read.library import import_av, open_to_read, reason
from host.video.read.orientation import read_orientation
from model.base.errors import UserError
from model.imaging.files import Picture

_WITH_ALPHA = {"vp9": "libvpx-vp9", "vp8": "libvpx"}  # FFmpeg's own decoders pass over transparency
_LISTS = ("hls", "dash", "concat")
_CLOCKS = ("mpegts", "mpeg")  # recordings, whose clock may be another one from some place on
_SEEKABLE = ("mp4", "matroska")  # whose index can be trusted to find the key frame before a time


class Source:
    """An open video file; use as a context manager.

    Parameters
    ----------
    path : path-like
        "-" is standard input.
    clip : Clip
        Which part of it.

    Attributes
    ----------
    info : Info
    stream : av.VideoStream
    av : module
    notes : list of str
        What was found while reading.
    damage : list of str
        What of it could not be read, and is missing in the result.
    jumps : list of fractions.Fraction
        Seconds by which the clock of the pictures jumped, back or forward, and that are evened out.
    copies : bool
        The file can be opened once more for what it has beside its frames.

    Raises
    ------
    UserError
        Missing, empty, damaged, no video in it, nothing in the wanted part, or PyAV is not installed.
    """

    def __init__(self, path: str | pathlib.Path, clip: Clip = Clip()) -> None:
        self.path, self.clip, self.notes, self.damage, self.av = path, clip, [], [], import_av()
        self._piped = str(path) == PIPE
        self.copies = not self._piped
        self._name = "standard input" if self._piped else path
        if not self._piped:
            check_file(path)
        self._open()
        try:
            first = self._first()
            self.info = self._probe(first)
            self._reader = Reader(self.av, self.info.colours, self.info.alpha)
        except BaseException:
            self._container.close()
            raise

    def _open(self):
        # a file may be a list of others, or of addresses: nothing but itself is opened
        raw, options = self.clip.raw if self._piped else None, {} if self._piped else {"protocol_whitelist": "file"}
        if raw:
            width, height = raw.size
            options = {"video_size": f"{width}x{height}", "pixel_format": raw.pixels, "framerate": str(raw.rate)}
        try:
            self._container = open_to_read(
                self.av, sys.stdin.buffer if self._piped else str(self.path), "r", "rawvideo" if raw else None, options
            )
        except (OSError, ValueError, self.av.FFmpegError) as error:
            more = f"; {PIPE} takes y4m, raw frames with --raw, or a stream" if self._piped else ""
            raise UserError(
                f"{self._name} is not a readable video (another kind of file, damaged or cut short){more}; {REMEDY}"
            ) from error
        if any(kind in self._container.format.name for kind in _LISTS):
            self._container.close()
            raise UserError(
                f"{self._name} is a list of other files ({self._container.format.name}); give the video itself"
            )
        streams = _moving(self._container)
        if not streams:
            self._container.close()
            raise UserError(f"{self._name} holds no moving pictures; give a video")
        self.stream = streams[0]
        if self.stream.codec_context is None:
            self._container.close()
            raise UserError(f"{self._name} holds moving pictures of a codec that FFmpeg does not know here; {REMEDY}")
        self.stream.thread_type = "AUTO"
        self._complete = Completeness(self._container, self.stream)
        self._broken, self._undecoded, self.jumps = "", 0, []
        self._broadcast = self._container.format.name in _CLOCKS
        self._decode = operator.methodcaller("decode")
        if self.stream.metadata.get("alpha_mode") == "1" and self.stream.codec_context.name in _WITH_ALPHA:
            decoder = self.av.CodecContext.create(_WITH_ALPHA[self.stream.codec_context.name], "r")
            self._decode = lambda packet: decoder.decode(packet if packet.size else None)
        origin = (self.stream.start_time or 0) * self.stream.time_base
        self._begin = None if self.clip.start is None else origin + self.clip.start
        self._until = None if self.clip.end is None else origin + self.clip.end

    def _first(self):
        """Read up to the first wanted frame; where an index leads there, not from the beginning."""
        sought = self._begin is not None and any(kind in self._container.format.name for kind in _SEEKABLE)
        if sought and not self._piped:
            try:
                self._container.seek(int(self._begin / self.stream.time_base), stream=self.stream)
            except self.av.FFmpegError:
                pass
            self._frames = self._decoded()
            first = next(self._frames, None)
            time = None if first is None or first.pts is None else first.pts * self.stream.time_base
            if time is None or time > self._begin:  # behind the place: the index is wrong
                self._container.close()
                self._open()
                first = None
        else:
            first = None
        if first is None:
            self._frames = self._decoded()
            first = next(self._frames, None)
        seen = first is not None
        while first is not None and not self._wanted(first):
            first = next(self._frames, None)
        if first is None and seen:
            raise UserError(
                f"{self._name} ends before --start {float(self.clip.start or 0):g} s: there is nothing to upscale; "
                f"choose an earlier one"
            )
        if first is None:
            more = f" ({self._broken})" if self._broken else ""
            raise DamagedError(f"{self._name} is damaged or cut short: no frame could be read{more}; {REMEDY}")
        if self._behind(first):
            raise UserError(
                f"{self._name} has no frame between --start {float(self.clip.start or 0):g} s and --end "
                f"{float(self.clip.end):g} s; choose a longer part"
            )
        self._frames = itertools.chain([first], filter(self._wanted, self._frames))
        return first

    def _wanted(self, frame):
        return self._begin is None or frame.pts is None or frame.pts * self.stream.time_base >= self._begin

    def read(
        self, clock: Callable = untimed, skip: int = 0, skipped: Callable | None = None
    ) -> Iterator[tuple[int, Picture]]:
        """Yield the frames in order; once.

        What is damaged is passed over, and said in `damage` when all has been read.

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
            Time in units of `info.time_base` from the beginning of the wanted part, always growing; RGB, upright.

        Raises
        ------
        DamagedError
            Fewer frames than `skip`.
        """
        decoded = corrupt = 0
        last, shift, step = None, 0, max(1, round(1 / (self.info.rate * self.info.time_base)))
        while True:
            with clock("read"):
                frame = next(self._frames, None)
            if frame is None or self._behind(frame):
                break
            if (frame.width, frame.height) != self.info.stored:
                self._broken = (
                    f"the frames change their size behind frame {decoded} from "
                    f"{self.info.stored[0]}x{self.info.stored[1]} to {frame.width}x{frame.height}, and what follows is "
                    "left out; cut the video there and upscale both parts"
                )
                break
            corrupt += frame.is_corrupt
            pts = frame.pts - self.info.zero + shift if frame.pts is not None else 0 if last is None else last + step
            seconds = 0 if last is None else (pts - last) * self.info.time_base
            if seconds < -JUMP or (seconds > GAP and self._broadcast):
                self._jumped(decoded, seconds)
                shift, pts = shift + last + step - pts, last + step
            last = pts if last is None else max(pts, last + 1)  # two frames at one time would be refused
            decoded += 1
            if decoded <= skip:
                if skipped is not None:
                    skipped()
                continue
            with clock("read"):
                picture = self._picture(frame)
            yield last, picture
        if decoded < skip:
            raise DamagedError(
                f"{self._name} has lost frames since the last run, {decoded} of {skip} were found; {REMEDY}"
            )
        self._judge(decoded, corrupt)

    def _jumped(self, decoded, seconds):
        self.jumps.append(seconds)
        self.notes.append(
            f"the clock of the pictures jumps {'back' if seconds < 0 else 'forward'} by {abs(float(seconds)):.2f} s "
            f"behind frame {decoded}, as where two recordings were put together: they go on without a gap"
        )

    def _picture(self, frame):
        pixels = self.info.orientation.upright(self._reader.rgb(frame))
        if not self.info.alpha:
            return Picture(pixels)
        colours, alpha = (np.ascontiguousarray(part) for part in (pixels[:, :, :3], pixels[:, :, 3]))
        return Picture(colours, None if alpha.min() == OPAQUE else alpha)

    def _behind(self, frame):
        return self._until is not None and frame.pts is not None and frame.pts * self.stream.time_base >= self._until

    def _judge(self, decoded, corrupt):
        """Say what is missing."""
        if self._broken:
            self.damage.append(self._broken)
        elif self.clip.whole:
            self.damage += self._complete.missing(decoded, self.info.rate)
        if self._undecoded and not self.info.counted:
            self.damage.append(f"{self._undecoded} packets of the video could not be decoded and are left out")
        if corrupt:
            self.damage.append(f"{corrupt} of {decoded} frames are damaged in the source")

    def _decoded(self):
        """Yield the decoded frames."""
        packets = self._container.demux(self._complete.streams)
        while True:
            try:
                packet = next(packets, None)
            except self.av.FFmpegError as error:
                self._broken = f"the file cannot be read to its end ({reason(error)}): it is damaged or cut short"
                return
            if packet is None:
                return
            self._complete.saw(packet)
            if packet.stream.index != self.stream.index:
                continue
            try:
                frames = self._decode(packet)
            except self.av.FFmpegError:
                self._undecoded += 1
                continue
            yield from frames

    def _probe(self, frame):
        stream, notes = self.stream, []
        rate = stream.average_rate or stream.guessed_rate or fractions.Fraction(25)
        seconds = (
            float(stream.duration * stream.time_base)
            if stream.duration
            else (self._container.duration or 0) / self.av.time_base
        )
        orientation, stored = read_orientation(frame), (frame.width, frame.height)
        ratio = stream.sample_aspect_ratio or None
        if ratio and orientation.transposed:
            ratio = 1 / ratio
        colours = read_colours(frame)
        if colours.hdr:
            notes.append(f"HDR ({colours.hdr}): mapped to the colours and the brightness of a usual screen (BT.709)")
        if any(component.bits > 8 for component in frame.format.components):
            notes.append("more than 8 bits per channel: computed and written in 8 bits")
        if frame.interlaced_frame:
            notes.append("interlaced: both fields are upscaled as one picture; deinterlace it first for a better one")
        streams = len(_moving(self._container))
        if streams > 1:
            notes.append(f"{streams} video streams: the first one is taken")
        if self._piped and self._container.streams.audio:
            notes.append("the audio of a pipe is dropped: it cannot be read twice; give a file")
        frames = self._complete.counted or round(seconds * rate)
        if not self.clip.whole:
            end = seconds or self.clip.end or 0
            end = min(end, self.clip.end) if self.clip.end is not None else end
            frames = max(1, round((end - (self.clip.start or 0)) * rate)) if end else 0
        return Info(
            orientation.size(*stored),
            stored,
            orientation,
            frames,
            bool(self._complete.counted) and self.clip.whole,
            seconds,
            rate,
            stream.time_base,
            ratio,
            colours,
            any(component.is_alpha for component in frame.format.components),
            self._begin,
            self._until,
            tuple(notes),
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._container.close()


def _moving(container):
    """The video streams of a file that are no cover pictures."""
    return [stream for stream in container.streams.video if not stream.disposition & stream.disposition.attached_pic]
