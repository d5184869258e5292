"""Videos through the network, frame by frame, through PyAV (FFmpeg's libraries).

A frame becomes RGB, goes through the same steps as a picture, and is encoded. Frames keep their times; audio is copied
without decoding it.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import secrets
import sys
import time
from collections.abc import Callable

from host.jobs import record
from host.jobs.record import output_folder
from host.picture.backends import Backend, insist
from host.picture.pipeline import Clock
from host.video import codecs
from host.video.codecs import Encoding
from host.video.frames import FrameSink, FrameSource, frame_path, is_pattern
from host.video.needs import check_memory
from host.video.read.animated import AnimatedSource, is_animated
from host.video.read.clip import Clip
from host.video.read.info import PIPE, Info
from host.video.read.library import reason
from host.video.read.source import Source
from host.video.sinks import FileSink, PipeSink, pipe_encoding
from host.video.target import Target
from model.base.errors import UserError
from model.base.outputs import Inputs
from model.imaging import files as picture_files

WRITABLE = codecs.SUFFIXES


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
    damage : tuple of str
        What of the source could not be read, and is missing in the result.
    """

    frames: int
    pixels: int
    before: int
    fps: float
    sound: str
    notes: tuple
    damage: tuple


def open_source(path: str | pathlib.Path, clip: Clip = Clip()) -> Source | FrameSource | AnimatedSource:
    """Open a video: a file, "-" for standard input, numbered frames (`frames/%05d.png`), or an animated picture.

    Raises
    ------
    UserError
        Missing, empty, damaged, no video in it, nothing in the wanted part, or PyAV is not installed.
    """
    if clip.raw and str(path) != PIPE:
        raise UserError(f"--raw describes what comes through a pipe; give {PIPE} for {path}, or leave --raw away")
    if is_pattern(path):
        return FrameSource(path, clip)
    if str(path) != PIPE and is_animated(path):
        return AnimatedSource(path, clip)
    if clip.rate:
        raise UserError("--rate goes with numbered frames (frames/%05d.png); a video has a rate of its own")
    return Source(path, clip)


def probe(path: str | pathlib.Path, clip: Clip = Clip()) -> Info:
    """Look at a video, of a file or of numbered frames: its header and first frame.

    Returns
    -------
    Info

    Raises
    ------
    UserError
        As of `open_source`.
    """
    with open_source(path, clip) as source:
        return source.info


def check_output(path: str | pathlib.Path, source: str | pathlib.Path, encoding: Encoding) -> None:
    """Raise `UserError` unless a video, numbered frames or a pipe can be written later."""
    path = pathlib.Path(path)
    if str(path) == PIPE:
        if sys.stdout.isatty():
            raise UserError(
                f"{PIPE} writes frames to a pipe, and this is a terminal; give a file, or a program behind |"
            )
    elif is_pattern(path):
        if path.suffix.lower() not in picture_files.WRITABLE:
            raise UserError(
                f"cannot write {path}: frames cannot be {path.suffix or 'without an extension'}; choose "
                f"{', '.join(picture_files.WRITABLE)}"
            )
        picture_files.check_place(frame_path(output_folder(path.parent) / path.name, 99_999), source)
        if is_pattern(source) and pathlib.Path(source).resolve() == path.resolve():
            raise UserError(f"the output {path} is the input; choose another output, the original would be lost")
    else:
        codecs.check_suffix(path, encoding.codec)
        picture_files.check_place(path, Inputs([] if str(source) == PIPE else [source]))


def encoding_of(output: str | pathlib.Path, encoding: Encoding) -> Encoding | None:
    """Return the encoding of a file; None for numbered frames and pipes, which have none."""
    return None if str(output) == PIPE or is_pattern(output) else encoding


def _open_sink(output, source, target, about):
    if str(output) == PIPE:
        return PipeSink(source, target)
    if is_pattern(output):
        return FrameSink(output, about, source)
    return FileSink(output, about, source, target)


def upscale_video(
    source: Source | FrameSource | AnimatedSource,
    output: str | pathlib.Path,
    backend: Backend,
    tile: tuple[int, int] | None = None,
    encoding: Encoding | None = None,
    clock: Callable | None = None,
    check_size: Callable | None = None,
    progress: Callable | None = None,
) -> Result:
    """Upscale a video; the result appears under its name when it is complete.

    A run that ends early, by whatever means, leaves what it has encoded in a hidden folder beside the result, and the
    next one goes on from there (`host.video.parts`). Of a damaged video what can be read is upscaled and written.

    Parameters
    ----------
    source : Source, FrameSource or AnimatedSource
        From `open_source`; read to its end, and not closed.
    output : path-like
        A file whose extension is one of `WRITABLE`, numbered frames (`frames/%05d.png`), or "-" for standard output.
    backend : host.picture.backends.Backend
    tile : (int, int), optional
        As for `host.picture.pipeline.upscale_picture`.
    encoding : host.video.codecs.Encoding, optional
        H.264 if None.
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
        Nothing of the video can be read; the result cannot be written.
    host.picture.backends.ComputeError
        The backend failed twice.
    """
    clock, output, encoding = clock or Clock(), pathlib.Path(output), encoding or codecs.encoding()
    begin, frames = time.perf_counter(), 0
    if check_size is not None:
        check_size(*source.info.size)
    if str(output) == PIPE:
        encoding = pipe_encoding(source)
    elif source.info.alpha:
        encoding = codecs.with_alpha(encoding)
    check_memory(*(side * backend.model.upscale for side in source.info.size), encoding_of(output, encoding))
    target = Target(source.av, source.info, backend.model.upscale, encoding)
    tick = None if progress is None else functools.partial(progress, target.pixels)
    about = [
        *_identity(source),
        record.settings_digest(backend.model, encoding=dataclasses.asdict(encoding)),
        sorted(source.av.library_versions.items()),
    ]
    try:
        with _open_sink(output, source, target, about) as sink:
            for pts, compute in backend.upscale_many(source.read(clock, sink.before, tick), tile, clock):
                result = insist(compute)
                with clock("write"):
                    sink.write(pts, result)
                frames += 1
                if tick is not None:
                    tick()
            with clock("write"):
                sound = sink.finish(source)
    except (OSError, source.av.FFmpegError) as error:  # reading raises UserError
        name = "to standard output" if str(output) == PIPE else output
        raise UserError(f"cannot write {name}: {reason(error)}; choose another output") from error
    fps = frames / (time.perf_counter() - begin)
    return Result(
        sink.before + frames,
        (sink.before + frames) * target.pixels,
        sink.before,
        fps,
        sound,
        (*source.info.notes, *source.notes, *target.notes, *sink.notes),
        tuple(source.damage),
    )


def _identity(source):
    """Return what tells a source from any other, as JSON values; a pipe has nothing of this kind."""
    clip = repr(source.clip)
    if isinstance(source, FrameSource):
        return [os.path.realpath(source.path), clip, [record.stamp(path) for path in source.paths]]
    if str(source.path) == PIPE:
        return [PIPE, clip, secrets.token_hex(8)]
    return [os.path.realpath(source.path), clip, record.stamp(source.path)]
