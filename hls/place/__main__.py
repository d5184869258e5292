"""The clock of one stage, alone on the board's device: `python -m hls.place conv1`. Minutes, not half an hour."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil

import click

from hls.design.load import load_config
from hls.design.options import hardware_options
from hls.generate.verilog import build_rtl
from hls.place import designs
from hls.place.alone import alone
from hls.place.netlist import netlist
from hls.place.paths import kinds, read_paths, register_names
from hls.place.route import SDF, place_and_route
from hls.place.tools import find_tools
from model.base.errors import report_user_errors
from model.base.report import table, write_report

TIMED = "-timed"  # a nextpnr-xilinx with delays of DSPs and RAMs, beside the plain one under this ending
WIDTH = 44  # of a name in the table


@click.command()
@click.argument("stage")
@hardware_options
@click.option("--mhz", type=click.FloatRange(1), help="List what is slower.  [default: the clock reached, less 25 %]")
@click.option("--dsps-in-order", is_flag=True, help="Give the DSPs of a sum places side by side.")
@click.option("--as-placed", is_flag=True, help="Route the placer's own placement, not the annealed one.")
@report_user_errors
def main(
    stage: str, network: str, upscale: int | None, board: str, mhz: float | None, dsps_in_order: bool, as_placed: bool
) -> None:
    """Place and route a STAGE by itself; print its clock, and the kinds of paths that are longest."""
    config = load_config(network, board, upscale)
    tools = find_tools(config.part)
    constraints = pathlib.Path(designs.__file__).with_name("boards") / f"{config.board}.xdc"
    design = alone(build_rtl(config), stage)
    path, used = netlist(design, config.part)
    print(f"{stage}, alone: {used['lut']:,} LUTs, {used['ff']:,} flip-flops, {used['dsp']} DSPs")
    names, rows = register_names(path), []
    for program in dict.fromkeys((tools.nextpnr, shutil.which(tools.nextpnr + TIMED))):
        if program is None:
            continue
        of = dataclasses.replace(tools, nextpnr=program)
        fasm, routed = place_and_route(
            of, path, constraints, design.name, True, dsps_in_order=dsps_in_order, delays=True, anneal=not as_placed
        )
        print(f"{pathlib.Path(program).name}: {routed['fmax_mhz']:.1f} MHz after {routed['passes']} passes")
        found = kinds(read_paths(fasm.with_name(SDF), names), 1e6 / (mhz or routed["fmax_mhz"] * 1.25))
        rows += [{"program": pathlib.Path(program).name, "fmax_mhz": routed["fmax_mhz"], **row} for row in found]
    shown = [{key: value[-WIDTH:] if isinstance(value, str) else value for key, value in row.items()} for row in rows]
    print(table(shown, floatfmt=".2f"))
    print(f"nets by nextpnr's estimate; written to {write_report(f'place_{stage}', rows)}")


if __name__ == "__main__":
    main()
