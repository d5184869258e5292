"""The best PE x SIMD for every stage of a network on a board, from their descriptions alone.

A stage of T cycles per position needs (mac_out_ch / PE) * ceil(taps / SIMD) <= T. All stages run side by side, so the
slowest one decides. The search goes through T upwards, and stops at the first for which there is a folding that fits
the budget; of those it takes the one with the fewest DSPs, then the least block RAM, then the fewest LUTs. A stage's
output stream needs no attention: mac_out_ch / PE words per position, and never more than that many cycles. Behind the
last stage the packer counts, which takes its bytes by the largest part of a word that is no larger than a beat.

Where it may, it makes products of LUTs, too: those that the DSPs leave over, of whole stages first, the smallest. Then
LUTs decide, after cycles.

Of a network at low resolution a whole frame counts instead, edges included: its first layers see more positions than
the last, so they may have to be faster.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from typing import TYPE_CHECKING

from hls.design.config import make_config
from hls.design.cost import LIMITS, LUT, MAX_WORD, mac_cost, total
from hls.design.dataflow import packer_behind
from hls.design.stage import Fold, Stage, legal_simd

if TYPE_CHECKING:
    from collections.abc import Callable

    from hls.design.config import Config
    from hls.design.cost import Cost
    from model.graph.kinds import Conv
    from model.graph.network import Network


FRAME = 16, 9  # shape of the frame that counts for a network at low resolution, as wide as the board's tile


def position_cycles(stage: Stage) -> int:
    """Return the cycles of a position: those of the slowest of a stage's processes."""
    return max(process.steady for process in stage.processes)


def demand(network: Network, layer: Conv, width: int) -> Callable[[Stage], int]:
    """Return what is asked of a layer's stages: a function that says how many cycles one takes.

    Parameters
    ----------
    network : Network
    layer : Conv
    width : int
        Input pixels of the widest tile, without the halo. Cycles are those of a position, of the packer where the
        stage's words reach it, or of a whole frame of this width if the network works at low resolution.
    """
    if network.input != "upscaled":
        given, height = network.tensors[layer.inputs[0]], width * FRAME[1] // FRAME[0]
        rows, columns = ((side + 2 * network.halo) * given.scale - given.shrink for side in (height, width))
        return lambda stage: max(process.cycles(rows, columns, 0)[0] for process in stage.processes)
    if layer is not network.layers[-1]:
        return position_cycles
    return lambda stage: max(position_cycles(stage), packer_behind(network, stage.processes[-1].out_word).steady)


def candidates(
    layer: Conv,
    max_w: int,
    pack: bool,
    most: int | None = None,
    taken: Callable[[Stage], int] = position_cycles,
) -> list[tuple[Stage, Cost]]:
    """Return the legal stages of a layer: every PE that divides its outputs with every SIMD worth having.

    Parameters
    ----------
    layer : Conv
    max_w : int
        Positions of the widest row at its input.
    pack : bool
    most : int, optional
        Leave out what takes more cycles.
    taken : callable
        The cycles that a stage takes (`demand`).

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
        if (most is None or taken(stage) <= most) and widest(stage) <= MAX_WORD
    ]


def widest(stage: Stage) -> int:
    """Return the bits of the widest word that a stage's processes compute with."""
    return max(bits for process in stage.processes for bits in process.widest.values())


def fits(cost: Cost, budget: dict) -> bool:
    """True if a cost stays within the limits of a budget."""
    return all(getattr(cost, what) <= share * budget[what] for what, share in LIMITS.items())


