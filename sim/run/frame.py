"""A whole picture through the Verilated `srcnn_top`, compared with the golden model: `make rtlsim-frame IMG=photo.png`.

What the network takes of the picture (`sim.run.picture`) is cut into the largest tiles that the line buffers hold, and
sent with the committed weights: one transfer of parameters, one of all tiles. Exit code 1 if a single bit differs.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click
import numpy as np
from tqdm import tqdm

from hls.design.cycles import steady_cycles_per_pixel
from hls.design.load import load_config
from hls.design.options import hardware_options
from hls.packets.packets import answer_words, parse_answers, tile_packet
from hls.packets.parameters import load_packet
from host.picture import pipeline, tiling
from host.run_pynq import TileSize
from model.base.errors import UserError, report_user_errors
from model.base.report import table, write_report
from model.graph.network import require_picture
from model.integer import golden
from sim.run.harness import Run, build_harness, rows_of, simulate
from sim.run.picture import network_input

if TYPE_CHECKING:
    from hls.design.config import Config
    from model.graph.weights import QuantModel

HEADER = 2  # beats before an answer's pixels
UPSCALE = 3  # of a network that serves every factor, if none is given


class Mismatch(Exception):
    """The hardware and the golden model disagree; the message says where."""


def patience(config: Config, idle: float = 0.0, backpressure: float = 0.0) -> int:
    """Cycles without a beat after which a design counts as stuck: a hundred times what 8 pixels take."""
    return int((10_000 + 800 * steady_cycles_per_pixel(config)) / ((1 - idle) * (1 - backpressure)))


def run_frame(
    config: Config,
    model: QuantModel,
    x: np.ndarray,
    program: pathlib.Path,
    tile: tuple[int, int] | None = None,
    seed: int = 1,
    idle: float = 0.0,
    backpressure: float = 0.0,
    progress: Callable | None = None,
) -> dict:
    """Simulate a picture and compare it.

    Parameters
    ----------
    config : Config
    model : QuantModel
    x : ndarray of uint8, shape (H, W), or (H, W, 3) for an RGB network
        What the network takes.
    program : pathlib.Path
        Of `harness.build_harness`.
    tile : (int, int), optional
        Rows and columns of a tile, in pixels of `x`; as large as the hardware takes if None.
    seed, idle, backpressure
        As for `harness.simulate`.
    progress : callable, optional
        Called with the pixels of `x` whose results have come out so far.

    Returns
    -------
    dict
        tiles, cycles, cycles_per_pixel (of `x`), cycles_per_second.

    Raises
    ------
    UserError
        If the hardware takes no tile of this size.
    Mismatch
        At the first difference, in pixels or in protocol.
    """
    network, (height, width) = config.network, x.shape[:2]
    rows, columns = tile or (tiling.even(height, config.tile_height), tiling.even(width, config.tile_width))
    if rows > config.tile_height or columns > config.tile_width:
        raise UserError(
            f"a tile of {columns}x{rows} is larger than {config.name} takes, {config.tile_width}x{config.tile_height} "
            f"pixels of the network's input; choose a smaller --tile"
        )
    places = tiling.cut(height, width, rows, columns)
    inputs = list(tiling.views(golden.pad(x, network.halo), places, network.halo))
    packets = [tile_packet(config, view, _tag(index)) for index, view in enumerate(inputs)]
    expected = HEADER + sum(answer_words(config, *view.shape[:2]) for view in inputs)
    result = golden.infer(model, x)
    per_beat = 8 / (network.scale**2 * network.out_ch)  # pixels of the input

    run = simulate(
        program,
        np.concatenate([rows_of(load_packet(config, model)), rows_of(np.concatenate(packets))]),
        expected,
        patience(config, idle, backpressure),
        seed,
        idle,
        backpressure,
        lambda cycles, beats_in, beats_out: (
            progress and progress(min(height * width, int(max(0, beats_out - 2 * HEADER) * per_beat)))
        ),
    )
    if not run.complete:
        raise Mismatch(
            f"no beat has moved for the last {patience(config, idle, backpressure)} of {run.cycles} cycles; "
            f"{len(run.data)} of {expected} beats came"
        )
    check_beats(run, expected)
    made = [place.times(network.scale) for place in places]
    _check_pixels(parse_answers(run.data[HEADER:], network.out_ch), made, result)
    cycles = int(run.cycle[-1] - run.cycle[HEADER - 1])  # from the answer to the parameters to the last pixel
    return {
        "tiles": len(places),
        "cycles": cycles,
        "cycles_per_pixel": cycles / (height * width),
        "cycles_per_second": run.cycles / run.seconds,
    }


def _tag(index):
    """A tag that uses all 32 bits."""
    return (index + 1) * 0x9E3779B1 % 2**32


def check_beats(run: Run, expected: int) -> None:
    """Raise `Mismatch` unless the answers are two transfers of full beats, as many as expected."""
    if len(run.data) != expected:
        raise Mismatch(f"{len(run.data)} beats came out, expected {expected}")
    last = np.zeros(expected, np.uint64)
    last[[HEADER - 1, -1]] = 1
    for what, actual, right in (("TKEEP", run.keep, np.full(expected, 0xFF, np.uint64)), ("TLAST", run.last, last)):
        wrong = np.flatnonzero(actual != right)
        if len(wrong):
            raise Mismatch(
                f"{what} of {len(wrong)} of {expected} beats is wrong, first of beat {wrong[0]}: expected "
                f"{right[wrong[0]]}, actual {actual[wrong[0]]}"
            )


def _check_pixels(answers, places, expected):
    headers = [("tile", 0, _tag(index)) for index in range(len(places))]
    actual_headers = [(answer.command, answer.status, answer.tag) for answer in answers]
    if actual_headers != headers:
        first = next(
            (i for i, (a, e) in enumerate(zip(actual_headers, headers)) if a != e), min(len(answers), len(places))
        )
        raise Mismatch(
            f"{len(answers)} answers to {len(places)} tiles; (command, status, tag) of answer {first}: "
            f"{actual_headers[first : first + 1]}"
        )
    actual = np.empty_like(expected)
    for place, answer in zip(places, answers, strict=True):
        shape = (place.height, place.width, *expected.shape[2:])
        if answer.pixels.shape != shape:
            raise Mismatch(
                f"the answer to the tile at (y, x) = ({place.top}, {place.left}) has {answer.pixels.shape} pixels, "
                f"expected {shape}"
            )
        tiling.put(actual, place, answer.pixels)
    wrong = np.argwhere(actual != expected)
    if len(wrong):
        first, axes = tuple(int(i) for i in wrong[0]), "y, x, channel"[: 4 + 9 * (expected.ndim - 2)]
        raise Mismatch(
            f"{len(wrong)} of {expected.size} pixels differ, first at ({axes}) = {first}: expected "
            f"{expected[first]}, actual {actual[first]}"
        )


@click.command()
@click.argument("image", type=click.Path(path_type=pathlib.Path))
@hardware_options
@click.option("--size", type=TileSize(), help="Take this much of the network's input, from its centre.  [default: all]")
@click.option(
    "--tile", type=TileSize(), help="Cut the input into tiles of this size.  [default: as few as the hardware takes]"
)
@click.option(
    "--idle",
    type=click.FloatRange(0, 0.99),
    default=0.0,
    show_default=True,
    help="Share of cycles in which no beat is offered.",
)
@click.option(
    "--backpressure",
    type=click.FloatRange(0, 0.99),
    default=0.0,
    show_default=True,
    help="Share of cycles in which no beat is taken.",
)
@click.option(
    "--seed", default=1, show_default=True, help="Of the registers' first values, the gaps and the backpressure."
)
@report_user_errors
def main(
    image: pathlib.Path,
    network: str,
    upscale: int | None,
    board: str,
    size: tuple[int, int] | None,
    tile: tuple[int, int] | None,
    idle: float,
    backpressure: float,
    seed: int,
) -> None:
    """Simulate srcnn_top on IMAGE and compare every pixel with the golden model; write
    build/reports/rtlsim_frame.json.
    """
    from sim.run.runner import open_sources

    config = load_config(network, board, upscale)
    require_picture(config.network)
    model = pipeline.load_model(network, upscale or UPSCALE)
    x = network_input(image, config.network, model.upscale, size)
    (height, width), scale = x.shape[:2], config.network.scale
    print(f"{image}: {width}x{height} pixels to {width * scale}x{height * scale}, {config.name}", flush=True)
    program = build_harness(config, open_sources(config))
    row = {
        "image": image.name,
        "network": network,
        "board": board,
        "upscale": model.upscale,
        "width": width,
        "height": height,
        "idle": idle,
        "backpressure": backpressure,
        "seed": seed,
    }
    with tqdm(total=height * width, unit="pixel", unit_scale=True, desc="rtlsim", dynamic_ncols=True) as bar:
        try:
            row |= run_frame(
                config, model, x, program, tile, seed, idle, backpressure, lambda done: bar.update(done - bar.n)
            )
            bar.update(height * width - bar.n)
            complaint = None
        except Mismatch as error:
            complaint = str(error)
    row["bit_exact"] = complaint is None
    path = write_report("rtlsim_frame", [row])
    if complaint:
        print(f"FAIL {complaint}\nagain: python -m sim.run.frame {' '.join(sys.argv[1:])}", file=sys.stderr)
        sys.exit(1)
    print(
        table(
            [row],
            ["width", "height", "tiles", "cycles", "cycles_per_pixel", "cycles_per_second", "bit_exact"],
            floatfmt=".6g",
        )
    )
    print(f"bit exact; written to {path}")


if __name__ == "__main__":
    main()
