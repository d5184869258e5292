"""DSPs, block RAMs, LUTs and flip-flops of a network on a board, by Yosys: `make synth`.

Each stage of `srcnn_top` (a pipeline with its RAMs and FIFOs) is synthesised by itself with `synth_xilinx`; between
stages there are only wires, so the whole top is their sum. docs/synthesis.md says what is counted and what that means.
"""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hls.design.cost import LIMITS
from hls.generate.verilog import build_rtl
from hls.open.resources import DSP48E2_REGISTERS, DSP_TOGETHER, apart, count, family, synthesis
from hls.synth.yosys import cached, run_yosys, side_by_side, stage_files
from model.base.tools import tool_version

if TYPE_CHECKING:
    from hls.design.config import Config
    from model.graph.network import Network

# Column -> what the parameter of a DSP says that is counted there: which of its registers it uses.
REGISTERS = {f"dsp_{name}_{number}": (name.upper(), number) for name in ("areg", "breg") for number in (0, 1, 2)}
REGISTERS |= {f"dsp_{name}": (name.upper(), 1) for name in ("mreg", "preg", "adreg", "dreg")}


def script(files: Sequence[str | pathlib.Path], top: str, family_name: str) -> list[str]:
    """Return the Yosys commands that synthesise a stage and write what is counted into the current folder.

    `multiplications.json` holds the cells before multiplications become DSPs, `in_luts.json` those right after: what is
    a multiplication still there will be made of LUTs.
    """

    return [
        "read_verilog -sv " + " ".join(map(str, files)),
        *apart(top),
        synthesis(top, family_name, "begin", "map_dsp"),
        "tee -q -o multiplications.json stat -json",
        synthesis(top, family_name, "map_dsp", "coarse"),
        *(DSP48E2_REGISTERS if family_name == "xcup" else ()),
        "tee -q -o in_luts.json stat -json",
        *DSP_TOGETHER,
        synthesis(top, family_name, "coarse", "check"),
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
        cells: type -> number; multiplications, multiplications_in_luts: numbers; dsp_registers: {column of `REGISTERS`:
        number of DSPs}.
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
    """DSPs by what their parameters say of registers; Yosys writes all of these parameters."""
    parameters = [cell["parameters"] for cell in cells]
    return {
        column: sum(_number(of.get(name, 0)) == number for of in parameters)
        for column, (name, number) in REGISTERS.items()
    }


def _number(value):
    """Parameters are strings of bits in Yosys' JSON."""
    return int(value, 2) if isinstance(value, str) and set(value) <= set("01") else value


def row(network: Network, stage: str, found: dict) -> dict:
    """Return the row of one stage."""
    return {
        "network": network.name,
        "upscale": network.upscale,
        "stage": stage,
        **count(found["cells"]),
        "multiplications": found["multiplications"],
        "multiplications_in_luts": found["multiplications_in_luts"],
        **found["dsp_registers"],
    }


def total_row(rows: list[dict], budget: dict[str, int]) -> dict:
    """Return the sum of all stages, with the budget of each resource beside it."""
    named = ("network", "upscale", "stage")
    total = {key: sum(r[key] for r in rows) for key in rows[0] if key not in named}
    return {
        "network": rows[0]["network"],
        "upscale": rows[0]["upscale"],
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
    rows = [row(config.network, name, found[name]) for name in rtl.stages]
    return [*rows, total_row(rows, config.budget)]
