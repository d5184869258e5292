"""A design as a netlist for nextpnr-xilinx, by Yosys."""

from __future__ import annotations

import json
import pathlib
import shutil
from typing import TYPE_CHECKING

from hls.open.resources import DSP_TOGETHER, apart, count, family
from hls.synth.yosys import cached, run_yosys
from model.base.tools import tool_version

if TYPE_CHECKING:
    from hls.place.designs import DesignFiles

NETLIST = "netlist.json"


def netlist(design: DesignFiles, part: str) -> tuple[pathlib.Path, dict[str, float]]:
    """Return the netlist of a design, found again if its Verilog is the same.

    Returns
    -------
    path : pathlib.Path
    used : dict
        dsp, bram36, uram, lut, ff.
    """
    names = [path.name for path in design.files]
    commands = script(names, design.name, family(part))

    def make(folder):
        sources = folder / "rtl"  # names in the netlist don't depend on where the checkout lies
        sources.mkdir()
        for path in design.files:
            shutil.copy(path, sources / path.name)
        run_yosys(commands, folder, f"Yosys does not synthesise {design.name}")
        cells = json.loads((folder / "cells.json").read_text())["design"]["num_cells_by_type"]
        return count({kind: number for kind, number in cells.items() if kind not in FRAME})

    folder, used = cached(f"{design.name}-netlist", design.files, (commands, tool_version("pyosys")), make)
    return folder / NETLIST, used


FRAME = ("PS7", "BUFG", "IBUF", "OBUF")  # cells that are no budget's


def script(names: list[str], top: str, family_name: str) -> list[str]:
    """Return Yosys' commands; the sources lie in `rtl/`."""
    whole = f"synth_xilinx -flatten -family {family_name} -top {top} -run"
    return [
        "read_verilog -sv " + " ".join(f"rtl/{name}" for name in names),
        *apart(top),
        f"{whole} begin:coarse",
        *DSP_TOGETHER,
        f"{whole} coarse:",
        "delete t:$scopeinfo",  # no hardware, and nextpnr looks for a place for it
        "tee -q -o cells.json stat -json",
        f"write_json {NETLIST}",
    ]
