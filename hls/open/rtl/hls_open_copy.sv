// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A register that stays beside others that hold the same: each drives its share of what one of them could not reach in
// time. Synthesis may not merge it with them.
`default_nettype none
module hls_open_copy #(
    parameter int WIDTH = 1
) (
    input  wire             clk,
    input  wire [WIDTH-1:0] d,
    (* keep = "true", equivalent_register_removal = "no" *) output reg [WIDTH-1:0] q
);
    generate
        if (WIDTH < 1) $error("hls_open_copy: WIDTH has to be 1 or more");
    endgenerate

    always_ff @(posedge clk) q <= d;
endmodule
`default_nettype wire
