"""One video into one file, and what is said of it."""

from __future__ import annotations

import pathlib
import sys
import time
from collections.abc import Callable

from tqdm import tqdm

from host.jobs.kinds import is_video
from host.many.batch import EXIT_INTERRUPTED, EXIT_SOME_FAILED, KEPT, Options
from host.picture import pipeline
from host.video import codecs, video
from host.video.frames import check_free, is_pattern
from host.video.read.animated import is_animated
from host.video.read.info import PIPE
from model.base.errors import UserError
from model.graph.weights import QuantModel


def is_moving(source: pathlib.Path, output: str | None) -> bool:
    """Tell whether an argument is a video: a file that is one, numbered frames, a pipe; or an animated picture, if the
    result is to be a video.
    """
    if str(source) == PIPE or is_pattern(source) or is_video(source):
        return True
    moving = output is not None and (
        output == PIPE or is_pattern(output) or pathlib.Path(output).suffix.lower() in codecs.SUFFIXES
    )
    return moving and is_animated(source)


def usual_name(source: pathlib.Path, upscale: int, suffix: str = ".png", mark: str | None = None) -> str | None:
    """Return the name of the result of numbered frames, as `host.jobs.collect.result_name`; None for a file.

    Raises
    ------
    UserError
        A pipe: nobody could guess a name.
    """
    if str(source) == PIPE:
        raise UserError(f"{PIPE} reads a video from a pipe; say where the result goes, -o FILE or -o {PIPE}")
    return f"{source.stem}{f'_x{upscale}' if mark is None else mark}{suffix}" if is_pattern(source) else None


def upscale_file(
    source: pathlib.Path,
    output: pathlib.Path,
    model: QuantModel,
    open_backend: Callable,
    options: Options,
    say: Callable = print,
    quiet: bool = False,
) -> int:
    """Upscale one video.

    Parameters
    ----------
    source, output : pathlib.Path
        Files, numbered frames or "-", as of `host.video.video`.
    model : QuantModel
    open_backend : callable
        Returns a `host.picture.backends.Backend` and why it is this one.
    options : Options
        Where `choices.lines` gets the events of the run, nothing else is said.
    say : callable
        Takes a line for the user.
    quiet : bool
        No bar; what is missing is said all the same.

    Returns
    -------
    int
        Exit code: 0, `EXIT_SOME_FAILED` if the video is damaged, or `EXIT_INTERRUPTED` after Ctrl-C.

    Raises
    ------
    UserError
    """
    lines = options.choices.lines
    if lines and str(output) == PIPE:
        raise UserError(f"--json and -o {PIPE} both need standard output; choose one of them")
    clock, begin = pipeline.Clock(), time.perf_counter()
    with video.open_source(source, options.clip) as opened:
        info = opened.info
        pipeline.check_size(*info.size, model.upscale, options.max_mpixel)
        video.check_output(output, source, options.encoding)
        if is_pattern(output) and not options.choices.overwrite:
            check_free(output)
        size, result_size = info.size, tuple(side * model.upscale for side in info.size)
        chosen, why = open_backend()
        with chosen:
            if lines:
                lines.emit("start", files=1, network=model.network.name, upscale=model.upscale, backend=chosen.name)
                lines.emit("file", source=source, output=output, size=size, result=result_size)
            else:
                say(
                    f"{source} {size[0]}x{size[1]} -> {output} {result_size[0]}x{result_size[1]}, {_frames(info)}"
                    f"{model.network.name} x{model.upscale} on {chosen.name}{f' ({why})' if why else ''}"
                )
            try:
                # on a terminal only: a log file is no place for a bar
                shown = True if quiet or lines else None
                with tqdm(total=info.frames or None, unit="frame", leave=False, disable=shown) as bar:
                    result = video.upscale_video(
                        opened,
                        output,
                        chosen,
                        options.tile,
                        options.encoding,
                        clock,
                        progress=_progress(bar, lines, source, info.frames * result_size[0] * result_size[1]),
                    )
            except KeyboardInterrupt:
                kept = "nothing was written" if PIPE in (str(source), str(output)) else KEPT
                print(f"interrupted; {kept}", file=sys.stderr)
                return EXIT_INTERRUPTED
    code = EXIT_SOME_FAILED if result.damage else 0
    if lines:
        _emit(lines, source, output, result, time.perf_counter() - begin)
        return code
    for note in result.notes:
        say(f"note: {note}")
    before = f" ({result.before} of them in an earlier run)" if result.before else ""
    say(
        f"{clock.line()}; {result.frames} frame{'s' * (result.frames != 1)}{before}, {result.sound}; "
        f"{result.fps:.2f} fps, {result.fps * result_size[0] * result_size[1] / 1e6:.2f} Mpixel/s"
    )
    for damage in result.damage:
        print(f"note: {source}: {damage}", file=sys.stderr)
    return code


def _progress(bar, lines, source, total):
    """Return what is called with the pixels of each frame."""
    done = 0

    def count(pixels):
        nonlocal done
        done += pixels
        bar.update()
        if lines:
            lines.progress(source, done, max(done, total))

    return count


def _emit(lines, source, output, result, seconds):
    for note in (*result.notes, *result.damage):
        lines.emit("note", source=source, text=note)
    lines.emit(
        "done",
        source=source,
        output=output,
        seconds=round(seconds, 3),
        frames=result.frames,
        before=result.before,
        sound=result.sound,
        damaged=bool(result.damage),
    )
    lines.emit("end", done=1, before=0, failed=0, seconds=round(seconds, 3))


def _frames(info):
    about = "" if info.counted else "about "  # from the duration, where the file counts none
    return f"{about}{info.frames} frame{'s' * (info.frames != 1)}: " if info.frames else ""
