"""The folding that the search proposes, its cycles and its cost: `make folding`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hls.design.boards import DEFAULT_BOARD, read_board
from hls.design.cost import total
from hls.design.cycles import limit_cycles_per_pixel, steady_cycles_per_pixel
from hls.design.folding import fewest_dsps, search
from model.base.errors import UserError, report_user_errors
from model.base.report import table, write_report
from model.graph.description import DEFAULT_NETWORK, load_network

if TYPE_CHECKING:
    from hls.design.config import Config


def proposal_rows(config: Config) -> list[dict]:
    """Return the rows of `folding_<board>.json`: each stage with its folding, cycles and modelled cost, then the
    total.
    """
    rows = []
    for name, cost in config.costs.items():
        stage = next((stage for stage in config.stages if stage.layer.name == name), None)
        folded = (
            {"pe": stage.pe, "simd": stage.simd, "cycles": stage.fold}
            if stage
            else dict.fromkeys(("pe", "simd", "cycles"))
        )
        rows.append({"network": config.network.name, "stage": name, **folded, **cost._asdict()})
    whole = {"cycles": steady_cycles_per_pixel(config), **total(config.costs)._asdict()}
    rows.append({"network": config.network.name, "stage": "total", "pe": None, "simd": None, **whole})
    return [row | {"lut": round(row["lut"]), "ff": round(row["ff"])} for row in rows]


def proposal_toml(config: Config, board_width: int) -> str:
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
@click.option(
    "--tile-width",
    type=click.IntRange(1),
    help="Output pixels of the widest tile.  [default: the board file's, or the widest that fits]",
)
@report_user_errors
def main(network: str, board: str, pack: bool | None, tile_width: int | None) -> None:
    """Propose the folding of a network on a board."""
    described = read_board(board)
    config = search(load_network(network), described, tile_width, pack)
    if config is None:
        raise UserError(
            f"no folding of {network} fits {board}{f' at tile width {tile_width}' if tile_width else ''}; choose a "
            f"narrower tile or a larger part"
        )
    rows = proposal_rows(config)
    path = write_report(f"folding_{config.board}", rows)
    print(table(rows, list(rows[0])[1:], floatfmt=".10g"))
    cycles, limit = rows[-1]["cycles"], limit_cycles_per_pixel(config)
    fewest = fewest_dsps(config.network, cycles - 1, config.stages[0].pack)
    print(
        f"\n{proposal_toml(config, described['tile_width'])}\n\n{cycles} cycles per pixel; {limit:.2f} if all "
        f"{config.budget['dsp']} DSPs were busy in every cycle"
        + (f"; {cycles - 1} would take {fewest} DSPs or more" if fewest else "")
        + f"\nLUTs and flip-flops by the model of hls/design/cost.py; written to {path}"
    )


if __name__ == "__main__":
    main()
