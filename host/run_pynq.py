#!/usr/bin/env python3
"""Upscale a picture with SRCNN, on a PYNQ board or on this computer: `python host/run_pynq.py img.bmp`."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))  # run from any folder, installed or not

import click
from tqdm import tqdm

from host import backends, image_io, pipeline
from model.errors import UserError, report_user_errors
from model.network import DEFAULT_NETWORK, UPSCALES, list_networks

DEFAULT_UPSCALE = 3
EXIT_INTERRUPTED = 130  # the shells' convention for Ctrl-C


class TileSize(click.ParamType):
    """N, or WxH: the size of a tile in pixels of the result."""

    name = "N|WxH"

    def convert(self, value, param, context):
        """Return (rows, columns)."""
        try:
            sides = [int(side) for side in value.lower().split("x")]
        except ValueError:
            sides = []
        if len(sides) not in (1, 2) or min(sides) < 1:
            self.fail(f"{value!r} is no tile size; give a side (N) or a width and a height (WxH) of 1 or more")
        return sides[-1], sides[0]


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog="""\b
Examples:
  python host/run_pynq.py img.bmp                        writes img_x3.png beside it
  python host/run_pynq.py img.jpg -o large.jpg --upscale 2
  python host/run_pynq.py img.png --backend csim --tile 256x128
  python host/run_pynq.py img.png --weights my_x4_int8.npz""")
@click.argument("image", type=click.Path(path_type=pathlib.Path))
@click.option("-o", "--output", type=click.Path(path_type=pathlib.Path), help="Result: .png, .bmp, .jpg or .tif.  [default: IMAGE_x3.png, beside the image]")
@click.option("--upscale", type=click.Choice([str(s) for s in UPSCALES]),
              help=f"Factor.  [default: {DEFAULT_UPSCALE}, or that of --weights]")
@click.option("--backend", type=click.Choice(backends.NAMES), default="auto", show_default=True,
              help="What computes: the board, the C++ kernels or the golden model; all give the same bits. "
                   "auto takes the board if there is one with an overlay, else the golden model.")
@click.option("--tile", type=TileSize(), help="Compute in tiles of this many pixels of the result.  [default: as large as the backend likes]")
@click.option("--network", type=click.Choice(list_networks()), help=f"[default: {DEFAULT_NETWORK}, or that of --weights]")
@click.option("--weights", type=click.Path(path_type=pathlib.Path), help="Integer weight file (*_int8.npz).  [default: the committed one]")
@click.option("--max-mpixel", type=click.FloatRange(min=0, min_open=True), default=pipeline.MAX_MPIXEL, show_default=True,
              help="Refuse larger results (in Mpixel).")
@click.option("-v", "--verbose", is_flag=True, help="Say more about weights and tiles.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def command(image, output, upscale, backend, tile, network, weights, max_mpixel, verbose, quiet):
    """Upscale IMAGE (bmp, png, jpg or tif; any size, grey or colour) with SRCNN.

    Y goes through the network, Cb and Cr (and transparency) are upscaled bicubically.
    """
    say = (lambda text: None) if quiet else click.echo
    clock = pipeline.Clock()
    if weights is None:
        network, upscale = network or DEFAULT_NETWORK, upscale or DEFAULT_UPSCALE
    model = pipeline.load_model(network, upscale and int(upscale), weights)
    output = output or image.parent / f"{image.stem}_x{model.upscale}.png"

    def check_size(width, height):
        pipeline.check_size(width, height, model.upscale, max_mpixel)
        image_io.check_output(output, image, (width * model.upscale, height * model.upscale))

    with clock("read"):
        picture = image_io.read_picture(image, check_size)
    (width, height), (out_width, out_height) = picture.size, (side * model.upscale for side in picture.size)
    chosen, why = backends.open_backend(backend, model)
    with chosen:
        rows, columns = tile or chosen.default_tile(out_height, out_width)
        say(f"{image} {width}x{height} -> {output} {out_width}x{out_height}: {model.network.name} x{model.upscale} on {chosen.name}{f' ({why})' if why else ''}")
        for note in picture.notes:
            say(f"note: {note}")
        if verbose:
            say(f"weights: {weights or pipeline.weight_path(network, upscale, quantised=True)}")
            say(f"tiles: {-(-out_width // columns)} x {-(-out_height // rows)} of {min(columns, out_width)}x{min(rows, out_height)} pixels "
                f"and a halo of {model.network.halo}")
        # on a terminal only: a log file is no place for a bar
        with tqdm(total=out_width * out_height, unit="pixel", unit_scale=True, leave=False, disable=True if quiet else None) as bar:
            result = pipeline.upscale_picture(picture, chosen, (rows, columns), clock, bar.update)
    with clock("write"):
        notes = image_io.write_picture(output, result)
    for note in notes:
        say(f"note: {note}")
    total = sum(clock.seconds.values())
    say(f"{clock.line()}; {total:.2f} s in all, {out_width * out_height / 1e6 / total:.2f} Mpixel/s")


@report_user_errors
def main(arguments=None):
    """Run the command line; bad input ends in one sentence and exit code 2."""
    try:
        command.main(arguments, prog_name="run_pynq.py", standalone_mode=False)
    except click.ClickException as error:
        raise UserError(f"{error.format_message().rstrip('.')} (see --help)") from error
    except click.Abort:  # Ctrl-C, in click's words
        print("interrupted; nothing was written", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