def search(
    network: Network,
    board: dict,
    tile_width: int | None = None,
    pack: bool | None = None,
    lut_products: bool = False,
    enough: float = 0,
) -> Config | None:
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
    lut_products : bool
        Whether products may be made of LUTs where there are no DSPs left.
    enough : float
        Cycles that need not be fallen below: of what the search counts, a frame's for a network at low resolution.
    """
    board = board | {"pack": board["pack"] if pack is None else pack}
    widths = [tile_width] if tile_width else _widths(network, board["tile_width"])
    narrowest = _search(
        network, board | {"tile_width": widths[-1]}, lut_products, enough
    )  # the least memory: no other width takes fewer cycles
    if narrowest is None:
        return None
    for width in widths:
        found = _search(network, board | {"tile_width": width}, lut_products, enough, narrowest[0])
        if found:
            return make_config(network, board | {"tile_width": width}, found[1])
    return None


def _widths(network, widest):
    """Return tile widths, descending: the widest, and those for which a layer's line just fills its block RAMs."""
    widths = {widest}
    for layer in network.convs:
        given = network.tensors[layer.inputs[0]]
        row = 2 * network.halo * given.scale - given.shrink
        widths |= {(words - row) // given.scale for words in range(512, widest * given.scale + row, 512) if words > row}
    return sorted(widths, reverse=True)


def _search(network, board, lut_products, enough, most=None):
    """Return (cycles, {layer: Fold}), or None if nothing that fits takes `most` cycles or fewer."""
    budget, choices = board["budget"], []
    alone = budget | {"dsp": math.inf} if lut_products else budget  # of a stage by itself
    for layer in network.convs:
        given, taken = network.tensors[layer.inputs[0]], demand(network, layer, board["tile_width"])
        max_w = (board["tile_width"] + 2 * network.halo) * given.scale - given.shrink
        found = [
            (stage, cost, taken(stage))
            for stage, cost in candidates(layer, max_w, board["pack"], most, taken)
            if fits(cost, alone)
        ]
        choices.append(found)
    others = _others(network, board)
    counts = sorted({taken for stages in choices for _, _, taken in stages})
    fastest = max((cycles for cycles in counts if cycles <= enough), default=0)
    for cycles in (cycles for cycles in counts if cycles >= fastest):
        fast = [[(stage, cost) for stage, cost, taken in stages if taken <= cycles] for stages in choices]
        if not all(fast):
            continue
        missing = sum(min(cost.dsp for _, cost in stages) for stages in fast) - budget["dsp"]
        luts = others.lut + sum(min(cost.lut for _, cost in stages) for stages in fast) + LUT["products"] * missing
        if missing > 0 and (not lut_products or luts > LIMITS["lut"] * budget["lut"]):
            continue  # none fits: a product at least for every DSP that is missing
        sums = [((), others)]
        for stages in fast:
            sums = _pareto(
                [((*chosen, stage), spent + cost) for chosen, spent in sums for stage, cost in _pareto(stages)]
            )
        if lut_products:
            sums = [_in_luts(chosen, spent, budget["dsp"]) for chosen, spent in sums]
        fitting = [(cost, chosen) for chosen, cost in sums if fits(cost, budget)]
        if fitting:
            _, chosen = min(fitting, key=lambda pair: _key(pair[0], lut_products))
            return cycles, {stage.layer.name: Fold(stage.pe, stage.simd, stage.lut_taps) for stage in chosen}
    return None


def _in_luts(stages, cost, dsps):
    """Return stages that take so many DSPs at most, and their cost: the taps that have none get LUTs, those of the
    stages with the fewest DSPs first, so that most stages are of one kind.
    """
    stages, excess = list(stages), cost.dsp - dsps
    for i, stage in sorted(enumerate(stages), key=lambda pair: pair[1].dsp):
        if excess <= 0:
            break
        taps = min(stage.simd, -(-excess // (stage.dsp // stage.simd)))
        stages[i] = dataclasses.replace(stage, lut_taps=taps)
        excess -= stage.dsp - stages[i].dsp
        cost = cost + mac_cost(stages[i]) - mac_cost(stage)
    return tuple(stages), cost


def _others(network, board):
    """The cost of the processes without a folding."""
    config = make_config(network, board, {layer.name: (1, 1) for layer in network.convs})
    folded = {process.name for stage in config.stages for process in stage.processes}
    return total(cost for name, cost in config.costs.items() if name not in folded)


def _key(cost, lut_products):
    memory = cost.bram36 + cost.uram
    return (cost.lut, memory, cost.dsp, cost.ff) if lut_products else (cost.dsp, memory, cost.lut, cost.ff)


def least_cost(network: Network, board: dict) -> Cost | None:
    """Return what no folding takes less of, resource by resource, at the board's tile width; None if a layer has words
    that are too wide in every folding.
    """
    spent = [_others(network, board)]
    for layer in network.convs:
        given = network.tensors[layer.inputs[0]]
        max_w = (board["tile_width"] + 2 * network.halo) * given.scale - given.shrink
        costs = [cost for _, cost in candidates(layer, max_w, board["pack"])]
        if not costs:
            return None
        spent.append(type(costs[0])(*map(min, zip(*costs))))
    return total(spent)


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
    fast = [
        [cost.dsp for _, cost in candidates(layer, 1, pack, cycles, demand(network, layer, 1))]
        for layer in network.convs
    ]
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
