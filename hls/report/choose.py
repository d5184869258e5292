"""Which network of the family does a board compute at a wanted rate, and how good is its picture: `make choose`.

Every member (model/graph/family.py) that the DSPs could compute is put on the board with the folding that takes the
fewest cycles for a whole frame, edges included; what is left free for colour and DMA says the board's file. How good a
member is comes from trainings alone: the committed weights, and those that `--train` makes in build/choose. Of those
that keep up, the one with the highest PSNR on pictures held out of the training is chosen; test sets are only reported.
"""

from __future__ import annotations

import functools
import itertools
import subprocess
import sys
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from hls.design.boards import list_boards, read_board
from hls.design.cost import LIMITS, LUT, total
from hls.design.cycles import frame_rate
from hls.design.folding import search
from model.base.errors import UserError, report_user_errors
from model.base.paths import BUILD, ROOT, atomic_write, make_folder
from model.base.report import table, write_report
from model.graph.description import list_networks
from model.graph.family import Member, family_description, family_member, family_name, family_network
from model.graph.network import UPSCALES
from model.graph.weights import load_float, weight_path
from model.quality import results

if TYPE_CHECKING:
    from collections.abc import Callable

    from hls.design.config import Config
    from model.graph.network import Network

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080), "4k": (3840, 2160)}
BOARD_SIZE = {"pynq_z2": "1080p"}  # what a board is asked for if nothing is said; others 4k
CHANNELS, MIDDLE, FIRST = range(4, 25, 2), range(9), (3, 5)
FOLDER = BUILD / "choose"
BETWEEN_FRAMES = 40  # rows of cycles that a frame takes beyond those of its slowest process, more than there are


