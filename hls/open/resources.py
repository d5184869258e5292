"""What Verilog takes of an FPGA, by Yosys (the package pyosys), in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hls.open.errors import Refused

FAMILIES = {"xc7z": "xc7", "xck26": "xcup"}  # beginning of the part -> Yosys' family
# Cells -> what they take: a LUT is one LUT6, whatever it is used for. A RAMB18 is half a BRAM36.
COSTS = [
    (r"DSP48E[12]", "dsp", 1),
    (r"RAMB36E[12]", "bram36", 1),
    (r"RAMB18E[12]", "bram36", 0.5),
    (r"URAM288(_BASE)?", "uram", 1),
    (r"LUT[1-6]|INV", "lut", 1),
    (r"RAM(32M|64M|128X1D|256X1S)", "lut", 4),
    (r"RAM(32M16|64M8|256X1D)", "lut", 8),
    (r"RAM512X1S", "lut", 8),
    (r"RAM(32X1D|64X1D|128X1S|32X2S)", "lut", 2),
    (r"RAM(32X1S|64X1S)", "lut", 1),
    (r"SRL16E|SRLC16E|SRLC32E", "lut", 1),
    (r"FD[RSCP]E(_1)?|LD[CP]E", "ff", 1),
    (r"CARRY[48]|MUXF[789]", None, 0),  # part of the slices whose LUTs are counted
    (r"\$scopeinfo", None, 0),  # no hardware: where flattened modules were
]
# Yosys' xilinx_dsp moves registers, pre-adders and accumulators into the DSP48E1 only. A DSP48E2 has all of these too,
# and wider operands, so it is called a DSP48E1 for as long as that takes.
DSP48E2_REGISTERS = (
    "chtype -set DSP48E1 t:DSP48E2",
    "xilinx_dsp -family xc7",
    'setparam -set AMULTSEL "AD" t:DSP48E1 r:USE_DPORT=TRUE %i',
    "setparam -unset USE_DPORT t:DSP48E1",
    "chtype -set DSP48E2 t:DSP48E1",
)
# Yosys takes a register into a DSP only if it drives all of the operand. What it knows of the bits of an operand (two
# weights in one have a gap of zeros) it would cut out of the register before. So the multiplier stays a module of its
# own, with all of its registers, until they are in the DSP: commands in front of `begin`, and behind `map_dsp`.
MULTIPLIER, COPY = "*hls_open_multiply*", "*hls_open_copy*"
DSP_APART = (
    "hierarchy -top {top}",
    f"setattr -mod -set keep_hierarchy 1 {MULTIPLIER}",
    f"proc {COPY}",
    f"setattr -set keep 1 {COPY}/t:$dff",  # an attribute of the wire would not keep it from being merged
)
DSP_TOGETHER = (f"setattr -mod -unset keep_hierarchy {MULTIPLIER}", "flatten", "opt_clean")
# pyosys is a library; a process of its own keeps its memory and its errors apart.
RUNNER = "import sys; from pyosys import libyosys as y; y.run_pass('script ' + sys.argv[1], y.Design())"


def family(part: str) -> str:
    """Return Yosys' name for a part's family."""
    for beginning, name in FAMILIES.items():
        if part.startswith(beginning):
            return name
    raise Refused(f"synthesis knows no part {part!r}; known are those that begin with {', '.join(FAMILIES)}")


def synthesis(top: str, family_name: str, begin: str = "begin", end: str = "check") -> str:
    """Return the Yosys command for a part of the synthesis of a module, from one of its labels to another."""
    uram = " -uram" if family_name == "xcup" else ""
    return f"synth_xilinx -family {family_name} -flatten -noiopad -noclkbuf{uram} -top {top} -run {begin}:{end}"


def apart(top: str) -> list[str]:
    """Return the Yosys commands that keep the multipliers apart; behind `map_dsp` follows `DSP_TOGETHER`."""
    return [command.format(top=top) for command in DSP_APART]


def count(cells: dict[str, int]) -> dict[str, float]:
    """Return {dsp, bram36, uram, lut, ff} of a netlist's cells (type -> number).

    Raises
    ------
    Refused
        If there is a cell whose cost is not known: nothing is left out silently.
    """
    used = dict.fromkeys(("dsp", "bram36", "uram", "lut", "ff"), 0)
    for kind, number in cells.items():
        cost = next(((what, each) for pattern, what, each in COSTS if re.fullmatch(pattern, kind)), None)
        if cost is None:
            raise Refused(
                f"Yosys made {number} cells {kind}, whose size is not known; add it to COSTS in hls/open/resources.py"
            )
        if cost[0]:
            used[cost[0]] += number * cost[1]
    return used


def available() -> bool:
    """Return whether Yosys is installed."""
    return importlib.util.find_spec("pyosys") is not None


def resources(files: Sequence[Path], top: str, part: str) -> dict[str, float]:
    """Return {dsp, bram36, uram, lut, ff} of a module and all below it.

    Parameters
    ----------
    files : sequence of pathlib.Path
    top, part : str

    Raises
    ------
    Refused
        If Yosys is missing, knows no such part, or doesn't take the Verilog.
    """
    kind = family(part)
    if not available():
        raise Refused("resources need the package pyosys: pip install pyosys")
    with tempfile.TemporaryDirectory() as work:
        commands = [
            "read_verilog -sv " + " ".join(f'"{Path(f).resolve()}"' for f in files),
            *apart(top),
            synthesis(top, kind, "begin", "coarse"),
            *(DSP48E2_REGISTERS if kind == "xcup" else ()),
            *DSP_TOGETHER,
            synthesis(top, kind, "coarse", "check"),
            "tee -q -o cells.json stat -json",
        ]
        (Path(work) / "script.ys").write_text("\n".join(commands) + "\n")
        done = subprocess.run([sys.executable, "-c", RUNNER, "script.ys"], cwd=work, capture_output=True, text=True)
        cells = Path(work) / "cells.json"
        if done.returncode or not cells.is_file():
            said = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
            raise Refused(f"Yosys does not synthesise {top}: {said[0] if said else f'exit code {done.returncode}'}")
        return count(json.loads(cells.read_text())["design"]["num_cells_by_type"])
