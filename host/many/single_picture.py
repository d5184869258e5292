"""One picture into one file, as the command line does it: checks before work, a bar, notes and times behind it."""

from __future__ import annotations

import functools
import os
import pathlib
import time
from collections.abc import Callable, Sequence

from tqdm import tqdm

from host.many.batch import Options
from host.picture import pipeline
from host.show import before_after
from host.show import page as show_page
from model.base import outputs
from model.base.errors import UserError
from model.graph.weights import QuantModel
from model.imaging import files as picture_files


def beside(options: Options) -> Callable[[pathlib.Path], Sequence[pathlib.Path]]:
    """Return a function: what is written beside a picture's result."""
    return lambda output: [before_after.figure_path(output)] if options.compare else []


def check_unnamed(path: pathlib.Path, options: Options) -> None:
    """Raise `UserError` if a file is there already whose name the user has not given: it is nobody's to replace."""
    if os.path.isfile(path) and not options.choices.overwrite:
        raise UserError(f"{path} is there already; give --overwrite to replace it, or another name with -o")


def checked(
    image: pathlib.Path, output: pathlib.Path, upscale: int, options: Options, inputs: outputs.Inputs
) -> tuple[picture_files.Header, float]:
    """Return a picture's header and the memory that it will take, in bytes.

    Parameters
    ----------
    image, output : pathlib.Path
    upscale : int
    options : Options
    inputs : Inputs
        What must not be replaced.

    Raises
    ------
    UserError
        It cannot be read, or its result is too large or could not be written.
    """
    header, memory = estimated(image, output, upscale, options)
    picture_files.check_output(output, inputs, tuple(side * upscale for side in header.size))
    for path in beside(options)(output):
        picture_files.check_output(path, inputs)
    return header, memory


def estimated(
    image: pathlib.Path, output: pathlib.Path, upscale: int, options: Options
) -> tuple[picture_files.Header, float]:
    """As `checked`, where the folder of the output is not there yet."""
    header, kind = picture_files.picture_header(image), picture_files.output_kind(output)
    per_pixel = pipeline.bytes_per_pixel(*header[1:], kind.memory)
    pipeline.check_size(*header.size, upscale, options.max_mpixel, per_pixel)
    return header, pipeline.memory_needed(header.size[0] * header.size[1] * upscale**2, per_pixel)


def upscale_file(
    image: pathlib.Path,
    output: pathlib.Path,
    model: QuantModel,
    open_backend: Callable,
    options: Options,
    truth: pathlib.Path | None,
    look: show_page.Look,
    say: Callable,
    verbose: bool,
    quiet: bool,
) -> int:
    """Upscale one picture into one file; return the exit code.

    Parameters
    ----------
    image, output : pathlib.Path
    model : QuantModel
    open_backend : callable
        Returns what computes, and why this one.
    options : Options
    truth : pathlib.Path or None
        The original that the picture was shrunk from.
    look : host.show.page.Look
        The page to write, if any.
    say : callable
        Takes a line for the user.
    verbose, quiet : bool
    """
    clock, inputs = pipeline.Clock(), outputs.Inputs([image, truth])
    lines, begin = options.choices.lines, time.perf_counter()
    checked(image, output, model.upscale, options, inputs)
    for path in beside(options)(output):
        check_unnamed(path, options)
    with clock("read"):
        picture = picture_files.read_picture(image)
        picture = picture.shallow() if options.choices.depth == 8 else picture
        original = truth and picture_files.read_picture(truth)
    if original:
        before_after.fit_truth(original, picture.size, model.upscale)
    (width, height), (out_width, out_height) = picture.size, (side * model.upscale for side in picture.size)
    chosen, why = open_backend()
    with chosen:
        scale = model.network.scale
        rows, columns = (
            side * scale for side in chosen.tile_for(out_height // scale, out_width // scale, options.tile)
        )
        say(
            f"{image} {width}x{height} -> {output} {out_width}x{out_height}: {model.network.name} x{model.upscale} on "
            f"{chosen.name}{f' ({why})' if why else ''}"
        )
        if lines:
            about = {"network": model.network.name, "upscale": model.upscale, "backend": chosen.name}
            lines.emit("start", files=1, **about)
            sizes = {"size": [width, height], "result": [out_width, out_height]}
            lines.emit("file", source=image, output=output, **sizes)
        note = functools.partial(_note, image, say, lines)
        for text in picture.notes:
            note(text)
        if verbose:
            say(
                f"tiles: {-(-out_width // columns)} x {-(-out_height // rows)} of {columns}x{rows} pixels "
                f"and a halo of {model.network.halo}"
            )
        # on a terminal only: a log file is no place for a bar
        with tqdm(
            total=out_width * out_height, unit="pixel", unit_scale=True, leave=False, disable=True if quiet else None
        ) as bar:
            progress = bar.update if lines is None else _counting(lines, image, out_width * out_height)
            result = pipeline.upscale_picture(picture, chosen, (rows, columns), clock, progress)
    with clock("write"):
        notes = picture_files.write_picture(output, result, encoding=options.choices.encoding)
    for text in notes:
        note(text)
    if options.compare:
        figure, name = before_after.figure_path(output), before_after.method_name(model.network)
        say(f"wrote {before_after.draw(picture, result, figure, original, name)}")
    if look.page is not None:
        panels = before_after.compare(picture, result, original, before_after.method_name(model.network))
        about = f"{width}x{height} -> {out_width}x{out_height} on {chosen.name}; {clock.line()}"
        look.write([show_page.Item(image.name, panels, about)], say)
    total = sum(clock.seconds.values())
    say(f"{clock.line()}; {total:.2f} s in all, {out_width * out_height / 1e6 / total:.2f} Mpixel/s")
    if lines:
        seconds = round(time.perf_counter() - begin, 3)
        lines.emit("done", source=image, output=output, seconds=seconds)
        lines.emit("end", done=1, before=0, failed=0, seconds=seconds)
    return 0


def _note(image, say, lines, text):
    if lines:
        lines.emit("note", source=image, text=text)
    else:
        say(f"note: {text}")


def _counting(lines, image, total):
    """Return a callable that adds up pixels and prints how far they are."""
    done = 0

    def progress(pixels):
        nonlocal done
        done += pixels
        lines.progress(image, done, total)

    return progress
