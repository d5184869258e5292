// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A signed multiplier with the registers of a DSP slice: at its inputs, behind the product, and at its output.
// Synthesis moves all of them into the slice.
`default_nettype none
module hls_open_multiply #(
    parameter int A = 8,
    parameter int B = 8,
    parameter int P = 16
) (
    input  wire                clk,
    input  wire signed [A-1:0] a,
    input  wire signed [B-1:0] b,
    output reg  signed [P-1:0] p    // three cycles later
);
    generate
        if (A < 1 || B < 1) $error("hls_open_multiply: A and B have to be 1 or more");
        if (P < 1 || P > A + B) $error("hls_open_multiply: P has to be 1 to A + B");
    endgenerate

    reg signed [A-1:0] a_in;
    reg signed [B-1:0] b_in;
    reg signed [A+B-1:0] product;
    always_ff @(posedge clk) begin
        a_in <= a;
        b_in <= b;
        product <= a_in * b_in;
        p <= product[P-1:0];
    end
endmodule
`default_nettype wire
