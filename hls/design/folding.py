"""The best PE x SIMD for every stage of a network on a board, from their descriptions alone.

A stage of T cycles per position needs (mac_out_ch / PE) * ceil(taps / SIMD) <= T. All stages run side by side, so the
slowest one decides. The search goes through T upwards, and stops at the first for which there is a folding that fits
the budget; of those it takes the one with the fewest DSPs, then the least block RAM, then the fewest LUTs. A stage's
output stream needs no attention: mac_out_ch / PE words per position, and never more than that many cycles. Behind the
last stage the packer counts, which takes its bytes by those that divide a word and a beat.
"""

from __future__ import annotations

import itertools
import operator
from typing import TYPE_CHECKING

from hls.design.config import make_config
from hls.design.cost import LIMITS, MAX_WORD, PACKER, PARSER, total
from hls.design.dataflow import packer_behind
from hls.design.stage import Stage, legal_simd

if TYPE_CHECKING:
    from hls.design.config import Config
    from hls.design.cost import Cost
    from model.graph.kinds import Conv
    from model.graph.network import Network


def position_cycles(stage: Stage, last: bool) -> int:
    """Return the cycles of a position: of a stage's processes and, behind the last stage, of the packer."""
    processes = (*stage.processes, packer_behind(stage)) if last else stage.processes
    return max(process.steady for process in processes)


def candidates(
    layer: Conv, max_w: int, pack: bool, most: int | None = None, last: bool = False
) -> list[tuple[Stage, Cost]]:
    """Return the legal stages of a layer: every PE that divides its outputs with every SIMD worth having.

    Parameters
    ----------
    layer : Conv
    max_w : int
        Positions of the widest row at its input.
    pack : bool
    most : int, optional
        Leave out what takes more cycles per position.
    last : bool
        The packer is behind it, and counts.

    Returns
    -------
    list of (Stage, Cost)
        The cost includes the second half of a layer that scatters. `in_word` is that of one word per position: it
        depends on the stage before, and costs next to nothing.
    """
    shape = Stage(layer, 1, 1, layer.in_ch, max_w, pack)
    stages = [
        Stage(layer, pe, simd, layer.in_ch, max_w, pack)
        for pe in range(1, shape.mac_out_ch + 1)
        if shape.mac_out_ch % pe == 0
        for simd in legal_simd(shape.mac_taps)
    ]
    return [
        (stage, total(process.cost for process in stage.processes))
        for stage in stages
        if (most is None or position_cycles(stage, last) <= most) and widest(stage) <= MAX_WORD
    ]


def widest(stage: Stage) -> int:
    """Return the bits of the widest word that a stage's processes compute with."""
    return max(bits for process in stage.processes for bits in process.widest.values())


def fits(cost: Cost, budget: dict) -> bool:
    """True if a cost stays within the limits of a budget."""
    return all(getattr(cost, what) <= share * budget[what] for what, share in LIMITS.items())


def search(network: Network, board: dict, tile_width: int | None = None, pack: bool | None = None) -> Config | None:
    """Return the best `Config`, or None if none fits.

    Parameters
    ----------
    network : Network
    board : dict
        As `hls.design.boards.read_board` returns it; its foldings are not looked at.
    tile_width : int, optional
        Must be met. By default the board's is met if that costs no cycles; else the widest that doesn't is chosen.
    pack : bool, optional
        Overrides the board's.
    """
    board = board | {"pack": board["pack"] if pack is None else pack}
    widths = [tile_width] if tile_width else _widths(network, board["tile_width"])
    narrowest = _search(
        network, board | {"tile_width": widths[-1]}
    )  # the least memory: no other width takes fewer cycles
    if narrowest is None:
        return None
    for width in widths:
        found = _search(network, board | {"tile_width": width}, narrowest[0])
        if found:
            return make_config(network, board | {"tile_width": width}, found[1])
    return None


def _widths(network, widest):
    """Return tile widths, descending: the widest, and those for which a layer's line just fills its block RAMs."""
    widths, row = {widest}, 2 * network.halo
    for layer in network.convs:
        widths |= {words - row for words in range(512, widest + row, 512) if words > row}
        row -= layer.k - 1
    return sorted(widths, reverse=True)


def _search(network, board, most=None):
    """Return (cycles, {layer: (pe, simd)}), or None if nothing that fits takes `most` cycles or fewer."""
    max_w, choices = board["tile_width"] + 2 * network.halo, []
    for layer in network.convs:
        last = layer is network.layers[-1]
        found = [
            (stage, cost, position_cycles(stage, last))
            for stage, cost in candidates(layer, max_w, board["pack"], most, last)
            if fits(cost, board["budget"])
        ]
        choices.append(found)
        max_w -= layer.k - 1
    ends = PARSER + PACKER
    for cycles in sorted({taken for stages in choices for _, _, taken in stages}):
        fast = [[(stage, cost) for stage, cost, taken in stages if taken <= cycles] for stages in choices]
        if not all(fast) or sum(min(cost.dsp for _, cost in stages) for stages in fast) > board["budget"]["dsp"]:
            continue
        best = None
        for chosen in itertools.product(*map(_pareto, fast)):
            cost = total([ends, *(cost for _, cost in chosen)])
            key = (cost.dsp, cost.bram36 + cost.uram, cost.lut, cost.ff)
            if (best is None or key < best[0]) and fits(cost, board["budget"]):
                best = key, {stage.layer.name: (stage.pe, stage.simd) for stage, _ in chosen}
        if best:
            return cycles, best[1]
    return None


def _pareto(choices):
    """Leave out what another choice beats, or equals, in all resources."""
    kept = []
    for cost, _, stage in sorted((cost, i, stage) for i, (stage, cost) in enumerate(choices)):
        if not any(all(map(operator.le, other, cost)) for _, other in kept):
            kept.append((stage, cost))
    return kept


def fewest_dsps(network: Network, cycles: int, pack: bool) -> int | None:
    """Return the DSPs without which no folding takes `cycles` cycles per pixel or fewer; None if no number of them
    does.
    """
    last = network.layers[-1]
    fast = [[cost.dsp for _, cost in candidates(layer, 1, pack, cycles, layer is last)] for layer in network.layers]
    return sum(map(min, fast)) if all(fast) else None


def remedy(config: Config, board: dict, what: str) -> str:
    """Return what to do about a configuration that takes too much of a resource: the nearest thing that fits."""
    folding = {stage.layer.name: (stage.pe, stage.simd) for stage in config.stages}
    if what in ("bram36", "uram"):

        def fits_at(width):
            return fits(
                total(make_config(config.network, board | {"tile_width": width}, folding).costs), board["budget"]
            )

        low, high = 0, config.tile_width  # at `low` it fits, at `high` it doesn't
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits_at(middle) else (low, middle)
        if low:
            return f"the widest tile that fits is {low}"
    best = search(config.network, board)
    if best is None:
        return f"no folding fits; choose a narrower tile than {board['tile_width']}, a larger part or a smaller network"
    at_width = "" if best.tile_width == config.tile_width else f" and tile_width = {best.tile_width}"
    return (
        f"the best that fits is {', '.join(f'{s.layer.name} {s.pe} x {s.simd}' for s in best.stages)} (pe x "
        f"simd){at_width}, {best.dsp} DSPs" + ("" if board["pack"] else ", or more with pack = true")
    )
