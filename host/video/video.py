"""Videos through the network, frame by frame: mp4 in, mp4 out, through PyAV (FFmpeg's libraries).

A frame becomes RGB, goes through the same steps as a picture, and is encoded. Frames keep their times; audio is copied
without decoding it.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import pathlib
import re
import time
from collections.abc import Callable

import numpy as np

from host.jobs import collect, record
from host.picture.backends import Backend, insist
from host.picture.pipeline import Clock
from host.video.parts import Encoder, Parts, interleave
from host.video.source import MATRICES, DamagedError, Info, Source, reason, scaling
from model.base.errors import UserError
from model.base.paths import atomic_write
from model.imaging import files as picture_files

CRF = 17  # x264's constant rate factor: visually lossless
LOSSLESS = 0
WRITABLE = (".mp4", ".mov", ".mkv")
_FINEST = 10_000_000  # parts of a second
_LIMITED = 1  # range of Y, as H.273 numbers it


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a video.

    Attributes
    ----------
    frames, pixels : int
        Pixels of all frames of the result together.
    before : int
        Frames that an earlier run had computed.
    fps : float
        Frames per second of this run.
    sound : str
        What became of the audio.
    notes : tuple of str
        What was lost or converted, for the user.
    """

    frames: int
    pixels: int
    before: int
    fps: float
    sound: str
    notes: tuple


def probe(path: pathlib.Path) -> Info:
    """Look at a video: its header and first frame.

    Returns
    -------
    Info

    Raises
    ------
    UserError
        Missing, empty, damaged, no video in it, or PyAV is not installed.
    """
    with Source(path) as source:
        return source.info


def check_output(path: pathlib.Path, source: pathlib.Path) -> None:
    """Raise `UserError` unless a video can be written to `path` later."""
    path = pathlib.Path(path)
    if path.suffix.lower() not in WRITABLE:
        raise UserError(
            f"cannot write {path}: the output's extension is {path.suffix or 'missing'}; choose {', '.join(WRITABLE)} "
            f"for a video"
        )
    picture_files.check_place(path, source)


def upscale_video(
    source_path: str | pathlib.Path,
    output: pathlib.Path,
    backend: Backend,
    tile: tuple[int, int] | None = None,
    crf: int = CRF,
    clock: Callable | None = None,
    check_size: Callable | None = None,
    progress: Callable | None = None,
) -> Result:
    """Upscale a video file; the result appears under its name when it is complete.

    A run that ends early, by whatever means, leaves what it has encoded in a hidden folder beside the result, and the
    next one goes on from there (`host.video.parts`).

    Parameters
    ----------
    source_path, output : path-like
        Output: one of `WRITABLE`; H.264.
    backend : host.picture.backends.Backend
    tile : (int, int), optional
        As for `host.picture.pipeline.upscale_picture`.
    crf : int
        x264's rate factor, 0..51, smaller is better. 0 is lossless: RGB as computed (`libx264rgb`), which not every
        player shows; the others are Y, Cb, Cr with halved colour, for every player.
    clock : host.picture.pipeline.Clock, optional
    check_size : callable, optional
        Called with width and height of the frames before anything is computed; raises to refuse the video.
    progress : callable, optional
        Called after each frame with the pixels of its result, also for those of an earlier run.

    Returns
    -------
    Result

    Raises
    ------
    UserError
        The video is damaged, cut short or changes its size; the result cannot be written.
    host.picture.backends.ComputeError
        The backend failed twice.
    """
    clock, output = clock or Clock(), pathlib.Path(output)
    begin, frames = time.perf_counter(), 0
    with Source(source_path) as source:
        if check_size is not None:
            check_size(*source.info.size)
        target = _Target(source, backend.model.upscale, crf)
        tick = None if progress is None else functools.partial(progress, target.pixels)
        about = [
            os.path.realpath(source_path),
            record.stamp(source_path),
            record.settings_digest(backend.model, crf=crf),
            sorted(source.av.library_versions.items()),
            sorted(target.options.items()),
        ]
        try:
            with Parts(output, about) as parts:
                record.remove_leftovers([collect.Job(source_path, output)])
                encoder, before = Encoder(parts, target.open_encoder), parts.frames
                try:
                    for pts, compute in backend.upscale_many(source.read(clock, before, tick), tile, clock):
                        result = insist(compute)
                        with clock("write"):
                            encoder.write(target.frame(pts, result.pixels))
                        frames += 1
                        if tick is not None:
                            tick()
                except DamagedError:
                    parts.remove()
                    raise
                with clock("write"):
                    encoder.finish()
                    with atomic_write(output) as temporary:
                        sound = target.write_file(temporary, source_path, parts)
                parts.remove()
        except (OSError, source.av.FFmpegError) as error:  # reading raises UserError
            raise UserError(f"cannot write {output}: {reason(error)}; choose another output") from error
        fps = frames / (time.perf_counter() - begin)
        return Result(
            before + frames,
            (before + frames) * target.pixels,
            before,
            fps,
            sound,
            (*source.info.notes, *source.notes, *target.notes),
        )


