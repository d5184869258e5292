#!/usr/bin/env python3
"""Upscale pictures and videos with SRCNN, on a PYNQ board or on this computer: `python host/run_pynq.py img.bmp`."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))  # run from any folder, installed or not

import click

from host.jobs import collect, kinds
from host.jobs.progress_lines import ProgressLines
from host.many import batch, choices, plan, single_picture, single_video, video_choices
from host.picture import backends, pipeline
from host.show import page as show_page
from host.video import codecs
from host.video.read.info import PIPE
from model.base.errors import UserError, report_user_errors
from model.graph.description import DEFAULT_NETWORK, list_networks
from model.graph.network import UPSCALES
from model.imaging import files as picture_files

DEFAULT_UPSCALE = 3
EXIT_INTERRUPTED = batch.EXIT_INTERRUPTED


class TileSize(click.ParamType):
    """N, or WxH: the size of a tile in pixels of the result."""

    name = "N|WxH"

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> tuple[int, int]:
        """Return (rows, columns)."""
        try:
            sides = [int(side) for side in value.lower().split("x")]
        except ValueError:
            sides = []
        if len(sides) not in (1, 2) or min(sides) < 1:
            self.fail(f"{value!r} is no tile size; give a side (N) or a width and a height (WxH) of 1 or more")
        return sides[-1], sides[0]


class Images(click.Argument):
    """One or more pictures, called IMAGE in errors."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Return the name to show."""
        return "'IMAGE'"


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="""\b
Examples:
  python host/run_pynq.py img.bmp                        writes img_x3.png beside it
  python host/run_pynq.py img.jpg -o large.jpg --upscale 2
  python host/run_pynq.py img.png --backend csim --tile 256x128
  python host/run_pynq.py img.png --weights my_x4_int8.npz
  python host/run_pynq.py phone.jpg --weights photo      what is noisy, sharpened or compressed
  python host/run_pynq.py img.png --compare              and img_x3_compare.png, before and after
  python host/run_pynq.py img.png --page look.html       bicubic and the result under a slider, in any browser
  python host/run_pynq.py photos/ more.png -o out/       folders with their sub-folders; again: what is new
  python host/run_pynq.py clip.mp4                       writes clip_x3.mp4 beside it
  python host/run_pynq.py clip.mp4 --network abpn8m3 --upscale 2     by a network made for video
  python host/run_pynq.py frames/%05d.png -o clip.mp4    numbered frames, in or out
  ffmpeg -i a.mp4 -f yuv4mpegpipe - | python host/run_pynq.py - -o - | ffmpeg -i - b.mp4
  python host/run_pynq.py photos/ -o out/ --dask local   on many workers""",
)
@click.argument(
    "images", cls=Images, metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=pathlib.Path)
)
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    help="Result: .png, .jpg, .tif, .webp, .bmp and others (a video: .mp4, .mov or .mkv), or a folder for "
    "the results of many.  [default: IMAGE_x3.png (.mp4), beside the image]",
)
@click.option(
    "--upscale",
    type=click.Choice([str(s) for s in UPSCALES]),
    help=f"Factor.  [default: {DEFAULT_UPSCALE}, or that of --weights]",
)
@click.option(
    "--backend",
    type=click.Choice(backends.NAMES),
    default="auto",
    show_default=True,
    help="What computes: the board, the C++ kernels, the golden model or this processor's vectors (cpu); all give the "
    "same bits. auto takes the board if there is one with an overlay, else cpu on a PC with a compiler, else golden.",
)
@click.option(
    "--tile",
    type=TileSize(),
    help="Compute in tiles of this many pixels of the result.  [default: as large as the backend likes]",
)
@click.option(
    "--network",
    type=click.Choice(list_networks()),
    help=f"[default: {DEFAULT_NETWORK}, or that of --weights]",
)
@click.option(
    "--weights",
    type=click.Path(path_type=pathlib.Path),
    help="standard, photo (for noisy, sharpened or compressed pictures), or an integer weight file (*_int8.npz).  "
    "[default: standard]",
)
@click.option(
    "--max-mpixel",
    type=click.FloatRange(min=0, min_open=True),
    default=pipeline.MAX_MPIXEL,
    show_default=True,
    help="Refuse larger results (in Mpixel).",
)
@click.option(
    "--compare",
    "figure",
    is_flag=True,
    help="Draw bicubic and the result with enlarged crops into RESULT_compare.png beside each result.",
)
@click.option(
    "--truth",
    type=click.Path(path_type=pathlib.Path),
    help="The original of a single IMAGE, for --compare or --page: adds it and Y-PSNR. With --page also a folder: of "
    "each IMAGE the original of the same name.",
)
@click.option(
    "--page",
    type=click.Path(path_type=pathlib.Path),
    help="Write a page (.html) to look at the pictures: slider, zoom, loupe. One file, needs no network.",
)
@click.option(
    "--format",
    "suffix",
    type=click.Choice([kind.lstrip(".") for kind in picture_files.WRITABLE]),
    default="png",
    show_default=True,
    help="Of pictures' results that -o does not name.",
)
@click.option("--again", is_flag=True, help="With an output folder: compute what is finished as well.")
@click.option(
    "--dask",
    "cluster",
    metavar="local|ADDRESS",
    help="Spread the work over Dask workers, started here (local) or those of a scheduler "
    "(tcp://host:8786), each with its own --backend.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), help="Of --dask local.  [default: one per two cores, at least two]"
)
@click.option("-v", "--verbose", is_flag=True, help="Say more about weights and tiles.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@choices.options
@video_choices.options
def command(
    images: tuple[pathlib.Path, ...],
    output: str | None,
    upscale: str | None,
    backend: str,
    tile: tuple[int, int] | None,
    network: str | None,
    weights: pathlib.Path | None,
    max_mpixel: float,
    figure: bool,
    truth: pathlib.Path | None,
    page: pathlib.Path | None,
    suffix: str,
    again: bool,
    cluster: str | None,
    workers: int | None,
    verbose: bool,
    quiet: bool,
) -> int:
    """Upscale each IMAGE (png, jpg, tif, webp, heic and others; any size, grey or colour), video (mp4, mov, mkv, webm,
    avi, ts and others; numbered frames; - for a pipe) or folder of both with SRCNN, or another network.

    Y goes through the network, Cb and Cr (and transparency) are upscaled bicubically. A folder is taken with its
    sub-folders, which the output folder mirrors; a second run does what is new or has changed.
    """
    chosen = choices.current()
    quiet = quiet or chosen.lines is not None
    piped = output == PIPE  # then that is no place for what is said
    say = (lambda text: None) if quiet else functools.partial(click.echo, err=piped)
    many = _is_many(images, output)
    truths = truth if truth is not None and page is not None and truth.is_dir() else None
    if truth is not None and truths is None and (many or not (figure or page)):
        raise click.UsageError(
            "--truth goes with --compare or --page and a single picture, or is a folder, with --page"
        )
    if page is not None:
        show_page.check_page(page, [*images, *(truths.iterdir() if truths else [truth])])
    if workers is not None and cluster != "local":
        raise click.UsageError("--workers goes with --dask local")
    committed = str(weights or "standard")
    if committed in pipeline.WEIGHTS:
        network, upscale, weights = network or DEFAULT_NETWORK, upscale or DEFAULT_UPSCALE, None
        model = pipeline.load_model(network, int(upscale), degradation=committed)
    else:
        model = pipeline.load_model(network, upscale and int(upscale), weights)
    if verbose:
        say(f"weights: {weights or pipeline.weight_path(network, upscale, committed, quantised=True)}")
    open_backend = _opener(backend, model, cluster, workers)
    encoding, part = video_choices.current(None if many else output)
    options = batch.Options(tile, max_mpixel, encoding, part, figure, again, chosen)
    note = pipeline.tile_note(model.network, tile)
    if note and chosen.lines:
        chosen.lines.emit("note", source=None, text=note)
    elif note:
        say(f"note: {note}")
    if many:
        look = show_page.Look(page, truths, model)
        return _run_many(images, pathlib.Path(output), f".{suffix}", model, open_backend, options, look, say, quiet)
    image = images[0]
    moving = single_video.is_moving(image, output)
    if not output:
        names = {"mark": chosen.mark, "video_suffix": encoding.suffix}
        usual = single_video.usual_name(image, model.upscale, f".{suffix}", chosen.mark)
        usual = image.parent / (usual or collect.result_name(image, model.upscale, f".{suffix}", **names))
        single_picture.check_unnamed(usual, options)
    output = pathlib.Path(output or usual)
    truth = show_page.find_truth(truths, image) if truths else truth
    look = show_page.Look(page, truths, model)
    if chosen.dry_run:
        work = collect.Work([collect.Job(image, output, moving)], [], [])
        return _plan(work, open_backend, options, say)
    if not moving:
        return single_picture.upscale_file(
            image, output, model, open_backend, options, truth, look, say, verbose, quiet
        )
    if figure or page or truth:
        raise UserError("--compare and --page show pictures, not videos; give them a frame of the video as a picture")
    return single_video.upscale_file(image, output, model, open_backend, options, say, quiet)


def _plan(work, open_backend, options, say):
    chosen, _ = open_backend()
    with chosen:
        return plan.dry_run(work, chosen, options, say, lambda text: print(f"error: {text}", file=sys.stderr))


def _is_many(images, output):
    """Tell whether the results go into a folder; refuse a command line that cannot be meant."""
    named = output is not None and pathlib.Path(output).suffix.lower() in (*picture_files.WRITABLE, *codecs.SUFFIXES)
    if len(images) == 1 and not images[0].is_dir():
        return output is not None and (output.endswith("/") or (not named and pathlib.Path(output).is_dir()))
    if output is None:
        if len(images) > 1:
            raise click.UsageError(
                f"Got unexpected extra argument ({images[1]}): several pictures need a folder for their results, -o "
                f"FOLDER"
            )
        raise UserError(f"{images[0]} is a folder; give another one for its results, -o FOLDER")
    if named and not output.endswith("/") and not pathlib.Path(output).is_dir():
        raise UserError(
            f"{output} looks like a file, and the results of several pictures need a folder; give a folder's name, or "
            f"end it with /"
        )
    return True


def _opener(backend, model, address, workers):
    """Return a function that opens what computes: (backend, why this one)."""
    if address is None:
        return lambda: backends.open_backend(backend, model)

    def open_cluster():
        from host.many.cluster import ClusterBackend

        chosen = ClusterBackend(model, backend, address, workers)
        return chosen, "{} workers with {} threads in all, each on {}".format(*chosen.workers(), backend)

    return open_cluster


def _run_many(images, folder, suffix, model, open_backend, options, look, say, quiet):
    """Files and folders into a folder; return the exit code."""
    beside, mark = single_picture.beside(options), options.choices.mark
    work = collect.collect(images, folder, model.upscale, suffix, beside, mark, options.encoding.suffix)
    if look.page is not None:
        show_page.check_page(look.page, [job.source for job in work.jobs])
    if not work.jobs and not work.refused:
        raise UserError(
            f"there are no pictures and no videos in {', '.join(map(str, images))} (looked for "
            f"{', '.join(kinds.PICTURES + kinds.VIDEOS)})"
        )
    if options.choices.dry_run:
        return _plan(work, open_backend, options, say)
    chosen, why = open_backend()
    with chosen:
        if options.choices.lines:
            about = {"network": model.network.name, "upscale": model.upscale, "backend": chosen.name}
            options.choices.lines.emit("start", files=len(work.jobs), **about)
        say(
            f"{len(work.jobs)} file{'' if len(work.jobs) == 1 else 's'} -> {folder}: {model.network.name} "
            f"x{model.upscale} on "
            f"{chosen.name}{f' ({why})' if why else ''}"
        )
        code = batch.run(work, folder, chosen, options, say, quiet)
        if look.page is not None and code != EXIT_INTERRUPTED:
            look.write_many(batch.finished_pictures(work, folder, chosen, options), folder, say, quiet)
        return code


@report_user_errors
def main(arguments: list[str] | None = None) -> None:
    """Run the command line; bad input ends in one sentence and exit code 2."""
    try:
        code = command.main(arguments, prog_name="run_pynq.py", standalone_mode=False)
    except UserError as error:
        if "--json" in (sys.argv if arguments is None else arguments):
            with contextlib.suppress(OSError):  # who reads them may be gone
                ProgressLines().emit("error", source=None, text=str(error))
        raise
    except click.ClickException as error:
        raise UserError(f"{error.format_message().rstrip('.')} (see --help)") from error
    except click.Abort:  # Ctrl-C, in click's words
        print("interrupted; nothing was written", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    if code:
        sys.exit(code)


if __name__ == "__main__":
    main()
