"""Video files in and out, frame by frame, through PyAV (FFmpeg's libraries).

A frame becomes RGB, goes through the same steps as a picture, and is encoded. Times of frames stay as they are, audio
is copied without decoding it.
"""

import contextlib
import dataclasses
import fractions
import importlib
import os
import pathlib
import time

import numpy as np

from host import image_io
from host.backends import insist, untimed
from host.image_io import Picture
from host.pipeline import Clock
from model.errors import UserError
from model.paths import atomic_write

CRF = 17                # x264's constant rate factor: visually lossless
LOSSLESS = 0
WRITABLE = (".mp4", ".mov", ".mkv")
_HD_LINES = 720         # below, a video that doesn't say its colours has those of BT.601, from there on BT.709
_BT709, _SMPTE170M = 1, 6
_MATRICES = {_BT709: "ITU709", 4: "FCC", 5: "ITU601", _SMPTE170M: "ITU601", 7: "SMPTE240M", 9: "BT2020", 10: "BT2020"}  # H.273 -> swscale
_LIMITED = 1            # range of Y, as H.273 numbers it
_REMEDY = "convert it to mp4 or copy it again from its source"


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
    rate : fractions.Fraction
        Frames per second.
    matrix : int
        Of Y, Cb and Cr, as ITU-T H.273 numbers them.
    sound : tuple of str
        Codecs of its audio.
    notes : tuple of str
        What is lost, for the user.
    """

    size: tuple
    quarter_turns: int
    frames: int
    counted: bool
    rate: fractions.Fraction
    matrix: int
    sound: tuple
    notes: tuple


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a video.

    Attributes
    ----------
    frames, pixels : int
        Pixels of all frames of the result together.
    fps : float
        Frames per second of this run.
    sound : str
        What became of the audio.
    notes : tuple of str
        What was lost or converted, for the user.
    """

    frames: int
    pixels: int
    fps: float
    sound: str
    notes: tuple


def probe(path):
    """Look at a video: its header and first frame.

    Returns
    -------
    Info

    Raises
    ------
    UserError
        Missing, empty, damaged, no video in it, or PyAV is not installed.
    """
    with _Source(path) as source:
        return source.info


def read_frames(path):
    """Yield the frames of a video as the network gets them: `Picture`s, RGB, upright."""
    with _Source(path) as source:
        for kind, item in source.read():
            if kind == "frame":
                yield item[1]


def check_output(path, source):
    """Raise `UserError` unless a video can be written to `path` later."""
    path = pathlib.Path(path)
    if path.suffix.lower() not in WRITABLE:
        raise UserError(f"cannot write {path}: the output's extension is {path.suffix or 'missing'}; choose {', '.join(WRITABLE)} for a video")
    image_io.check_place(path, source)


def upscale_video(source_path, output, backend, tile=None, crf=CRF, clock=None, check_size=None, progress=None):
    """Upscale a video file; the result appears under its name when it is complete.

    Parameters
    ----------
    source_path, output : path-like
        Output: one of `WRITABLE`; H.264.
    backend : host.backends.Backend
    tile : (int, int), optional
        As for `host.pipeline.upscale_picture`.
    crf : int
        x264's rate factor, 0..51, smaller is better. 0 is lossless: RGB as computed (`libx264rgb`), which not every
        player shows; the others are Y, Cb, Cr with halved colour, for every player.
    clock : host.pipeline.Clock, optional
    check_size : callable, optional
        Called with width and height of the frames before anything is computed; raises to refuse the video.
    progress : callable, optional
        Called after each frame with the pixels of its result.

    Returns
    -------
    Result

    Raises
    ------
    UserError
        The video is damaged, cut short or changes its size; the result cannot be written.
    host.backends.ComputeError
        The backend failed twice.
    """
    clock = clock or Clock()
    begin, frames, pixels = time.perf_counter(), 0, 0
    with _Source(source_path) as source:
        if check_size is not None:
            check_size(*source.info.size)
        try:
            with atomic_write(output) as temporary, _Sink(temporary, source, backend.model.upscale, crf) as sink:

                def read():
                    for kind, item in source.read(clock):
                        if kind == "sound":
                            sink.copy(item)
                        else:
                            yield item

                for moment, compute in backend.upscale_many(read(), tile, clock):
                    result = insist(compute)
                    with clock("write"):
                        sink.write(moment, result.pixels)
                    frames += 1
                    pixels += result.pixels.shape[0] * result.pixels.shape[1]
                    if progress is not None:
                        progress(result.pixels.shape[0] * result.pixels.shape[1])
        except (OSError, ValueError, source.av.FFmpegError) as error:  # reading raises UserError
            raise UserError(f"cannot write {output}: {_reason(error)}; choose another output") from error
        return Result(frames, pixels, frames / (time.perf_counter() - begin), sink.sound, (*source.info.notes, *source.notes, *sink.notes))


