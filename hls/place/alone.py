"""One stage of an accelerator by itself on the board's device, so that its clock is known in minutes.

Its inputs come from a shift register that the clock feeds, its outputs go through registers into a chain of XORs that
ends at a pin: nothing is taken away, and no path goes beyond the stage's own and one register on either side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.place.designs import RTL, DesignFiles, once
from hls.synth.yosys import stage_files
from model.base.errors import UserError
from model.base.paths import BUILD, atomic_write

if TYPE_CHECKING:
    from hls.generate.verilog import Rtl

PROCESSOR = """zynq7_processor processor (
        .clk(clk), .rst(rst),
        .gp0_arready('0), .gp0_rvalid('0), .gp0_rdata('0), .gp0_rresp('0), .gp0_rlast('0), .gp0_rid('0),
        .gp0_awready('0), .gp0_wready('0), .gp0_bvalid('0), .gp0_bresp('0), .gp0_bid('0),
        .hp0_arvalid('0), .hp0_araddr('0), .hp0_arlen('0), .hp0_rready('0),
        .hp0_awvalid('0), .hp0_awaddr('0), .hp0_awlen('0),
        .hp0_wvalid('0), .hp0_wdata('0), .hp0_wstrb('0), .hp0_wlast('0), .hp0_bready('0)
    );"""


def wrapper(stage: str, streams: dict[str, tuple[str, int]]) -> str:
    """Return the Verilog of a module `<stage>_alone` around a stage, pins `led[1:0]`.

    Parameters
    ----------
    stage : str
        Name of the process; the module inside is `<stage>_stage`.
    streams : dict
        Stream -> ("in" or "out", bits of its data), as in `Rtl.stages`.
    """
    pins, feeds, sees = [], 0, 0
    for name, (direction, bits) in streams.items():
        for part, width, reads in (
            ("data", bits, direction == "in"),
            ("valid", 1, direction == "in"),
            ("ready", 1, direction == "out"),
        ):
            at = feeds if reads else sees
            pins.append(f".{name}_{part}({'feed' if reads else 'out'}[{at + width - 1}:{at}])")
            feeds, sees = (at + width, sees) if reads else (feeds, at + width)
    joined = ",\n        ".join(pins)
    return f"""`default_nettype none
module {stage}_alone (
    output wire [1:0] led
);
    wire clk, rst;
    {PROCESSOR}
    reg [{feeds - 1}:0] feed;
    wire [{sees - 1}:0] out;
    reg [{sees - 1}:0] seen, chain;
    always @(posedge clk) begin
        feed <= {{feed[{feeds - 2}:0], !feed[{feeds - 1}]}};
        seen <= out;
        chain <= {{chain[{sees - 2}:0], 1'b0}} ^ seen;
    end
    assign led = chain[{sees - 1}:{sees - 2}];
    {stage}_stage stage (
        .clk(clk), .rst(rst),
        {joined}
    );
endmodule
`default_nettype wire
"""


def alone(rtl: Rtl, stage: str) -> DesignFiles:
    """Return the design that holds one stage.

    Parameters
    ----------
    rtl : Rtl
        A built accelerator.
    stage : str
        One of `rtl.stages`.

    Raises
    ------
    UserError
        If there is no such stage.
    """
    if stage not in rtl.stages:
        raise UserError(f"there is no stage {stage!r}; choose one of {', '.join(rtl.stages)}")
    path = BUILD / "place" / "alone" / rtl.folder.name / f"{stage}_alone.sv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(wrapper(stage, rtl.stages[stage]["streams"]))
    return DesignFiles(f"{stage}_alone", once([*stage_files(rtl, stage), RTL / "processor.sv", path]))
