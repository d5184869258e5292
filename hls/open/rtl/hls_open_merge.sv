// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Words of several streams become one stream, in the order in which they arrive (hls/open/lib/merge.h). Fair: the stream
// behind the one that was served last is asked first, so a word waits for one word of each other stream at most.
`default_nettype none
module hls_open_merge #(
    parameter int SOURCES = 2,
    parameter int WIDTH = 8
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire [SOURCES*WIDTH-1:0] in_data,
    input  wire [SOURCES-1:0]       in_valid,
    output wire [SOURCES-1:0]       in_ready,
    output reg  [WIDTH+1:0]         out_data,   // the number of the source above its word
    output reg                      out_valid,
    input  wire                     out_ready
);
    generate
        if (SOURCES < 2 || SOURCES > 4) $error("hls_open_merge: SOURCES has to be 2 to 4");
        if (WIDTH < 1) $error("hls_open_merge: WIDTH has to be 1 or more");
    endgenerate

    reg [SOURCES-1:0] behind;  // the sources behind the one that was served last
    wire [SOURCES-1:0] first = in_valid & behind;
    wire [SOURCES-1:0] asked = |first ? first : in_valid;
    reg [SOURCES-1:0] chosen, after;  // the lowest of them, and those behind it: LUTs, where an adder would be a carry chain
    wire load = !out_valid || out_ready;
    reg [WIDTH+1:0] word;

    assign in_ready = load ? chosen : '0;
    always @* begin
        chosen[0] = asked[0];
        after[0] = 1'b0;
        for (int i = 1; i < SOURCES; i++) begin
            after[i] = after[i-1] | asked[i-1];
            chosen[i] = asked[i] & !after[i];
        end
        word = '0;
        for (int i = 0; i < SOURCES; i++) if (chosen[i]) word = word | {2'(i), in_data[i*WIDTH +: WIDTH]};
    end
    initial out_valid = 1'b0;
    always @(posedge clk) begin
        if (rst) begin
            out_valid <= 1'b0;
            behind <= '0;
        end else if (load) begin
            out_valid <= |in_valid;
            if (|in_valid) behind <= after;
        end
        if (load) out_data <= word;
    end
endmodule
`default_nettype wire
