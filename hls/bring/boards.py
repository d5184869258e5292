"""What a board makes of any one network: its folding, cycles, rate; or what does not fit, and what would."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from typing import TYPE_CHECKING

from hls.design.boards import list_boards, read_board
from hls.design.config import make_config
from hls.design.cost import LIMITS, MAX_WORD, total
from hls.design.cycles import frame_rate
from hls.design.folding import least_cost, search
from hls.report.choose import SIZES, folded, products_limit, reserved, result_size
from hls.report.folding import proposal_toml

if TYPE_CHECKING:
    from hls.design.config import Config
    from model.graph.network import Network

NAMES = {"dsp": "DSPs", "bram36": "BRAM36", "uram": "URAM", "lut": "LUTs", "ff": "flip-flops"}
SMALLEST_TILE = 64  # input pixels: what is asked whether anything fits at all


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a board makes of a network.

    Attributes
    ----------
    board : dict
        As `hls.design.boards.read_board` returns it.
    config : Config or None
        With the folding that takes the fewest cycles; None if none fits.
    row : dict
        Cycles, rate, resources; modelled.
    sentence : str
        Whether it keeps up, and if not, what would.
    """

    board: dict
    config: Config | None
    row: dict
    sentence: str


def answer(network: Network, board: dict, size: tuple[int, int] | None = None, fps: float = 60.0) -> Answer:
    """Return what a board makes of a network.

    Parameters
    ----------
    network : Network
    board : dict
    size : (int, int), optional
        Width and height of the result; the board's video by default.
    fps : float
        The wanted rate.
    """
    width, height = size or result_size(board["name"])
    offered = reserved(board) if network.upscale is not None else board
    least, config = least_cost(network, offered | {"tile_width": SMALLEST_TILE}), None
    if least is not None and not _over(least, offered):
        if network.upscale is not None:  # for video a tile is as wide as a frame, if memory allows
            config = folded(network, board, width, height, fps)
        config = config or search(network, offered) or search(network, offered, tile_width=SMALLEST_TILE)
    what = {"board": board["name"], "size": f"{width}x{height}"}
    if config is None:
        empty = dict.fromkeys(("cycles_per_input_pixel", "fps", "keeps_up", "dsp", "lut", "bram36", "tile_width"))
        return Answer(board, None, what | empty, _why_not(network, offered, least))
    reached, spent = frame_rate(config, height, width), total(config.costs)
    pixels = -(-height // network.scale) * -(-width // network.scale)
    row = what | {
        "cycles_per_input_pixel": round(config.clock_mhz * 1e6 / reached / pixels, 3),
        "fps": round(reached, 1),
        "keeps_up": reached >= fps,
        "dsp": config.dsp,
        "lut": round(spent.lut),
        "bram36": spent.bram36 + spent.uram,
        "tile_width": config.tile_width,
    }
    return Answer(board, config, row, _rate(config, board, width, height, fps, reached))


def _rate(config, board, width, height, fps, reached):
    """Say what rate there is, and what would reach the wanted one."""
    network, name = config.network, board["name"]
    said = f"{name}: {reached:.1f} frames a second of {width}x{height}"
    if reached >= fps:
        return f"{said}, which keeps up with {fps:g}"
    most = products_limit(board, width, height, fps)
    smaller = [
        f"{w}x{h}" for w, h in sorted(SIZES.values(), reverse=True) if w < width and frame_rate(config, h, w) >= fps
    ]
    small = f"; at {smaller[0]} it reaches {fps:g}" if smaller else ""
    return (
        f"{said}; for {fps:g} a network may take at most {most:,.0f} products per pixel, less what idles, this one "
        f"takes {network.macs_per_pixel:,.0f}{small}"
    )


def _over(least, board):
    """Return which resources of a board are too few, and how many there are."""
    over = []
    for what, share in LIMITS.items():
        number, budget = getattr(least, what), int(share * board["budget"][what])
        if number > budget:
            over.append(f"{round(number):,} {NAMES[what]} of {budget:,}")
    return over


def _why_not(network, board, least):
    """Say what of a board is too small for a network in any folding, and what would fit."""
    name = board["name"]
    if least is None:
        smallest = make_config(
            network, board | {"tile_width": SMALLEST_TILE}, {layer.name: (1, 1) for layer in network.convs}
        )
        bits, what, layer = max(
            (bits, what, process.name.removesuffix("_sum"))
            for process in smallest.processes
            for what, bits in process.widest.items()
        )
        return (
            f"{name}: {what} of layer {layer} take {bits} bits, the kernels' widest word is {MAX_WORD}; divide its "
            f"channels by {bits / MAX_WORD:.1f}"
        )
    over = ", ".join(_over(least, board)) or "no folding meets all limits at once"
    return (
        f"{name}: it does not fit, folded as far as it goes and in tiles {SMALLEST_TILE} pixels wide: {over}; take "
        f"fewer channels or layers, or a larger part"
    )


def board_text(config: Config, path: str | pathlib.Path) -> str:
    """Return a board's file with the folding of this one network in place of all others."""
    text, board = pathlib.Path(path).read_text(), read_board(path)
    head = re.split(r"^(?:#.*\n)*\[folding\.", text, maxsplit=1, flags=re.MULTILINE)[0]
    return f"{head.rstrip()}\n\n{proposal_toml(config, board['tile_width'])}\n"


def chosen_boards(board: str | None) -> list[dict]:
    """Return the named board's description, or every board's."""
    return [read_board(name) for name in ([board] if board else list_boards())]
