#!/usr/bin/env python3
"""Upscale pictures and videos with SRCNN, on a PYNQ board or on this computer: `python host/run_pynq.py img.bmp`."""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))  # run from any folder, installed or not

import click
from tqdm import tqdm

from host.jobs import collect
from host.many import batch
from host.picture import backends, pipeline
from host.show import before_after
from host.video import video
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
  python host/run_pynq.py img.png --compare              and img_x3_compare.png, before and after
  python host/run_pynq.py photos/ more.png -o out/       folders with their sub-folders; again: what is new
  python host/run_pynq.py clip.mp4                       writes clip_x3.mp4 beside it
  python host/run_pynq.py clip.mp4 --network abpn8m2 --upscale 2     by a network made for video
  python host/run_pynq.py photos/ -o out/ --dask local   on many workers""",
)
@click.argument(
    "images", cls=Images, metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=pathlib.Path)
)
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    help="Result: .png, .bmp, .jpg or .tif (a video: .mp4, .mov or .mkv), or a folder for "
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
    help="What computes: the board, the C++ kernels or the golden model; all give the same bits. "
    "auto takes the board if there is one with an overlay, else the golden model.",
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
    help="Integer weight file (*_int8.npz).  [default: the committed one]",
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
    help="The original of a single IMAGE, for --compare: adds it and Y-PSNR.",
)
@click.option(
    "--format",
    "suffix",
    type=click.Choice([kind.lstrip(".") for kind in picture_files.WRITABLE]),
    default="png",
    show_default=True,
    help="Of the pictures in an output folder.",
)
@click.option(
    "--crf",
    type=click.IntRange(0, 51),
    default=video.CRF,
    show_default=True,
    help="Quality of videos (x264): smaller is better, 0 is lossless RGB.",
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
    suffix: str,
    crf: int,
    again: bool,
    cluster: str | None,
    workers: int | None,
    verbose: bool,
    quiet: bool,
) -> int:
    """Upscale each IMAGE (bmp, png, jpg or tif; any size, grey or colour), video (mp4, mov, mkv, webm, avi) or folder
    of both with SRCNN, or another network.

    Y goes through the network, Cb and Cr (and transparency) are upscaled bicubically. A folder is taken with its
    sub-folders, which the output folder mirrors; a second run does what is new or has changed.
    """
    say = (lambda text: None) if quiet else click.echo
    many = _is_many(images, output)
    if truth is not None and (many or not figure):
        raise click.UsageError("--truth goes with --compare and a single picture")
    if workers is not None and cluster != "local":
        raise click.UsageError("--workers goes with --dask local")
    if weights is None:
        network, upscale = network or DEFAULT_NETWORK, upscale or DEFAULT_UPSCALE
    model = pipeline.load_model(network, upscale and int(upscale), weights)
    if verbose:
        say(f"weights: {weights or pipeline.weight_path(network, upscale, quantised=True)}")
    open_backend = _opener(backend, model, cluster, workers)
    options = batch.Options(tile, max_mpixel, crf, figure, again)
    if many:
        return _run_many(images, pathlib.Path(output), f".{suffix}", model, open_backend, options, say, quiet)
    image = images[0]
    output = pathlib.Path(output) if output else image.parent / collect.result_name(image, model.upscale, ".png")
    single = _run_video if collect.is_video(image) else _run_picture
    return single(image, output, model, open_backend, options, truth, say, verbose, quiet)


def _is_many(images, output):
    """Tell whether the results go into a folder; refuse a command line that cannot be meant."""
    named = output is not None and pathlib.Path(output).suffix.lower() in (*picture_files.WRITABLE, *video.WRITABLE)
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


def _run_many(images, folder, suffix, model, open_backend, options, say, quiet):
    """Files and folders into a folder; return the exit code."""
    work = collect.collect(images, folder, model.upscale, suffix)
    if not work.jobs and not work.refused:
        raise UserError(
            f"there are no pictures and no videos in {', '.join(map(str, images))} (looked for "
            f"{', '.join(collect.PICTURES + collect.VIDEOS)})"
        )
    chosen, why = open_backend()
    with chosen:
        say(
            f"{len(work.jobs)} files -> {folder}: {model.network.name} x{model.upscale} on "
            f"{chosen.name}{f' ({why})' if why else ''}"
        )
        return batch.run(work, folder, chosen, options, say, quiet)


def _run_picture(image, output, model, open_backend, options, truth, say, verbose, quiet):
    """One picture into one file."""
    clock = pipeline.Clock()

    def check_size(width, height):
        pipeline.check_size(width, height, model.upscale, options.max_mpixel)
        picture_files.check_output(output, image, (width * model.upscale, height * model.upscale))

    with clock("read"):
        picture = picture_files.read_picture(image, check_size)
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
        for note in picture.notes:
            say(f"note: {note}")
        if verbose:
            say(
                f"tiles: {-(-out_width // columns)} x {-(-out_height // rows)} of {columns}x{rows} pixels "
                f"and a halo of {model.network.halo}"
            )
        # on a terminal only: a log file is no place for a bar
        with tqdm(
            total=out_width * out_height, unit="pixel", unit_scale=True, leave=False, disable=True if quiet else None
        ) as bar:
            result = pipeline.upscale_picture(picture, chosen, (rows, columns), clock, bar.update)
    with clock("write"):
        notes = picture_files.write_picture(output, result)
    for note in notes:
        say(f"note: {note}")
    if options.compare:
        figure, name = before_after.figure_path(output), before_after.method_name(model.network)
        say(f"wrote {before_after.draw(picture, result, figure, original, name)}")
    total = sum(clock.seconds.values())
    say(f"{clock.line()}; {total:.2f} s in all, {out_width * out_height / 1e6 / total:.2f} Mpixel/s")
    return 0


def _run_video(image, output, model, open_backend, options, truth, say, verbose, quiet):
    """One video into one file."""
    if options.compare or truth:
        raise UserError("--compare draws pictures, not videos; give it a frame of the video as a picture")
    info, clock = video.probe(image), pipeline.Clock()
    pipeline.check_size(*info.size, model.upscale, options.max_mpixel)
    video.check_output(output, image)
    (width, height), (out_width, out_height) = info.size, (side * model.upscale for side in info.size)
    chosen, why = open_backend()
    with chosen:
        say(
            f"{image} {width}x{height} -> {output} {out_width}x{out_height}, {info.frames} frames: "
            f"{model.network.name} x{model.upscale} "
            f"on {chosen.name}{f' ({why})' if why else ''}"
        )
        try:
            with tqdm(total=info.frames, unit="frame", leave=False, disable=True if quiet else None) as bar:
                result = video.upscale_video(
                    image, output, chosen, options.tile, options.crf, clock, progress=lambda pixels: bar.update()
                )
        except KeyboardInterrupt:
            print(f"interrupted; {batch.KEPT}", file=sys.stderr)
            return EXIT_INTERRUPTED
    for note in result.notes:
        say(f"note: {note}")
    before = f" ({result.before} of them in an earlier run)" if result.before else ""
    say(
        f"{clock.line()}; {result.frames} frames{before}, {result.sound}; {result.fps:.2f} fps, "
        f"{result.fps * out_width * out_height / 1e6:.2f} Mpixel/s"
    )
    return 0


@report_user_errors
def main(arguments: list[str] | None = None) -> None:
    """Run the command line; bad input ends in one sentence and exit code 2."""
    try:
        code = command.main(arguments, prog_name="run_pynq.py", standalone_mode=False)
    except click.ClickException as error:
        raise UserError(f"{error.format_message().rstrip('.')} (see --help)") from error
    except click.Abort:  # Ctrl-C, in click's words
        print("interrupted; nothing was written", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    if code:
        sys.exit(code)


if __name__ == "__main__":
    main()
