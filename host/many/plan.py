"""`--dry-run`: what a run would do, with sizes and estimates of time and memory; nothing is written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np

from host.jobs.collect import Work
from host.many import single_picture
from host.many.batch import EXIT_SOME_FAILED, Options
from host.picture import pipeline
from host.picture.backends import Backend
from host.video import video
from host.video.needs import check_memory, memory_needed
from model.base.errors import UserError
from model.base.outputs import Inputs
from model.imaging.picture import Picture

_SIDE = 480  # pixels of the result that the rate is measured on
_TURNS = 2  # the first one warms up


def dry_run(work: Work, backend: Backend, options: Options, say: Callable, show_error: Callable) -> int:
    """Say what would become of each file.

    Parameters
    ----------
    work : host.jobs.collect.Work
    backend : host.picture.backends.Backend
        Computes a small picture, to know its rate.
    options : Options
    say, show_error : callable
        Take a line for the user.

    Returns
    -------
    int
        Exit code, as of a run: some files would be refused, or none.
    """
    rate, lines, upscale = measure_rate(backend, options.tile), options.choices.lines, backend.model.upscale
    inputs, failed, total, most = Inputs(job.source for job in work.jobs), list(work.refused), 0.0, 0.0
    for job in work.jobs:
        try:
            size, frames, memory = _look(job, upscale, options, inputs)
        except UserError as error:
            failed.append(str(error))
            continue
        result = [side * upscale for side in size]
        seconds = result[0] * result[1] * frames / rate
        total, most = total + seconds, max(most, memory)
        if lines:
            about = {"size": list(size), "result": result, "frames": frames}
            estimate = {"seconds": round(seconds, 3), "memory": round(memory)}
            lines.emit("file", source=job.source, output=job.output, **about, **estimate)
        frames = f", {frames} frames" if job.video else ""
        there = "; replaces what is there" if os.path.exists(job.output) else ""
        say(
            f"{job.source} {size[0]}x{size[1]} -> {job.output} {result[0]}x{result[1]}{frames}: about "
            f"{duration(seconds)}, {memory / 1e6:.0f} MB{there}"
        )
    count = len(work.jobs) + len(work.refused) - len(failed)
    say(
        f"{count} file{'' if count == 1 else 's'} would be upscaled in about {duration(total)} by {backend.name} "
        f"({rate / 1e6:.2f} Mpixel/s measured on {_SIDE}x{_SIDE} pixels), with {most / 1e6:.0f} MB of memory at most; "
        f"nothing was written"
    )
    for sentence in failed:
        if lines:
            lines.emit("error", source=None, text=sentence)
        show_error(sentence)
    if lines:
        lines.emit("end", done=0, before=0, failed=len(failed), seconds=round(total, 3))
    return EXIT_SOME_FAILED if failed else 0


def measure_rate(backend: Backend, tile: tuple[int, int] | None = None) -> float:
    """Return pixels of the result per second, of a small picture in colour."""
    side = -(-_SIDE // backend.model.upscale)
    picture = Picture(np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8))
    for _ in range(_TURNS):
        begin = time.perf_counter()
        result = pipeline.upscale_picture(picture, backend, tile)
        seconds = time.perf_counter() - begin
    return result.size[0] * result.size[1] / seconds


def duration(seconds: float) -> str:
    """Say a time as people do: 0.4 s, 25 s, 3 min, 2.5 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _look(job, upscale, options, inputs):
    """Return width and height, frames and memory of a job; raise if it would be refused."""
    if job.video:
        info, encoding = video.probe(job.source, options.clip), video.encoding_of(job.output, options.encoding)
        pipeline.check_size(*info.size, upscale, options.max_mpixel)
        check_memory(*(side * upscale for side in info.size), encoding)
        if job.output.parent.exists():
            video.check_output(job.output, job.source, options.encoding)
        return info.size, max(1, info.frames), memory_needed(info.size[0] * info.size[1] * upscale**2, encoding)
    if job.output.parent.exists():
        header, memory = single_picture.checked(job.source, job.output, upscale, options, inputs)
    else:
        header, memory = single_picture.estimated(job.source, job.output, upscale, options)
    return header.size, 1, memory