class _Target:
    """How the result is encoded.

    Parameters
    ----------
    source : Source
    upscale : int
    crf : int

    Attributes
    ----------
    pixels : int
        Of a frame.
    options : dict
        Of the encoder.
    notes : list of str
    """

    def __init__(self, source, upscale, crf):
        self._av, self._info, self._lossless, self.notes = source.av, source.info, crf == LOSSLESS, []
        width, height = (side * upscale for side in source.info.size)
        self.pixels = width * height
        # players and hardware want halved colour, and that wants even sides
        self._pad = (0, 0) if self._lossless else (height % 2, width % 2)
        self._size = width + self._pad[1], height + self._pad[0]
        if any(self._pad):
            self.notes.append(
                f"{width}x{height} pixels became {self._size[0]}x{self._size[1]}: the last row or column is doubled, "
                f"videos have even sides"
            )
        self._codec = "libx264rgb" if self._lossless else "libx264"
        self.options = {"crf": str(crf)} | _same_bits_again()
        self._time_base = source.stream.time_base
        ratio, origin = source.stream.sample_aspect_ratio, source.stream.codec_context
        self._ratio = 1 / ratio if ratio and source.info.quarter_turns % 2 else ratio
        self._primaries, self._transfer = origin.color_primaries, origin.color_trc

    def open_encoder(self):
        """Return an encoder for frames from `frame`."""
        context = self._av.CodecContext.create(self._codec, "w")
        self._configure(context)
        context.framerate = self._info.rate
        context.options = self.options
        context.flags |= int(
            self._av.codec.context.Flags.global_header
        )  # parameters in the file's header, as mp4 has them
        context.open()
        return context

    def frame(self, pts, pixels):
        """Return a frame to encode: RGB uint8 (H, W, 3) at a time in units of the source's time base."""
        if any(self._pad):
            pixels = np.pad(pixels, ((0, self._pad[0]), (0, self._pad[1]), (0, 0)), mode="edge")
        frame = self._av.VideoFrame.from_ndarray(pixels, format="rgb24")
        if not self._lossless:
            frame = frame.reformat(
                format="yuv420p",
                dst_colorspace=self._av.video.reformatter.Colorspace[MATRICES[self._info.matrix]],
                dst_color_range=_LIMITED,
                interpolation=scaling(self._av),
            )
        frame.pts, frame.time_base = pts, self._time_base
        return frame

    def write_file(self, path, source_path, parts):
        """Write the file from its parts and the source's audio; return what became of the audio, in words."""
        with self._av.open(str(source_path)) as source:
            sounds = list(source.streams.audio)
            try:
                return self._write_file(path, source, sounds, parts)
            except (self._av.ArgumentError, self._av.InvalidDataError):
                if not sounds:
                    raise
                # the container takes the codec but not this kind of it, and says so only now
                self.notes.append(f"the audio ({_names(sounds)}) is dropped: {path.suffix} holds no such audio")
                return self._write_file(path, source, [], parts)

    def _write_file(self, path, source, sounds, parts):
        # mp4 and mov count the beginning of each stream in units of the whole file's: milliseconds if nobody says so
        unit = math.lcm(self._time_base.denominator, *(sound.time_base.denominator for sound in sounds))
        options = {"movie_timescale": str(unit)} if path.suffix.lower() != ".mkv" and unit <= _FINEST else {}
        with self._av.open(str(path), "w", options=options) as container:
            stream = container.add_stream(self._codec, rate=self._info.rate, options=self.options)
            self._configure(stream.codec_context)
            copies = {}
            for sound in sounds:
                try:
                    copies[sound] = container.add_stream_from_template(sound)
                except ValueError:  # the container has no place for this codec
                    self.notes.append(f"the audio ({_names([sound])}) is dropped: {path.suffix} holds no such audio")
            container.start_encoding()

            def packets():
                for packet in source.demux(*copies):
                    if packet.dts is not None:  # else the end of a stream
                        packet.stream = copies[packet.stream]
                        yield packet

            interleave(self._av, container, stream, parts.packets(), self._time_base, packets() if copies else ())
            return f"audio ({_names(copies)}) copied untouched" if copies else "no audio"

    def _configure(self, context):
        context.width, context.height = self._size
        context.pix_fmt = "rgb24" if self._lossless else "yuv420p"
        context.time_base = self._time_base
        if not self._lossless:
            context.colorspace, context.color_range = self._info.matrix, _LIMITED
            context.color_primaries, context.color_trc = self._primaries, self._transfer
        if self._ratio:
            context.sample_aspect_ratio = self._ratio


@functools.cache
def _same_bits_again():
    """Return the options with which x264 makes the same file of the same frames every time.

    Its AVX-512 code for macroblock trees (`mbtree`) reads memory that nobody has written, and what happens to lie there
    decides over quantisers. Its AVX2 code does not, gives the bits of AVX and SSE4 and is as fast here; without
    macroblock trees five short clips took 19 to 106 % more bytes. `asm` is taken as it is given, so AVX2 has to be
    there.
    """
    try:
        flags = set(re.findall(r"\w+", pathlib.Path("/proc/cpuinfo").read_text()))
    except OSError:
        flags = set()
    return {"x264-params": "asm=AVX2"} if {"avx512bw", "avx2", "fma", "abm", "bmi1", "bmi2"} <= flags else {}


def _names(sounds):
    return ", ".join(sound.codec_context.name for sound in sounds)
