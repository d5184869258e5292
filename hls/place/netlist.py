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
SHIFT = "SRL16E"
FLIP_FLOPS = "-cell $_DFFE_?P?P_ 01 -cell $_SDFFE_?P?P_ 01 -cell $_DLATCH_?P?_ 01"  # that the family has
FEW = 16  # flip-flops: an enable or a reset of fewer is logic
NARROW = 4  # bits: a sum or a comparison of no more is logic
MARK = "$place$end"  # of the name of a flip-flop that a shift register ends in
HOLD = "$place$hold"  # of the name of a LUT in front of a RAM's write address
WRITE_ADDRESS = {"RAM32M": ("ADDRD",), "RAM64M": ("ADDRD",)} | {
    kind: tuple(f"A{i}" for i in range(bits)) for kind, bits in (("RAM32X1D", 5), ("RAM64X1D", 6), ("RAM32X1S", 5))
}
LENGTH = ("A0", "A1", "A2", "A3")  # constant, in binary: one less than the length


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
        used = count({kind: number for kind, number in cells.items() if kind not in FRAME})
        used["ff"] += end_in_registers(folder / NETLIST)
        used["lut"] += hold_write_addresses(folder / NETLIST)
        return used

    decides = [*design.files, pathlib.Path(__file__)]  # what is done behind Yosys is here
    folder, used = cached(f"{design.name}-netlist", decides, (commands, tool_version("pyosys")), make)
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
        f"{whole} coarse:fine",
        # A carry chain has whole slices, and eight LUTs in each: short ones become logic.
        f"techmap -map +/techmap.v t:$alu r:Y_WIDTH<={NARROW} %i t:$lcu r:WIDTH<={NARROW} %i %u",
        f"{whole} fine:map_ffs",
        # Enables and resets of few flip-flops become logic: a slice has one of each, and with all of 9-1-5's
        # nextpnr-xilinx's placer does not end (docs/clock.md).
        f"dfflegalize {FLIP_FLOPS} -mince {FEW} -minsrst {FEW}",
        f"{whole} map_ffs:",
        "delete t:$scopeinfo",  # no hardware, and nextpnr looks for a place for it
        "tee -q -o cells.json stat -json",
        f"write_json {NETLIST}",
    ]


def end_in_registers(path: pathlib.Path) -> int:
    """Give each shift register of a netlist a flip-flop for its last bit; the file is written anew.

    A shift register in a LUT takes 1.5 ns from clock to output, where a flip-flop takes 0.4 (Project X-Ray's delays of
    the 7-series, -1), and nextpnr-xilinx does not know it. The bits come in the same cycles.

    Those of one bit, of a length that is not constant, or that start with anything but zeros stay as they are.

    Parameters
    ----------
    path : pathlib.Path
        As Yosys' `write_json` writes it.

    Returns
    -------
    int
        How many there are.
    """
    design, changed = json.loads(path.read_text()), 0
    for module in design["modules"].values():
        free = _free(module)
        for name, cell in list(module["cells"].items()):
            last = _last(cell)
            if last is None:
                continue
            pins = cell["connections"]
            for i, pin in enumerate(LENGTH):
                pins[pin] = [str(last - 1 >> i & 1)]
            own = f"{name}{MARK}"  # Yosys itself ends those of 17 bits in a flip-flop of a name like it
            if own in module["cells"]:
                raise ValueError(f"two cells are named {own}")
            module["cells"][own] = {
                "hide_name": 1,
                "type": "FDRE",
                "parameters": {"INIT": "0"},
                "attributes": {},
                "port_directions": {"C": "input", "CE": "input", "D": "input", "Q": "output", "R": "input"},
                "connections": {"C": pins["CLK"], "CE": pins["CE"], "D": [free], "Q": pins["Q"], "R": ["0"]},
            }
            pins["Q"] = [free]
            module["netnames"][f"{own}_d"] = {"hide_name": 1, "bits": [free], "attributes": {}}
            free, changed = free + 1, changed + 1
    path.write_text(json.dumps(design))
    return changed


def hold_write_addresses(path: pathlib.Path) -> int:
    """Put a LUT between flip-flops and the write addresses of RAMs in LUTs; the file is written anew.

    Such a pin wants its address for 0.7 ns behind the clock's edge (Project X-Ray's delays of the 7-series, -1, slow
    corner), where a flip-flop beside it has changed it. nextpnr-xilinx looks at no hold time; the LUT and the wire to
    it take as long as is missing, with some to spare.

    Parameters
    ----------
    path : pathlib.Path
        As Yosys' `write_json` writes it.

    Returns
    -------
    int
        How many LUTs: one for each bit of an address, whatever number of RAMs has it.
    """
    design, count = json.loads(path.read_text()), 0
    for module in design["modules"].values():
        cells, free, held = module["cells"], _free(module), {}
        driven = {cell["connections"]["Q"][0] for cell in cells.values() if cell["type"] in ("FDRE", "FDSE")}
        for cell in list(cells.values()):
            for pin in WRITE_ADDRESS.get(cell["type"], ()):
                for i, bit in enumerate(cell["connections"][pin]):
                    if bit in driven and bit not in held:
                        held[bit], free = free, free + 1
                        cells[f"$auto${bit}{HOLD}"] = {
                            "hide_name": 1,
                            "type": "LUT1",
                            "parameters": {"INIT": "10"},
                            "attributes": {},
                            "port_directions": {"I0": "input", "O": "output"},
                            "connections": {"I0": [bit], "O": [held[bit]]},
                        }
                        module["netnames"][f"$auto${bit}{HOLD}"] = {
                            "hide_name": 1,
                            "bits": [held[bit]],
                            "attributes": {},
                        }
                    cell["connections"][pin][i] = held.get(bit, bit)
        count += len(held)
    path.write_text(json.dumps(design))
    return count


def _free(module):
    """A number that is no bit's yet."""
    bits = [bit for cell in module["cells"].values() for pins in cell["connections"].values() for bit in pins]
    bits += [bit for net in module["netnames"].values() for bit in net["bits"]]
    return max((bit for bit in bits if isinstance(bit, int)), default=1) + 1


def _last(cell):
    """The number of a shift register's last bit, from 0; None if it is none that can be shortened."""
    if cell["type"] != SHIFT or set(cell["parameters"].get("INIT", "0")) - set("0x"):
        return None
    if cell["parameters"].get("IS_CLK_INVERTED", "0").strip("0"):
        return None
    ends = [cell["connections"][pin][0] for pin in LENGTH]
    if not set(ends) <= {"0", "1"}:
        return None
    return sum(int(bit) << i for i, bit in enumerate(ends)) or None
