"""Verilog of `srcnn_top` and of its kernels by the open route: `make rtl`.

Outputs lie in `build/rtl/<config>-<hash>/`; the hash covers kernels, configuration, compiler and the route itself, so
that an up-to-date build is found again and never overwritten.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import time
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from hls.design.load import load_config
from hls.design.options import hardware_options
from hls.generate.cpp import sources, write_sources
from model.base.cache import built, digest
from model.base.errors import UserError, report_user_errors
from model.base.paths import BUILD, ROOT
from model.base.report import table
from model.base.tools import tool_version

if TYPE_CHECKING:
    from hls.design.config import Config
    from hls.open.pipeline.timing import Timing

KERNELS = ROOT / "hls" / "kernels"
OPEN = ROOT / "hls" / "open"
TOOLS = ("ziglang", "llvmlite")
CORE = "srcnn_core"
# AXI names around the core, whose streams carry a beat as its fields lie in memory: data, keep, last from bit 0.
AXI_TOP = """\
module srcnn_top (
    input  wire        clk,
    input  wire        rst,  // for two cycles or more
    input  wire [63:0] s_axis_tdata,
    input  wire [7:0]  s_axis_tkeep,
    input  wire        s_axis_tlast,
    input  wire        s_axis_tvalid,
    output wire        s_axis_tready,
    output wire [63:0] m_axis_tdata,
    output wire [7:0]  m_axis_tkeep,
    output wire        m_axis_tlast,
    output wire        m_axis_tvalid,
    input  wire        m_axis_tready
);
    {core} core (
        .clk(clk), .rst(rst),
        .in_data({{s_axis_tlast, s_axis_tkeep, s_axis_tdata}}), .in_valid(s_axis_tvalid), .in_ready(s_axis_tready),
        .out_data({{m_axis_tlast, m_axis_tkeep, m_axis_tdata}}), .out_valid(m_axis_tvalid), .out_ready(m_axis_tready)
    );
endmodule
"""


@dataclasses.dataclass(frozen=True)
class Rtl:
    """A built design.

    Attributes
    ----------
    folder : pathlib.Path
    files : tuple of pathlib.Path
        Everything a simulator or a synthesiser needs; the last one holds `srcnn_top`.
    stages : dict
        Process name -> {kernel, depth (pipeline stages), period_ps, state_bits, streams, rams}.
    """

    folder: pathlib.Path
    files: tuple
    stages: dict


def build_rtl(config: Config, progress: bool = False) -> Rtl:
    """Return the Verilog of a configuration, building it if it is not there.

    Parameters
    ----------
    config : Config
    progress : bool
        Show a progress bar.

    Returns
    -------
    Rtl

    Raises
    ------
    UserError
        If a tool is missing, or a kernel is outside the subset of C++ that the route takes.
    """
    used = sorted(
        [
            pathlib.Path(__file__).resolve(),
            *KERNELS.glob("*.*pp"),
            *OPEN.rglob("*.py"),
            *OPEN.rglob("*.h"),
            *OPEN.rglob("*.sv"),
        ]
    )
    recipe = sources(config), timing_of(config), [tool_version(tool) for tool in TOOLS]
    folder = built(
        BUILD / "rtl" / f"{config.name}-{digest(recipe, used, ROOT)}", lambda folder: _build(config, folder, progress)
    )
    described = json.loads((folder / "rtl.json").read_text())
    return Rtl(folder, tuple(folder / name for name in described["files"]), described["stages"])


def timing_of(config: Config) -> Timing:
    """Return the `Timing` that a board's part and clock ask for."""
    from hls.open.pipeline.fabric import fabric_of
    from hls.open.pipeline.timing import Timing

    fabric = fabric_of(config.part)
    return Timing(fabric, fabric.budget(config.clock_mhz))


def _build(config, folder, progress):
    from hls.open.pipeline.netlist import top_module, write_stage
    from hls.open.pipeline.verilog import generate
    from hls.open.route import lower_source

    work, timing = folder / "ir", timing_of(config)
    include = (KERNELS, write_sources(config, folder))
    flow = config.dataflow
    kernels = {joined.process.name: f"srcnn::{joined.process.name}_kernel" for joined in flow.joined}
    beyond = {stream.name: stream.depth for stream in flow.streams}
    steps = lower_source('#include "srcnn_top.hpp"', kernels, include, work)
    stages, instances, files, described = {}, [], {}, {}
    for joined in tqdm(flow.joined, "Verilog", unit="kernel", disable=not progress, dynamic_ncols=True):
        started, process = time.monotonic(), joined.process
        step = steps[process.name]
        connection = dict(zip(step.streams, joined.streams, strict=True))
        stage = stages[process.name] = generate(step, timing)
        depths = {port: beyond[stream] for port, stream in connection.items() if stream in beyond}
        files |= dict.fromkeys(write_stage(stage, folder, depths))
        instances.append((process.name, process.name, connection))
        described[process.name] = {
            "kernel": kernels[process.name],
            "depth": stage.depth,
            "longest_ps": stage.longest_ps,
            "budget_ps": timing.budget_ps,
            "state_bits": sum(register.width for register in step.registers),
            "streams": {p.name: [p.direction, p.width] for p in step.ports if p.direction in ("in", "out")},
            "rams": {p.name: [p.depth, p.width] for p in step.ports if p.direction == "read"},
            "seconds": round(time.monotonic() - started, 2),
        }
    text = top_module(CORE, instances, {"in": "in", "out": "out"}, stages, reset_registers=True)
    text += AXI_TOP.format(core=CORE)
    (folder / "srcnn_top.sv").write_text(text)
    names = []
    for path in [*files, folder / "srcnn_top.sv"]:
        path = pathlib.Path(path)
        if path.parent != folder:  # the library of FIFOs and RAMs: a build holds all it needs
            shutil.copy(path, folder / path.name)
        names.append(path.name)
    seconds = {name: stage.pop("seconds") for name, stage in described.items()}
    shutil.rmtree(work)
    (folder / "rtl.json").write_text(json.dumps({"files": names, "stages": described}, indent=1) + "\n")
    if progress:
        print("seconds: " + ", ".join(f"{name} {value}" for name, value in seconds.items()))


@click.command()
@hardware_options
@report_user_errors
def main(network: str, upscale: int | None, board: str) -> None:
    """Build the Verilog of a network on a board, lint it, and print what it consists of."""
    from hls.open.verilator import lint

    started = time.monotonic()
    rtl = build_rtl(load_config(network, board, upscale), progress=True)
    rows = [
        {
            "stage": name,
            "kernel": s["kernel"],
            "pipeline stages": s["depth"],
            "longest path (ps, model)": s["longest_ps"],
            "budget (ps)": s["budget_ps"],
            "state bits": s["state_bits"],
            "RAM bits": sum(d * w for d, w in s["rams"].values()),
        }
        for name, s in rtl.stages.items()
    ]
    print(table(rows))
    complaints = lint(rtl.files, "srcnn_top")
    if complaints:
        raise UserError(
            f"Verilator's lint complains: {complaints.splitlines()[0]}; please report it with the configuration"
        )
    print(f"{os.path.relpath(rtl.folder)}: {len(rtl.files)} files, lint clean, {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
