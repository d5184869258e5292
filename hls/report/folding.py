"""The folding that the search proposes, its cycles and its cost: `make folding`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hls.design.boards import read_board
from hls.design.cost import total
from hls.design.cycles import limit_cycles_per_pixel, steady_cycles_per_pixel
from hls.design.folding import fewest_dsps, search
from hls.design.options import hardware_options
from hls.report.choose import reserved, result_size
from model.base.errors import UserError, report_user_errors
from model.base.report import table, write_report
from model.graph.description import load_network

if TYPE_CHECKING:
    from hls.design.config import Config


def proposal_rows(config: Config) -> list[dict]:
    """Return the rows of `folding_<board>.json`: each stage with its folding, cycles and modelled cost, then the
    total.
    """
    rows, what = [], {"network": config.network.name, "upscale": config.network.upscale}
    for name, cost in config.costs.items():
        stage = next((stage for stage in config.stages if stage.layer.name == name), None)
        folded = (
            {"pe": stage.pe, "simd": stage.simd, "lut_taps": stage.lut_taps, "cycles": stage.fold}
            if stage
            else dict.fromkeys(("pe", "simd", "lut_taps", "cycles"))
        )
        rows.append({**what, "stage": name, **folded, **cost._asdict()})
    whole = {"cycles": steady_cycles_per_pixel(config), **total(config.costs)._asdict()}
    rows.append({**what, "stage": "total", "pe": None, "simd": None, "lut_taps": None, **whole})
    return [row | {"lut": round(row["lut"]), "ff": round(row["ff"])} for row in rows]


def proposal_toml(config: Config, board_width: int) -> str:
    """Return a proposal as lines of a board file."""
    lines = [f"[folding.{config.network.label}]"]
    if config.tile_width != board_width:
        lines.append(f"tile_width = {config.tile_width}")
    for stage in config.stages:
        in_luts = f", lut_taps = {stage.lut_taps}" if stage.lut_taps else ""
        entry = f"{stage.layer.name} = {{ pe = {stage.pe}, simd = {stage.simd}{in_luts} }}"
        lines.append(f"{entry:<33} # {stage.fold} cycles per position, {stage.dsp} DSPs")
    return "\n".join(lines)


@click.command()
@hardware_options
@click.option("--pack/--no-pack", default=None, help="Two products per DSP, or one.  [default: the board file's]")
@click.option(
    "--tile-width",
    type=click.IntRange(1),
    help="Input pixels of the widest tile.  [default: the board file's, or the widest that fits; a frame's for video]",
)
@click.option("--lut-products", is_flag=True, help="Make products of LUTs where the DSPs end.")
@report_user_errors
def main(
    network: str, upscale: int | None, board: str, pack: bool | None, tile_width: int | None, lut_products: bool
) -> None:
    """Propose the folding of a network on a board."""
    described, graph = read_board(board), load_network(network, upscale)
    offered, wanted = described, tile_width
    if graph.upscale is not None:  # for video: colour and DMA keep their share, and a tile is as wide as a frame
        offered, wanted = reserved(described), tile_width or -(-result_size(described["name"])[0] // graph.scale)
    config = search(graph, offered, wanted, pack, lut_products)
    if config is None:
        raise UserError(
            f"no folding of {graph.label} fits {board}{f' at tile width {wanted}' if wanted else ''}; choose a "
            f"narrower tile or a larger part"
        )
    rows = proposal_rows(config)
    path = write_report(f"folding_{config.board}", rows)
    print(table(rows, list(rows[0])[2:], floatfmt=".10g"))
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
