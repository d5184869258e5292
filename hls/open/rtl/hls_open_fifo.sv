// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// First-word-fall-through FIFO behind a stage. A stage never stalls once a step has begun, so it asks before:
// `room` is registered, from the registered count, and true while ROOM words still fit (hls/open/pipeline/netlist.py).
`default_nettype none
module hls_open_fifo #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16,
    parameter int ROOM = 4
) (
    input  wire             clk,
    input  wire             rst,
    output reg              room,
    input  wire [WIDTH-1:0] in_data,
    input  wire             in_valid,
    output wire [WIDTH-1:0] out_data,
    output reg              out_valid,   // count != 0, a register: whether a stage begins hangs on it
    input  wire             out_ready
);
    generate
        if (WIDTH < 1) $error("hls_open_fifo: WIDTH has to be 1 or more");
        if (DEPTH < 1) $error("hls_open_fifo: DEPTH has to be 1 or more");
        if (ROOM < 1 || ROOM > DEPTH) $error("hls_open_fifo: ROOM has to be 1 to DEPTH, or nothing would ever begin");
    endgenerate

    localparam int BITS = $clog2(DEPTH + 1);
    localparam int PTR = DEPTH > 1 ? $clog2(DEPTH) : 1;
    reg [WIDTH-1:0] mem [0:DEPTH-1];
    reg [PTR-1:0] head, tail;
    reg [BITS-1:0] count;
    wire take = out_valid && out_ready;

    assign out_data = mem[head];
    initial room = 1'b0;  // nothing begins before the first reset
    always @(posedge clk) begin
        if (in_valid) mem[tail] <= in_data;
        if (rst) begin
            head <= '0;
            tail <= '0;
            count <= '0;
            out_valid <= 1'b0;
            room <= 1'b0;
        end else begin
            if (in_valid) tail <= tail == PTR'(DEPTH - 1) ? '0 : tail + 1'b1;
            if (take) head <= head == PTR'(DEPTH - 1) ? '0 : head + 1'b1;
            if (in_valid != take) count <= in_valid ? count + 1'b1 : count - 1'b1;
            out_valid <= in_valid || (take ? count != 1 : out_valid);
            room <= 32'(count) + ROOM <= DEPTH;
        end
    end
`ifndef SYNTHESIS
    always @(posedge clk) if (!rst && in_valid && count == BITS'(DEPTH)) $fatal(1, "a word into a full FIFO");
`endif
endmodule
`default_nettype wire
