"""The best PE x SIMD for every stage of a network on a board, from their descriptions alone: `make folding`.

A stage of T cycles per position needs (mac_out_ch / PE) * ceil(taps / SIMD) <= T. All stages run side by side, so the
slowest one decides. The search goes through T upwards, and stops at the first for which there is a folding that fits
the budget; of those it takes the one with the fewest DSPs, then the least block RAM, then the fewest LUTs. A stage's
output stream needs no attention: mac_out_ch / PE words per position, and never more than that many cycles.
"""

import itertools
import operator

import click

from hls.config import DEFAULT_BOARD, Stage, legal_simd, make_config, read_board
from hls.cost import LIMITS, MAX_WORD, PACKER, PARSER, Cost, mac_cost, sum_cost, total, widest_words
from hls.spec import limit_cycles_per_pixel, steady_cycles_per_pixel
from model.base.errors import UserError, report_user_errors
from model.base.report import table, write_report
from model.graph.network import DEFAULT_NETWORK, load_network


def candidates(layer, max_w, pack, most=None):
    """Return the legal stages of a layer: every PE that divides its outputs with every SIMD worth having.

    Parameters
    ----------
    layer : Layer
    max_w : int
        Positions of the widest row at its input.
    pack : bool
    most : int, optional
        Leave out what takes more cycles per position.

    Returns
    -------
    list of (Stage, Cost)
        The cost includes the second half of a transposed layer. `in_word` is that of one word per position: it depends
        on the stage before, and costs next to nothing.
    """
    shape = Stage(layer, 1, 1, layer.in_ch, max_w, pack)
    stages = [Stage(layer, pe, simd, layer.in_ch, max_w, pack)
              for pe in range(1, shape.mac_out_ch + 1) if shape.mac_out_ch % pe == 0 for simd in legal_simd(shape.mac_taps)]
    return [(stage, mac_cost(stage) + (sum_cost(stage) if stage.transposed else Cost()))
            for stage in stages if (most is None or stage.fold <= most) and max(widest_words(stage).values()) <= MAX_WORD]


def fits(cost, budget):
    """True if a cost stays within the limits of a budget."""
    return all(getattr(cost, what) <= share * budget[what] for what, share in LIMITS.items())


def search(network, board, tile_width=None, pack=None):
    """Return the best `Config`, or None if none fits.

    Parameters
    ----------
    network : Network
    board : dict
        As `hls.config.read_board` returns it; its foldings are not looked at.
    tile_width : int, optional
        Must be met. By default the board's is met if that costs no cycles; else the widest that doesn't is chosen.
    pack : bool, optional
        Overrides the board's.
    """
    board = board | {"pack": board["pack"] if pack is None else pack}
    widths = [tile_width] if tile_width else _widths(network, board["tile_width"])
    narrowest = _search(network, board | {"tile_width": widths[-1]})    # the least memory: no other width takes fewer cycles
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
    for layer in network.layers:
        widths |= {words - row for words in range(512, widest + row, 512) if words > row}
        row -= layer.k - 1
    return sorted(widths, reverse=True)


def _search(network, board, most=None):
    """Return (cycles, {layer: (pe, simd)}), or None if nothing that fits takes `most` cycles or fewer."""
    max_w, choices = board["tile_width"] + 2 * network.halo, []
    for layer in network.layers:
        choices.append([(stage, cost) for stage, cost in candidates(layer, max_w, board["pack"], most) if fits(cost, board["budget"])])
        max_w -= layer.k - 1
    ends = PARSER + PACKER
    for cycles in sorted({stage.fold for stages in choices for stage, _ in stages}):
        fast = [[(stage, cost) for stage, cost in stages if stage.fold <= cycles] for stages in choices]
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


def fewest_dsps(network, cycles, pack):
    """Return the DSPs without which no folding takes `cycles` cycles per pixel or fewer; None if no number of them does."""
    fast = [[cost.dsp for _, cost in candidates(layer, 1, pack, cycles)] for layer in network.layers]
    return sum(map(min, fast)) if all(fast) else None


