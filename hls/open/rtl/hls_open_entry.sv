// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A stream's way in from outside: a FIFO whose `ready` is a register. A stage takes a word in the cycle in which it sees
// that it is there; AXI allows no such path from an input to an output.
`default_nettype none
module hls_open_entry #(
    parameter int WIDTH = 8
) (
    input  wire             clk,
    input  wire             rst,
    input  wire [WIDTH-1:0] in_data,
    input  wire             in_valid,
    output wire             in_ready,
    output wire [WIDTH-1:0] out_data,
    output wire             out_valid,
    input  wire             out_ready
);
    // `room` is of the cycle before: one word may have come since, and one comes now.
    hls_open_fifo #(.WIDTH(WIDTH), .DEPTH(4), .ROOM(2)) fifo (
        .clk(clk), .rst(rst), .room(in_ready), .in_data(in_data), .in_valid(in_valid && in_ready),
        .out_data(out_data), .out_valid(out_valid), .out_ready(out_ready)
    );
endmodule
`default_nettype wire
