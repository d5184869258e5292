// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// hls_open_fifo for many words: they lie in block RAM, whose output register holds the next one. A word is offered two
// cycles after it was put, one later than by hls_open_fifo; else the two behave alike.
`default_nettype none
module hls_open_deep_fifo #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 1024,
    parameter int ROOM = 4
) (
    input  wire             clk,
    input  wire             rst,
    output reg              room,
    input  wire [WIDTH-1:0] in_data,
    input  wire             in_valid,
    output reg  [WIDTH-1:0] out_data,
    output reg              out_valid,
    input  wire             out_ready
);
    generate
        if (WIDTH < 1) $error("hls_open_deep_fifo: WIDTH has to be 1 or more");
        if (DEPTH < 2) $error("hls_open_deep_fifo: DEPTH has to be 2 or more");
        if (ROOM < 1 || ROOM > DEPTH) $error("hls_open_deep_fifo: ROOM has to be 1 to DEPTH, or nothing would ever begin");
    endgenerate

    localparam int BITS = $clog2(DEPTH + 1);
    localparam int PTR = $clog2(DEPTH);
    (* ram_style = "block" *) reg [WIDTH-1:0] mem [0:DEPTH-1];
    reg [PTR-1:0] head, tail;  // head: of the word that is offered
    reg [BITS-1:0] count, there;  // words in all; those that the memory can give
    reg put;  // a word was put in the cycle before: from now on the memory can give it
    wire take = out_valid && out_ready;
    wire [PTR-1:0] after = head == PTR'(DEPTH - 1) ? '0 : head + 1'b1;
    wire [PTR-1:0] next = take ? after : head;

    initial room = 1'b0;  // nothing begins before the first reset
    always @(posedge clk) begin
        if (in_valid) mem[tail] <= in_data;
        out_data <= mem[next];
    end
    always @(posedge clk) begin
        if (rst) begin
            head <= '0;
            tail <= '0;
            count <= '0;
            there <= '0;
            put <= 1'b0;
            out_valid <= 1'b0;
            room <= 1'b0;
        end else begin
            put <= in_valid;
            if (in_valid) tail <= tail == PTR'(DEPTH - 1) ? '0 : tail + 1'b1;
            head <= next;
            if (put != take) there <= put ? there + 1'b1 : there - 1'b1;
            out_valid <= put || (take ? there != 1 : out_valid);
            if (in_valid != take) count <= in_valid ? count + 1'b1 : count - 1'b1;
            room <= 32'(count) + ROOM <= DEPTH;
        end
    end
`ifndef SYNTHESIS
    always @(posedge clk) if (!rst && in_valid && count == BITS'(DEPTH)) $fatal(1, "a word into a full FIFO");
`endif
endmodule
`default_nettype wire
