"""DSPs, block RAMs, LUTs and flip-flops of a network on a board, by Yosys: `make synth`.

Each stage of `srcnn_top` (a pipeline with its RAMs and FIFOs) is synthesised by itself with `synth_xilinx`; between
stages there are only wires, so the whole top is their sum. docs/synthesis.md says what is counted and what that means.
"""

from __future__ import annotations

import functools
import json
import pathlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hls.design.cost import LIMITS
from hls.generate.verilog import build_rtl
from hls.synth.yosys import cached, run_yosys, side_by_side, stage_files
from model.base.errors import UserError
from model.base.tools import tool_version

if TYPE_CHECKING:
    from hls.design.config import Config

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
REGISTERS = {"input": ("AREG", "BREG", "ADREG", "DREG"), "product": ("MREG",), "output": ("PREG",)}


def family(part: str) -> str:
    """Return Yosys' name for a part's family."""
    for beginning, name in FAMILIES.items():
        if part.startswith(beginning):
            return name
    raise UserError(f"synthesis knows no part {part!r}; known are those that begin with {', '.join(FAMILIES)}")


def script(files: Sequence[str | pathlib.Path], top: str, family_name: str) -> list[str]:
    """Return the Yosys commands that synthesise a stage and write what is counted into the current folder.

    `multiplications.json` holds the cells before multiplications become DSPs, `in_luts.json` those right after: what is
    a multiplication still there will be made of LUTs.
    """

    def steps(begin, end):
        uram = " -uram" if family_name == "xcup" else ""
        return f"synth_xilinx -family {family_name} -flatten -noiopad -noclkbuf{uram} -top {top} -run {begin}:{end}"

    return [
        "read_verilog -sv " + " ".join(map(str, files)),
        steps("begin", "map_dsp"),
        "tee -q -o multiplications.json stat -json",
        steps("map_dsp", "coarse"),
        *(DSP48E2_REGISTERS if family_name == "xcup" else ()),
        "tee -q -o in_luts.json stat -json",
        steps("coarse", "check"),
        "tee -q -o cells.json stat -json",
        "select t:DSP48E*",
        "write_json -selected dsps.json",
    ]


def synthesise(files: Sequence[pathlib.Path], top: str, family_name: str) -> dict:
    """Synthesise one module, or find the result of the same files.

    Parameters
    ----------
    files : sequence of path-like
    top : str
        Module; all below it is flattened into it.
    family_name : str
        "xc7" or "xcup".

    Returns
    -------
    dict
        cells: type -> number; multiplications, multiplications_in_luts: numbers; dsp_registers: "input", "product",
        "output", "none" -> number of DSPs that use such a register.
    """

    def make(folder):
        run_yosys(script(files, top, family_name), folder, f"Yosys does not synthesise {top}")
        dsps = json.loads((folder / "dsps.json").read_text())["modules"]
        (folder / "dsps.json").unlink()
        return {
            "cells": _cells(folder / "cells.json"),
            "multiplications": _cells(folder / "multiplications.json").get("$mul", 0),
            "multiplications_in_luts": _cells(folder / "in_luts.json").get("$mul", 0),
            "dsp_registers": _registers(cell for module in dsps.values() for cell in module["cells"].values()),
        }

    recipe = (script([path.name for path in files], top, family_name), tool_version("pyosys"))
    return cached(f"{top}-{family_name}", files, recipe, make)[1]


def _cells(path):
    return json.loads(path.read_text())["design"]["num_cells_by_type"]


def _registers(cells):
    counts = dict.fromkeys([*REGISTERS, "none"], 0)
    for cell in cells:
        used = [
            kind for kind, names in REGISTERS.items() if any(_number(cell["parameters"].get(name, 0)) for name in names)
        ]
        for kind in used or ["none"]:
            counts[kind] += 1
    return counts


def _number(value):
    """Parameters are strings of bits in Yosys' JSON."""
    return int(value, 2) if isinstance(value, str) and set(value) <= set("01") else value


def count(cells: dict[str, int]) -> dict[str, float]:
    """Return {dsp, bram36, uram, lut, ff} of a netlist's cells (type -> number).

    Raises
    ------
    UserError
        If there is a cell whose cost is not known: nothing is left out silently.
    """
    used = dict.fromkeys(LIMITS, 0)
    for kind, number in cells.items():
        cost = next(((what, each) for pattern, what, each in COSTS if re.fullmatch(pattern, kind)), None)
        if cost is None:
            raise UserError(
                f"Yosys made {number} cells {kind}, whose size this report does not know; add it to COSTS in "
                f"hls/synth/resources.py"
            )
        if cost[0]:
            used[cost[0]] += number * cost[1]
    return used


def row(network: str, stage: str, found: dict) -> dict:
    """Return the row of one stage."""
    return {
        "network": network,
        "stage": stage,
        **count(found["cells"]),
        "multiplications": found["multiplications"],
        "multiplications_in_luts": found["multiplications_in_luts"],
        **{
            f"dsp_{kind}_reg" if kind != "none" else "dsp_no_reg": number
            for kind, number in found["dsp_registers"].items()
        },
    }


def total_row(rows: list[dict], budget: dict[str, int]) -> dict:
    """Return the sum of all stages, with the budget of each resource beside it."""
    total = {key: sum(r[key] for r in rows) for key in rows[0] if key not in ("network", "stage")}
    return {
        "network": rows[0]["network"],
        "stage": "total",
        **total,
        **{f"{what}_budget": budget[what] for what in LIMITS},
    }


def complaints(rows: list[dict]) -> list[str]:
    """Return what makes a design unfit, one phrase each: multiplications in LUTs, resources over their limit, the
    remedy.
    """
    found = [
        f"{r['multiplications_in_luts']} of the {r['multiplications']} multiplications of {r['stage']} are in LUTs; "
        f"each has to be in a DSP"
        for r in rows[:-1]
        if r["multiplications_in_luts"]
    ]
    total, over = rows[-1], []
    for what, share in LIMITS.items():
        budget, used = total[f"{what}_budget"], total[what]
        if used > budget * share:
            over.append(
                f"{used:,.10g} of {budget:,} {what.upper()} are used, {round(budget * share, 2):,.10g} may be "
                f"({share:.0%})"
            )
    return found + over + ["choose a smaller folding or tile width"] * bool(over)


def synth_rows(config: Config, jobs: int | None = None, progress: bool = False) -> list[dict]:
    """Return the rows of `synth_<board>.json`: every stage, then their sum.

    Parameters
    ----------
    config : Config
    jobs : int, optional
        Stages at once.
    progress : bool
    """
    rtl = build_rtl(config, progress)
    kind = family(config.part)
    # The longest first; the state is a fair measure of a stage's size.
    names = sorted(rtl.stages, key=lambda name: -rtl.stages[name]["state_bits"])
    tasks = {name: functools.partial(synthesise, stage_files(rtl, name), f"{name}_stage", kind) for name in names}
    found = side_by_side(tasks, "Yosys", jobs, progress)
    rows = [row(config.network.name, name, found[name]) for name in rtl.stages]
    return [*rows, total_row(rows, config.budget)]
