"""A placed design under its processor: Verilog of a PS7 whose M_AXI_GP0 and S_AXI_HP0 are a bench's ports.

The primitive's ports, names and widths, are those of Yosys' library, so that the simulation and the netlist can't mean
different pins.
"""

from __future__ import annotations

import importlib.util
import pathlib
import re
from typing import TYPE_CHECKING

from hls.place.designs import design_files
from model.base.cache import digest
from model.base.paths import BUILD, make_folder

if TYPE_CHECKING:
    from hls.design.config import Config

OUT = {  # of the processor's register port: the bench drives them
    "ARVALID": 1, "ARADDR": 32, "ARLEN": 4, "ARSIZE": 2, "ARBURST": 2, "ARID": 12, "RREADY": 1,
    "AWVALID": 1, "AWADDR": 32, "AWLEN": 4, "AWSIZE": 2, "AWBURST": 2, "AWID": 12,
    "WVALID": 1, "WDATA": 32, "WSTRB": 4, "BREADY": 1,
}  # fmt: skip
IN = {
    "ARREADY": 1, "RVALID": 1, "RDATA": 32, "RRESP": 2, "RLAST": 1, "RID": 12,
    "AWREADY": 1, "WREADY": 1, "BVALID": 1, "BRESP": 2, "BID": 12,
}  # fmt: skip
MEMORY_IN = {  # of its memory port: the design drives them
    "ARVALID": 1, "ARADDR": 32, "ARLEN": 4, "ARSIZE": 2, "ARBURST": 2, "RREADY": 1,
    "AWVALID": 1, "AWADDR": 32, "AWLEN": 4, "AWSIZE": 2, "AWBURST": 2,
    "WVALID": 1, "WDATA": 64, "WSTRB": 8, "WLAST": 1, "BREADY": 1,
}  # fmt: skip
MEMORY_OUT = {
    "ARREADY": 1, "RVALID": 1, "RDATA": 64, "RRESP": 2, "RLAST": 1,
    "AWREADY": 1, "WREADY": 1, "BVALID": 1, "BRESP": 2,
}  # fmt: skip
WIDER = {"ARLEN": 8, "AWLEN": 8, "ARSIZE": 3, "AWSIZE": 3}  # of AXI4, as the bench's models want them
# Ports of `dma_top` inside, which AxiRules watches besides those of memory.
WATCHED = {
    "axis_resetn": 1, "s_axi_lite_rvalid": 1, "s_axi_lite_rready": 1, "s_axi_lite_rdata": 32,
    "s_axi_lite_bvalid": 1, "s_axi_lite_bready": 1, "m_axis_mm2s_tvalid": 1, "m_axis_mm2s_tready": 1,
    "m_axis_mm2s_tdata": 64, "m_axis_mm2s_tkeep": 8, "m_axis_mm2s_tlast": 1,
}  # fmt: skip
IDS = ("arid", "rid", "awid", "bid")  # of memory: one transfer after the other, so none


def simulated(name: str, config: Config) -> list[pathlib.Path]:
    """Return the Verilog files of a design of `hls.place.designs.DESIGNS` under its processor; the top is `bench`."""
    inside = ("dut",) if name == "register" else ("dut.design_i", "dut.design_i.memory.dma")
    text = model(name, *inside)
    path = make_folder(BUILD / "sim") / f"zynq-{name}-{digest(text)}.sv"
    if not path.is_file():
        path.write_text(text)
    return [*design_files(name, config).files, path]


def model(top: str, design: str, watched: str | None = None) -> str:
    """Return Verilog: PS7, BUFG, and `bench`, a design with clock, reset and the processor's two ports.

    Parameters
    ----------
    top : str
        Module of the design.
    design : str
        Path of what holds the processor: "dut", "dut.design_i".
    watched : str, optional
        Path of the DMA's instance, whose ports become the bench's, too.
    """
    ps7 = f"{design}.processor.ps7"
    ports, body = ["input wire aclk", "input wire aresetn", "output wire [3:0] led"], []
    inner = ["reg model_clk, model_resetn;", "assign FCLKCLK = {3'b0, model_clk};"]
    inner.append("assign FCLKRESETN = {3'b0, model_resetn};")
    body += [f"always @* {ps7}.model_clk = aclk;", f"always @* {ps7}.model_resetn = aresetn;"]
    for port, name, drives, listens in (
        ("MAXIGP0", "gp0", OUT, IN),
        ("SAXIHP0", "m_axi", MEMORY_OUT, MEMORY_IN),
    ):
        for signal, width in drives.items():
            mine = f"{name}_{signal.lower()}"
            ports.append(f"input wire [{WIDER.get(signal, width) - 1}:0] {mine}")
            inner += [f"reg [{width - 1}:0] model_{mine};", f"assign {port}{signal} = model_{mine};"]
            body.append(f"always @* {ps7}.model_{mine} = {mine}[{width - 1}:0];")
        for signal, width in listens.items():
            wide = WIDER.get(signal, width)
            ports.append(f"output wire [{wide - 1}:0] {name}_{signal.lower()}")
            body.append(f"assign {name}_{signal.lower()} = {wide}'({ps7}.{port}{signal});")
    ports += [f"{'output' if name[0] == 'a' else 'input'} wire [0:0] m_axi_{name}" for name in IDS]
    ports.append("input wire gp0_wlast")
    for name, width in WATCHED.items() if watched else ():
        ports.append(f"output wire [{width - 1}:0] {name}")
        body.append(f"assign {name} = {watched}.{name};")
    body += ["assign m_axi_arid = 1'b0;", "assign m_axi_awid = 1'b0;", f"{top} dut (.led(led));"]
    return "\n".join(
        [
            "/* verilator lint_off DECLFILENAME */",
            primitive().replace("endmodule", "\n".join(inner) + "\nendmodule"),
            "module BUFG (input wire I, output wire O);\nassign O = I;\nendmodule",
            "module bench (\n    " + ",\n    ".join(ports) + "\n);\n" + "\n".join(body) + "\nendmodule\n",
        ]
    )


def primitive() -> str:
    """Return the declaration of PS7 in Yosys' library of Xilinx' primitives."""
    folder = pathlib.Path(importlib.util.find_spec("pyosys").origin).parent
    (library,) = [path for path in folder.rglob("cells_xtra.v") if path.parent.name == "xilinx"]
    return re.search(r"^module PS7\(.*?^endmodule", library.read_text(), re.S | re.M).group(0)