class _Source:
    """An open video file; use as a context manager."""

    def __init__(self, path):
        self.path, self.notes, self.av = path, [], _import_av()
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
            raise UserError(f"{self.path} is not a readable video (another kind of file, damaged or cut short); {_REMEDY}") from error
        streams = _moving(self._container)
        if not streams:
            self._container.close()
            raise UserError(f"{self.path} holds no moving pictures; give a video")
        self.stream, self.sound = streams[0], tuple(self._container.streams.audio)
        self.stream.thread_type = "AUTO"

    def read(self, clock=untimed):
        """Yield the file's contents in order.

        Yields
        ------
        ("sound", packet) or ("frame", (pts, Picture))
            A packet of one of `sound`, or a frame with its time in units of `stream.time_base`.
        """
        packets = decoded = damaged = 0
        last, step = None, max(1, round(1 / (self.info.rate * self.stream.time_base)))
        for packet in self._demux():
            if packet.stream.type == "audio":
                if packet.dts is not None:  # else the end of the stream
                    yield "sound", packet
                continue
            packets += packet.size > 0
            with clock("read"):
                frames = self._decode(packet, decoded)
            for frame in frames:
                with clock("read"):
                    picture = Picture(self._pixels(frame, decoded))
                damaged += frame.is_corrupt
                pts = frame.pts if frame.pts is not None else 0 if last is None else last + step
                last = pts if last is None else max(pts, last + 1)  # two frames at one time would be refused
                decoded += 1
                yield "frame", (last, picture)
        if self.info.counted and packets < self.info.frames:
            raise UserError(f"{self.path} is cut short: {decoded} of {self.info.frames} frames could be read; {_REMEDY}")
        if not decoded:
            raise UserError(f"{self.path} is damaged or cut short: no frame could be read; {_REMEDY}")
        if damaged:
            self.notes.append(f"{damaged} of {decoded} frames are damaged in the source")

    def _demux(self):
        try:
            yield from self._container.demux(self.stream, *self.sound)
        except self.av.FFmpegError as error:
            raise UserError(f"{self.path} is damaged or cut short ({_reason(error)}); {_REMEDY}") from error

    def _decode(self, packet, count):
        try:
            return packet.decode()
        except self.av.FFmpegError as error:
            raise UserError(f"{self.path} is damaged behind frame {count} ({_reason(error)}); {_REMEDY}") from error

    def _pixels(self, frame, count):
        """A frame as RGB, upright, uint8 (H, W, 3)."""
        if (frame.width, frame.height) != (self.stream.width, self.stream.height):
            raise UserError(f"{self.path} changes its size at frame {count + 1} from {self.stream.width}x{self.stream.height} to "
                            f"{frame.width}x{frame.height}; cut it there")
        if not frame.format.is_rgb:
            frame.colorspace = self.info.matrix
        rgb = frame.reformat(format="rgb24", interpolation=_scaling(self.av)).to_ndarray()
        return np.ascontiguousarray(np.rot90(rgb, self.info.quarter_turns))

    def _probe(self):
        stream, streams, notes = self.stream, len(_moving(self._container)), []
        frame = next((frame for packet in self._demux() if packet.stream == stream for frame in self._decode(packet, 0)), None)
        if frame is None:
            raise UserError(f"{self.path} is damaged or cut short: no frame could be read; {_REMEDY}")
        rate = stream.average_rate or stream.guessed_rate or fractions.Fraction(25)
        seconds = float(stream.duration * stream.time_base) if stream.duration else (self._container.duration or 0) / self.av.time_base
        turns = round(frame.rotation / 90) % 4
        size = (frame.width, frame.height) if turns % 2 == 0 else (frame.height, frame.width)
        matrix = frame.colorspace if frame.colorspace in _MATRICES else _SMPTE170M if min(size) < _HD_LINES else _BT709
        if any(component.bits > 8 for component in frame.format.components):
            notes.append("more than 8 bits per channel: computed and written in 8 bits")
        if frame.interlaced_frame:
            notes.append("interlaced: both fields are upscaled as one picture; deinterlace it first for a better one")
        if streams > 1:
            notes.append(f"{streams} video streams: the first one is taken")
        kinds = sorted({stream.type for stream in self._container.streams} - {"video", "audio"})
        if kinds:
            notes.append(f"{' and '.join(kinds)} streams are dropped")
        return Info(size, turns, stream.frames or max(1, round(seconds * rate)), stream.frames > 0, rate, matrix,
                    tuple(sound.codec_context.name for sound in self.sound), tuple(notes))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._container.close()


