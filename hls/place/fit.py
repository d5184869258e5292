"""Does a design fit the tools that are there? Asked before half an hour of place and route, not after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.design.boards import read_board
from hls.design.folding import search
from hls.design.load import load_config
from hls.place.designs import DEFAULT
from model.base.errors import UserError

if TYPE_CHECKING:
    from hls.design.config import Config
    from hls.place.tools import Tools


def check_fit(design: str, config: Config, tools: Tools) -> tuple[Config, str]:
    """Return the configuration that these tools can place, and what is to be said of it ("" if it is the given one).

    A nextpnr-xilinx that uses one DSP of a tile has half of the device's; with more it never ends. Then the best
    folding within that half is taken.

    Raises
    ------
    UserError
        If none fits.
    """
    if design != DEFAULT or tools.both_dsps:
        return config, ""
    half = config.budget["dsp"] // 2
    if config.dsp <= half:
        return config, ""
    note = (
        f"{tools.nextpnr} uses one of the two DSPs of a tile, {half} of {config.budget['dsp']}; "
        f"{config.network.label} was to take {config.dsp}"
    )
    found = nearest(config, half)
    if found is None:
        raise UserError(f"{note}, and no folding fits {half}; take a nextpnr-xilinx with both DSPs of a tile")
    folds = ", ".join(f"{stage.layer.name} {stage.pe} x {stage.simd}" for stage in found.stages)
    return found, f"{note}; placed is a folding of {found.dsp} DSPs instead: {folds} (pe x simd)"


def nearest(config: Config, dsps: int) -> Config | None:
    """Return the fastest folding of a configuration's network that takes no more than so many DSPs, or None."""
    board = read_board(config.board)
    budget = {**board["budget"], "dsp": dsps}
    best = search(config.network, {**board, "budget": budget, "tile_width": config.tile_width}, config.tile_width)
    if best is None:
        return None
    folding = {stage.layer.name: (stage.pe, stage.simd) for stage in best.stages}
    return load_config(config.network, config.board, folding=folding, tile_width=config.tile_width)


def smaller(design: str, config: Config) -> str:
    """Return what to do about a design that does not route: the nearest folding that takes a fifth fewer DSPs."""
    if design != DEFAULT:
        return "take another version of nextpnr-xilinx"
    found = nearest(config, config.dsp * 4 // 5)
    if found is None:
        return "choose a smaller network"
    folds = ", ".join(f"{stage.layer.name} {stage.pe} x {stage.simd}" for stage in found.stages)
    return f"the nearest folding that may is {folds} (pe x simd), {found.dsp} DSPs: put it into the board file"
