"""Kernels with RAMs and what they have to send, for test_ram.py: built together, simulated in one design."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hls.open.pipeline.netlist import write_stage
from hls.open.pipeline.schedule import schedule
from hls.open.pipeline.timing import Schedule, Timing
from hls.open.pipeline.verilog import Stage, generate

MASK = 0xFFFF
RNG = random.Random(5)
# Addresses come from the low bits: often the one of one, two or three steps ago.
VALUES = [RNG.getrandbits(16) for _ in range(4)]
while len(VALUES) < 250:
    VALUES.append(RNG.getrandbits(16) & ~0x3FF | RNG.choice([RNG.getrandbits(10), VALUES[-RNG.randint(1, 3)] & 0x3FF]))
HEAD = "#include <ap_int.h>\n#include <hls_stream.h>\n#include <ram.h>\nusing hls_open::ram;\n"
KERNEL = """
struct Kernel_{name} {{
    {members}
    void step(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<17>>& out) {{
        const ap_uint<16> value = in.read();
        {body}
    }}
}};
"""
RANDOM = ("gaps", "stalls", "both")
BENCH = """
module bench_{name} #(parameter int SPACE = 1, parameter int GAPS = 0, parameter int STALLS = 0) (
    input wire clk, input wire rst, input wire on
);
    reg [31:0] random = 32'd{seed} + SPACE + 8 * GAPS + 16 * STALLS;
    integer at = 0, wait_for = 0;
    reg take = 1;
    wire offer = on && !rst && at < {count} && wait_for == 0;
    wire ready, valid;
    wire [16:0] data;
    {name}_stage dut (.clk(clk), .rst(rst), .in_data(values[at]), .in_valid(offer), .in_ready(ready),
                      .out_data(data), .out_valid(valid), .out_ready(take));
    reg [15:0] values [0:{count}-1];
    initial $readmemh("values.hex", values);
    always_ff @(posedge clk) begin
        random <= {{random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]}};
        if (offer && ready) at <= at + 1;
        wait_for <= offer && ready ? (GAPS == 1 ? 32'(random[4:3]) & 32'(random[9:8]) : SPACE - 1)
                    : wait_for > 0 ? wait_for - 1 : 0;
        take <= STALLS == 0 || (random[7] & random[12]);
        if (!rst && valid && take) $display("{name} %0d%0d%0d %h", SPACE, GAPS, STALLS, data);
    end
endmodule
"""
# Two resets on the way: after each the words of the RAM are still there, the registers are not.
RESETS = """
module bench_{name} #(parameter int SPACE = 1, parameter int GAPS = 0, parameter int STALLS = 0) (
    input wire clk, input wire rst, input wire on
);
    integer cycle = 0;
    wire again = cycle == 60 || (cycle >= 120 && cycle < 123);
    wire ready, valid;
    wire [16:0] data;
    reg [3:0] left = 0;
    {name}_stage dut (.clk(clk), .rst(rst || again), .in_data(16'd100), .in_valid(on && !again && left != 0),
                      .in_ready(ready), .out_data(data), .out_valid(valid), .out_ready(1'b1));
    always_ff @(posedge clk) if (!rst) begin
        cycle <= cycle + 1;
        left <= cycle % 60 == 5 && cycle < 180 ? 4'd9 : left - 4'(ready && left != 0);
        if (valid && !again) $display("{name} 100 %h", data);
    end
endmodule
"""


@dataclass
class Case:
    """A kernel: its members and the body of its step, and a model of a step that yields what it sends.

    Attributes
    ----------
    model : callable
        values -> iterator of what is sent, one per value.
    traffic : tuple
        (SPACE, GAPS, STALLS) of the benches: cycles from one step to the next; random gaps; random stalls.
    broken : str
        What the simulation has to stop with, a pattern: it runs alone.
    """

    name: str
    members: str
    body: str
    model: Callable
    traffic: tuple = ((1, 0, 0), (1, 1, 0), (1, 0, 1), (1, 1, 1))
    timing: Timing = Timing()
    broken: str = ""
    bench: str = BENCH
    before: str = ""  # what stands in front of the kernel
    stage: Stage | None = field(default=None, repr=False)

    @property
    def source(self) -> str:
        return self.before + KERNEL.format(name=self.name, members=self.members, body=self.body)

    @property
    def plan(self) -> Schedule:
        return schedule(self.stage.step, self.timing)


def simulate(cases: list[Case], folder: Path) -> Iterator[tuple[Case, dict[str, list[int]], str]]:
    """Build all kernels into one simulator; yield each with {traffic: words that came out} and how its run failed."""
    from hls.open.route import lower_source
    from hls.open.verilator import run_bench

    steps = lower_source(
        HEAD + "".join(c.source for c in cases), {c.name: f"Kernel_{c.name}" for c in cases}, directory=folder
    )
    files, top = [], ["module bench (input wire clk, input wire rst);", "    integer which;"]
    top.append('    initial if (!$value$plusargs("case=%d", which)) which = -1;')
    (folder / "values.hex").write_text("\n".join(f"{v:x}" for v in VALUES))
    for number, case in enumerate(cases):
        case.stage = generate(steps[case.name], case.timing)
        files += write_stage(case.stage, folder)
        bench = folder / f"bench_{case.name}.sv"
        bench.write_text(case.bench.format(name=case.name, seed=number + 1, count=len(VALUES)))
        files.append(bench)
        for space, gaps, stalls in case.traffic:
            top.append(
                f"    bench_{case.name} #(.SPACE({space}), .GAPS({gaps}), .STALLS({stalls})) "
                f"{case.name}_{space}_{gaps}_{stalls} (.clk(clk), .rst(rst), "
                f".on(which == {number}{'' if case.broken else ' || which == -1'}));"
            )
    (folder / "bench.sv").write_text("\n".join([*top, "endmodule\n"]))
    printed = run_bench([*dict.fromkeys(files), folder / "bench.sv"], "bench", folder, 4000)
    for number, case in enumerate(cases):
        said = ""
        if case.broken:
            command = [str(folder / "obj" / "Vbench"), f"+case={number}", "+verilator+rand+reset+2"]
            run = subprocess.run(command, capture_output=True, text=True, cwd=folder)
            said = run.stdout + run.stderr
            assert (run.returncode != 0) == ("%Fatal" in said), said[-2000:]
            printed_here = run.stdout
        else:
            printed_here = printed
        words = {f"{s}{g}{t}": [] for s, g, t in case.traffic}
        for line in printed_here.splitlines():
            fields = line.split()
            if len(fields) == 3 and fields[0] == case.name:
                words[fields[1]].append(int(fields[2], 16))
        yield case, words, said