class _Sink:
    """A video file being written; use as a context manager.

    Parameters
    ----------
    path : pathlib.Path
    source : _Source
    upscale : int
    crf : int
    """

    def __init__(self, path, source, upscale, crf):
        self.av, self.notes = source.av, []
        width, height = (side * upscale for side in source.info.size)
        # players and hardware want halved colour, and that wants even sides
        self._pad = (0, 0) if crf == LOSSLESS else (height % 2, width % 2)
        if any(self._pad):
            self.notes.append(f"{width}x{height} pixels became {width + self._pad[1]}x{height + self._pad[0]}: "
                              "the last row or column is doubled, as videos have even sides")
        self._lossless = crf == LOSSLESS
        self._matrix = source.info.matrix
        self._container = source.av.open(str(path), "w")
        try:
            self._stream = stream = self._container.add_stream("libx264rgb" if self._lossless else "libx264", rate=source.info.rate)
            stream.width, stream.height = width + self._pad[1], height + self._pad[0]
            stream.pix_fmt = "rgb24" if self._lossless else "yuv420p"
            stream.options = {"crf": str(crf)}
            context, origin = stream.codec_context, source.stream.codec_context
            context.time_base = source.stream.time_base
            if not self._lossless:
                context.colorspace, context.color_range = self._matrix, _LIMITED
                context.color_primaries, context.color_trc = origin.color_primaries, origin.color_trc
            ratio = source.stream.sample_aspect_ratio
            if ratio:
                context.sample_aspect_ratio = 1 / ratio if source.info.quarter_turns % 2 else ratio
            self._sounds = {}
            for sound in source.sound:
                try:
                    self._sounds[sound] = self._container.add_stream_from_template(sound)
                except ValueError:  # the container has no place for this codec
                    self.notes.append(f"the audio ({sound.codec_context.name}) is dropped: {path.suffix} holds no such audio")
            copied = [sound.codec_context.name for sound in self._sounds]
            self.sound = f"audio ({', '.join(copied)}) copied untouched" if copied else "no audio"
            self._container.start_encoding()
        except BaseException:
            self._close_quietly()
            raise

    def copy(self, packet):
        """Write a packet of audio as it is."""
        if packet.stream in self._sounds:
            packet.stream = self._sounds[packet.stream]
            self._container.mux(packet)

    def write(self, pts, pixels):
        """Encode a frame, RGB uint8 (H, W, 3), with its time in units of the source's time base."""
        if any(self._pad):
            pixels = np.pad(pixels, ((0, self._pad[0]), (0, self._pad[1]), (0, 0)), mode="edge")
        frame = self.av.VideoFrame.from_ndarray(pixels, format="rgb24")
        if not self._lossless:
            frame = frame.reformat(format="yuv420p", dst_colorspace=self.av.video.reformatter.Colorspace[_MATRICES[self._matrix]],
                                   dst_color_range=_LIMITED, interpolation=_scaling(self.av))
        frame.pts, frame.time_base = pts, self._stream.codec_context.time_base
        self._container.mux(self._stream.encode(frame))

    def __enter__(self):
        return self

    def __exit__(self, kind, *error):
        if kind is not None:
            self._close_quietly()
            return
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        except BaseException:
            self._close_quietly()
            raise

    def _close_quietly(self):
        with contextlib.suppress(OSError, ValueError, self.av.FFmpegError):  # the error that led here is told
            self._container.close()


def _moving(container):
    """The video streams of a file that are no cover pictures."""
    return [stream for stream in container.streams.video if not stream.disposition & stream.disposition.attached_pic]


def _import_av():
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise UserError(f"videos need the package av, which cannot be imported here ({error}); install it: pip install av") from error


def _scaling(av):
    """How FFmpeg converts between Y, Cb, Cr and RGB: the same bits on every machine."""
    kinds = av.video.reformatter.Interpolation
    return kinds.BICUBIC | kinds.ACCURATE_RND | kinds.FULL_CHR_H_INT | kinds.BITEXACT


def _reason(error):
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