class Size(click.ParamType):
    """A size of video: a name of `SIZES`, or WIDTHxHEIGHT."""

    name = "size"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return (width, height)."""
        if isinstance(value, tuple):
            return value
        parts = value.lower().split("x")
        if value.lower() in SIZES:
            return SIZES[value.lower()]
        if len(parts) == 2 and all(part.isdigit() and 0 < int(part) <= 1 << 14 for part in parts):
            return int(parts[0]), int(parts[1])
        return self.fail(f"{value!r} is no size of video; choose {', '.join(SIZES)} or WIDTHxHEIGHT", param, ctx)


def family(upscale: int) -> list[Network]:
    """Return the members that are looked at, the cheapest first."""
    shapes = [Member(*shape) for shape in itertools.product(CHANNELS, MIDDLE, FIRST)]
    shapes += [member for name in list_networks() if (member := family_member(name)) and member not in shapes]
    members = [family_network(member, upscale) for member in shapes]
    return sorted(members, key=lambda network: (network.macs_per_pixel, network.name))


def result_size(board: str) -> tuple[int, int]:
    """Return width and height of the video that a board is asked for if nothing is said."""
    return SIZES[BOARD_SIZE.get(board, "4k")]


def reserved(board: dict) -> dict:
    """Return a board description with as much of its budget as a network may take."""
    reserve = board.get("reserve", {})
    free = {what: number - reserve.get(what, 0) for what, number in board["budget"].items()}
    # The search leaves some of LUTs free for routing; what is reserved is more than that, and in place of it.
    return board | {"budget": free | {what: int(free[what] / LIMITS[what]) for what in reserve}}


def products_limit(board: dict, width: int, height: int, fps: float, lut_products: bool = True) -> float:
    """Return the products per pixel of the result beyond which no folding keeps up: two per DSP and cycle, and what the
    LUTs could do if they did nothing else.
    """
    budget, pairs = reserved(board)["budget"], 2 if board["pack"] else 1
    in_luts = LIMITS["lut"] * budget["lut"] / LUT["products"] if lut_products else 0
    return (pairs * budget["dsp"] + in_luts) * board["clock_mhz"] * 1e6 / (fps * width * height)


def folded(network: Network, board: dict, width: int, height: int, fps: float) -> Config | None:
    """Return a network on a board as it keeps up with a rate, or as fast as it gets; with products of LUTs if the DSPs
    alone don't do it, but then no faster than asked. None if nothing fits.
    """
    offered, tile_width, config = reserved(board), -(-width // network.scale), None
    if network.macs_per_pixel <= products_limit(board, width, height, fps, lut_products=False):
        config = search(network, offered, tile_width)
    if config is None or frame_rate(config, height, width) < fps:
        frame = board["clock_mhz"] * 1e6 / fps - BETWEEN_FRAMES * tile_width
        config = search(network, offered, tile_width, lut_products=True, enough=frame) or config
    return config


@functools.cache
def quality(network: str, upscale: int) -> dict[str, float | None]:
    """Return what trainings on record say of a network: validation_psnr (held-out pictures of the training set), and
    Set5 in float and fixed point, in dB; None where nothing is known.
    """
    found = {"validation_psnr": None, "set5_float": None, "set5_fixed": None, "steps": None}
    for path in (weight_path(network, upscale), FOLDER / f"{network}_x{upscale}.npz"):
        if path.is_file():
            meta = load_float(path).meta
            found |= {"validation_psnr": meta["validation_psnr"], "set5_float": meta["test_psnr"].get("Set5")}
            found["steps"] = meta["steps"]
            break
    row = results.load().find(network, upscale, "standard", "Set5", "mean", "golden")
    return found | {"set5_fixed": row and round(row["psnr"], 4)}


def row_of(config: Config, width: int, height: int, fps: float) -> dict:
    """Return a row of `choose.json`: what a network costs and reaches on a board; modelled."""
    network, spent = config.network, total(config.costs)
    scale = network.scale
    reached = frame_rate(config, height, width)
    low = -(-height // scale), -(-width // scale)
    return {
        "board": config.board,
        "upscale": scale,
        "size": f"{width}x{height}",
        "network": network.name,
        "products_per_pixel": round(network.macs_per_pixel),
        "cycles_per_input_pixel": round(config.clock_mhz * 1e6 / reached / (low[0] * low[1]), 3),
        "fps": round(reached, 1),
        "fits": reached >= fps,
        "clock_mhz": config.clock_mhz,
        "dsp": config.dsp,
        "lut": round(spent.lut),
        "bram36": spent.bram36 + spent.uram,
        **quality(network.name, scale),
        "chosen": False,
    }


def choose(
    board: dict,
    upscale: int,
    width: int,
    height: int,
    fps: float,
    networks: list[Network],
    progress: Callable | None = None,
) -> list[dict]:
    """Return the rows of every network that keeps up, the chosen one marked.

    Parameters
    ----------
    board : dict
        As `hls.design.boards.read_board` returns it.
    upscale, width, height : int
        The factor, and the size of the result.
    fps : float
    networks : list of Network
    progress : callable, optional
        Called with each network that has been looked at.

    Raises
    ------
    UserError
        If none keeps up: the numbers, and the nearest that does.
    """
    rows = []
    for network in networks:
        over = network.macs_per_pixel > products_limit(board, width, height, fps)
        config = None if over else folded(network, board, width, height, fps)
        if config is not None:
            rows.append(row_of(config, width, height, fps))
        if progress is not None:
            progress(network)
    fitting = [row for row in rows if row["fits"]]
    if not fitting:
        cheapest, limit = networks[0], products_limit(board, width, height, fps)
        nearest = best_that_keeps_up(board, upscale, width, height, fps)
        raise UserError(
            f"no network asked for keeps up on {board['name']} at {width}x{height}, {fps:g} frames a second, "
            f"x{upscale}: {cheapest.name} takes {cheapest.macs_per_pixel:,.0f} products per pixel, DSPs and LUTs give "
            f"at most {limit:,.0f}; "
            + (
                f"the nearest that does is {nearest['network']}"
                if nearest
                else "none of the family does: choose a smaller size, fewer frames or a larger board"
            )
        )
    known = [row for row in fitting if row["validation_psnr"] is not None]
    if known:
        max(known, key=lambda row: row["validation_psnr"])["chosen"] = True
    return fitting


def best_that_keeps_up(board: dict, upscale: int, width: int, height: int, fps: float) -> dict | None:
    """Return the row of the member of the family that takes most products and still keeps up."""
    limit = products_limit(board, width, height, fps)
    for network in reversed([network for network in family(upscale) if network.macs_per_pixel <= limit]):
        config = folded(network, board, width, height, fps)
        row = config and row_of(config, width, height, fps)
        if row and row["fits"]:
            return row
    return None


def train(rows: list[dict], steps: int) -> None:
    """Train the networks of rows of which nothing is known, one after the other, each as `make train` does; an
    interrupted training goes on.
    """
    make_folder(FOLDER)
    for row in rows:
        name, upscale = row["network"], row["upscale"]
        out = FOLDER / f"{name}_x{upscale}.npz"
        if row["validation_psnr"] is not None or out.is_file():
            continue
        description = FOLDER / f"{name}.toml"
        with atomic_write(description) as temporary:
            temporary.write_text(family_description(family_member(name)))
        command = ["--network", str(description), "--upscale", str(upscale), "--steps", str(steps), "--out", str(out)]
        done = subprocess.run([sys.executable, "-m", "model.train", *command], cwd=ROOT)
        if done.returncode:
            raise UserError(f"the training of {name} x{upscale} ended with code {done.returncode}; run again to go on")
    quality.cache_clear()


@click.command()
@click.option("--board", help="Name or .toml file.  [default: every board]")
@click.option("--upscale", type=click.Choice([str(u) for u in UPSCALES]), help="All by default.")
@click.option("--size", type=Size(), help="Of the result: 720p, 1080p, 4k or WIDTHxHEIGHT.  [default: the board's]")
@click.option("--fps", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True)
@click.option("--network", help="Only this member of the family, such as abpn12m3.")
@click.option(
    "--train", "steps", type=click.IntRange(1), help="Train what keeps up and has no record, for so many steps each."
)
@report_user_errors
def main(
    board: str | None, upscale: str | None, size: tuple | None, fps: float, network: str | None, steps: int | None
) -> None:
    """List the networks of the family that a board computes at the wanted rate, with cycles, resources and quality;
    write build/reports/choose.json.
    """
    member = network and family_member(network)
    if network and not member:
        raise UserError(f"{network!r} is no member of the family; name one such as {family_name(Member(12, 3))}")
    rows, problems = [], []
    boards = [read_board(name) for name in ([board] if board else list_boards())]
    factors = [int(upscale)] if upscale else list(UPSCALES)
    cases = [(described, factor) for described in boards for factor in factors]
    members = {f: [family_network(member, f)] if member else family(f) for f in factors}
    with tqdm(total=sum(len(members[f]) for _, f in cases), unit="network", disable=None) as bar:
        for described, factor in cases:
            width, height = size or result_size(described["name"])
            bar.set_description(f"{described['name']} x{factor}")
            try:
                found = choose(described, factor, width, height, fps, members[factor], lambda _: bar.update())
                if steps:
                    train(found, steps)
                    found = choose(described, factor, width, height, fps, members[factor])
                rows += found
            except UserError as error:
                problems.append(error)
    if not rows:
        raise problems[0]
    print(table(rows))
    for problem in problems:
        print(f"note: {problem}")
    chosen = [f"{row['network']} x{row['upscale']} on {row['board']}" for row in rows if row["chosen"]]
    print(f"\nchosen by PSNR on held-out pictures, of those with a training on record: {', '.join(chosen) or 'none'}")
    print(f"resources and rates are modelled; written to {write_report('choose', rows)}")


if __name__ == "__main__":
    main()