def remedy(config, board, what):
    """Return what to do about a configuration that takes too much of a resource: the nearest thing that fits."""
    folding = {stage.layer.name: (stage.pe, stage.simd) for stage in config.stages}
    if what in ("bram36", "uram"):
        def fits_at(width):
            return fits(total(make_config(config.network, board | {"tile_width": width}, folding).costs), board["budget"])

        low, high = 0, config.tile_width   # at `low` it fits, at `high` it doesn't
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits_at(middle) else (low, middle)
        if low:
            return f"the widest tile that fits is {low}"
    best = search(config.network, board)
    if best is None:
        return f"no folding fits; choose a narrower tile than {board['tile_width']}, a larger part or a smaller network"
    at_width = "" if best.tile_width == config.tile_width else f" and tile_width = {best.tile_width}"
    return (f"the best that fits is {', '.join(f'{s.layer.name} {s.pe} x {s.simd}' for s in best.stages)} (pe x simd){at_width}, {best.dsp} DSPs"
            + ("" if board["pack"] else ", or more with pack = true"))


def proposal_rows(config):
    """Return the rows of `folding_<board>.json`: each stage with its folding, cycles and modelled cost, then the total."""
    rows = []
    for name, cost in config.costs.items():
        stage = next((stage for stage in config.stages if stage.layer.name == name), None)
        folded = {"pe": stage.pe, "simd": stage.simd, "cycles": stage.fold} if stage else dict.fromkeys(("pe", "simd", "cycles"))
        rows.append({"network": config.network.name, "stage": name, **folded, **cost._asdict()})
    whole = {"cycles": steady_cycles_per_pixel(config), **total(config.costs)._asdict()}
    rows.append({"network": config.network.name, "stage": "total", "pe": None, "simd": None, **whole})
    return [row | {"lut": round(row["lut"]), "ff": round(row["ff"])} for row in rows]


def proposal_toml(config, board_width):
    """Return a proposal as lines of a board file."""
    lines = [f"[folding.{config.network.name}]"]
    if config.tile_width != board_width:
        lines.append(f"tile_width = {config.tile_width}")
    for stage in config.stages:
        entry = f"{stage.layer.name} = {{ pe = {stage.pe}, simd = {stage.simd} }}"
        lines.append(f"{entry:<33} # {stage.fold} cycles per position, {stage.dsp} DSPs")
    return "\n".join(lines)


@click.command()
@click.option("--network", default=DEFAULT_NETWORK, show_default=True)
@click.option("--board", default=DEFAULT_BOARD, show_default=True)
@click.option("--pack/--no-pack", default=None, help="Two products per DSP, or one.  [default: the board file's]")
@click.option("--tile-width", type=click.IntRange(1), help="Output pixels of the widest tile.  [default: the board file's, or the widest that fits]")
@click.option("--check", "action", flag_value="check", help="Compare the cost model with Yosys' figures instead.")
@click.option("--fit", "action", flag_value="fit", help="Fit the cost model's coefficients to Yosys' figures instead.")
@click.option("--record", "action", flag_value="record", help="Keep the figures of `make synth BOARD= NETWORK=` for --check, --fit and the tests.")
@report_user_errors
def main(network, board, pack, tile_width, action):
    """Propose the folding of a network on a board."""
    if action:
        from hls import cost_fit
        print(getattr(cost_fit, action)(network, board))
        return
    described = read_board(board)
    config = search(load_network(network), described, tile_width, pack)
    if config is None:
        raise UserError(f"no folding of {network} fits {board}{f' at tile width {tile_width}' if tile_width else ''}; choose a narrower tile or a larger part")
    rows = proposal_rows(config)
    path = write_report(f"folding_{config.board}", rows)
    print(table(rows, list(rows[0])[1:], floatfmt=".10g"))
    cycles, limit = rows[-1]["cycles"], limit_cycles_per_pixel(config)
    fewest = fewest_dsps(config.network, cycles - 1, config.stages[0].pack)
    print(f"\n{proposal_toml(config, described['tile_width'])}\n\n{cycles} cycles per pixel; {limit:.2f} if all {config.budget['dsp']} DSPs were busy in every cycle"
          + (f"; {cycles - 1} would take {fewest} DSPs or more" if fewest else "")
          + f"\nLUTs and flip-flops by the model of hls/cost.py; written to {path}")


if __name__ == "__main__":
    main()
