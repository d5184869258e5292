"""A bitstream without a vendor tool: `make bitstream BOARD=pynq_z2 TOOLS=open DESIGN=blink|register|loop|srcnn`.

Yosys makes a netlist of the design, nextpnr-xilinx places and routes it, Project X-Ray's tools write the bits. Then
.bit, .hwh and manifest.json replace those in `bitstreams/<board>/<overlay>/`, all three at once. docs/synthesis.md says
what that proves.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import shutil
import tempfile
import time
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from bitstreams.build import DMA, NAME, git_revision, install
from hls.design.load import load_config
from hls.design.options import hardware_options
from hls.place import designs
from hls.place.bits import bitstream
from hls.place.clock import SHARE, TIMED_SHARE, choose
from hls.place.designs import DEFAULT, DESIGNS, design_files
from hls.place.fit import check_fit, smaller
from hls.place.handoff import handoff
from hls.place.netlist import netlist
from hls.place.route import place_and_route
from hls.place.tools import find_tools
from hls.sta.run import fits_mhz
from host.board.overlay import OVERLAYS, read_design, read_manifest
from model.base.cache import build_lock
from model.base.errors import UserError, report_user_errors
from model.base.report import table, write_report
from model.base.tools import tool_version

if TYPE_CHECKING:
    from hls.design.config import Config
    from hls.place.tools import Tools

CONSTRAINTS = pathlib.Path(designs.__file__).with_name("boards")
STEPS = ("Verilog", "netlist", "place and route", "bitstream", "timing")


@dataclasses.dataclass(frozen=True)
class Placed:
    """What a run has come to.

    Attributes
    ----------
    folder : pathlib.Path
        Where the overlay lies now.
    row : dict
        Of the report.
    """

    folder: pathlib.Path
    row: dict


def build(design: str, config: Config, progress: bool = False) -> Placed:
    """Build a design for a board and put it into `bitstreams/<board>/<overlay>/`.

    Parameters
    ----------
    design : str
        Of `hls.place.designs.DESIGNS`.
    config : Config
        The board; of `srcnn` also what it computes.
    progress : bool
        Show a progress bar.

    Raises
    ------
    UserError
        A tool is missing or of a wrong version, the design does not fit or does not route, or the bitstream read back
        is another. What lay in the folder stays then.
    """
    constraints = CONSTRAINTS / f"{config.board}.xdc"
    if not constraints.is_file():
        known = ", ".join(sorted(path.stem for path in CONSTRAINTS.glob("*.xdc")))
        raise UserError(
            f"the open tools place for no {config.board} ({config.part}), only for {known}; take TOOLS=vendor"
        )
    tools = find_tools(config.part)
    label = config.network.label if design == DEFAULT else design
    started = time.monotonic()
    with (
        build_lock(f"open-{config.board}-{label}"),
        tqdm(STEPS, unit="step", disable=not progress, dynamic_ncols=True) as bar,
    ):
        for step in bar:
            bar.set_description(step)
            if step == "Verilog":
                config, note = check_fit(design, config, tools)
                if note and progress:
                    bar.write(note)
                files = design_files(design, config)
            elif step == "netlist":
                path, used = netlist(files, config.part)
            elif step == "place and route":
                fasm, routed = place_and_route(
                    tools, path, constraints, design, progress, functools.partial(smaller, design, config)
                )
            elif step == "bitstream":
                bit, checked = bitstream(tools, fasm, config.part, design)
            else:
                timed = fits_mhz(bit, config.part)
                if timed is None and progress:
                    bar.write("no delays of cells were found (PRJXRAY_TIMINGS): FCLK0 by nextpnr-xilinx's figure alone")
    clock = choose(routed["fmax_mhz"], timed)
    manifest = make_manifest(design, config, tools, clock.mhz, timed, used, routed | checked)
    name = NAME if design == DEFAULT else design
    folder = OVERLAYS / config.board / label
    with tempfile.TemporaryDirectory() as work:
        shutil.copy(bit, pathlib.Path(work) / f"{name}.bit")
        (pathlib.Path(work) / f"{name}.hwh").write_bytes(handoff(design, config.part, clock))
        check = read_manifest if design == DEFAULT else read_design
        install(pathlib.Path(work), folder, manifest, name, check)
    row = {
        "board": config.board,
        "design": design,
        "network": config.network.label if design == DEFAULT else None,
        "fmax_mhz": routed["fmax_mhz"],
        "timed_mhz": timed,
        "fclk0_mhz": manifest["fclk0_mhz"],
        "passes": routed["passes"],
        "wires": routed["wires"],
        **{what: used[what] for what in ("dsp", "bram36", "lut", "ff")},
        **checked,
        "seconds": round(time.monotonic() - started, 1),
    }
    return Placed(folder, row)


def make_manifest(
    design: str,
    config: Config,
    tools: Tools,
    fclk0_mhz: float,
    timed_mhz: float | None,
    used: dict[str, float],
    found: dict,
) -> dict:
    """Return the manifest without its "files" (host/board/overlay.py says what is read of it)."""
    computes = {}
    if design == DEFAULT:
        computes = {
            "network": config.network.name,
            "upscale": config.network.upscale,
            "config_id": f"{config.config_id:#010x}",
        }
        if not tools.both_dsps:
            computes["folding"] = {stage.layer.name: [stage.pe, stage.simd] for stage in config.stages}
    return {
        "design": design,
        "board": config.board,
        **computes,
        "dma": DMA,
        "part": config.part,
        "fclk0_mhz": round(fclk0_mhz, 6),
        "clock_share": SHARE if timed_mhz is None else TIMED_SHARE,
        "timed_mhz": timed_mhz,
        "rtl": "open",
        "tools": {"yosys": tool_version("pyosys"), "nextpnr-xilinx, prjxray": tools.recipe()},
        "git_revision": git_revision(),
        "used": used,
        "routed": found,
        "run_on_a_board": False,
    }


@click.command()
@hardware_options
@click.option("--design", type=click.Choice(list(DESIGNS)), default=DEFAULT, show_default=True, help="What to place.")
@report_user_errors
def main(network: str, upscale: int | None, board: str, design: str) -> None:
    """Build a bitstream with open tools and put it into bitstreams/<board>/<overlay>/."""
    placed = build(design, load_config(network, board, upscale), progress=True)
    print(table([placed.row]))
    print(f"written to {write_report(f'bitstream_open_{board}_{design}', [placed.row])}")
    print(
        f"overlay: {os.path.relpath(placed.folder)}, FCLK0 {placed.row['fclk0_mhz']:g} MHz; no board has run it: "
        f"bitstreams/open/README.md says how to try it"
    )


if __name__ == "__main__":
    main()
