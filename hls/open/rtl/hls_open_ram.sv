// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Simple dual-port RAM, read latency of one cycle. A shallow one is made of LUTs, with a register behind: a block RAM is
// 512 words deep at least.
//
// A word that is read in the cycle in which it is written comes as it was before; with FORWARD as it is written.
`default_nettype none
module hls_open_ram #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16,
    parameter int BITS = 4,
    parameter int SHALLOW = 64,    // words
    parameter bit FORWARD = 0
) (
    input  wire             clk,
    input  wire [BITS-1:0]  rd_addr,
    output wire [WIDTH-1:0] rd_data,
    input  wire             wr_en,
    input  wire [BITS-1:0]  wr_addr,
    input  wire [WIDTH-1:0] wr_data
);
    reg [WIDTH-1:0] stored;  // what the memory itself gave
    generate
        if (WIDTH < 1) $error("hls_open_ram: WIDTH has to be 1 or more");
        if (BITS < 1 || BITS > 30) $error("hls_open_ram: BITS has to be 1 to 30");
        if (DEPTH < 1 || DEPTH > 1 << BITS) $error("hls_open_ram: DEPTH has to be 1 to what BITS of address reach");

        if (DEPTH <= SHALLOW) begin : g_luts
            (* ram_style = "distributed" *) reg [WIDTH-1:0] mem [0:DEPTH-1];
            initial for (int i = 0; i < DEPTH; i++) mem[i] = '0;
            always @(posedge clk) begin  // not always_ff: an initial block writes to it, too
                if (wr_en) mem[wr_addr] <= wr_data;
                stored <= mem[rd_addr];
            end
        end else begin : g_block
            (* ram_style = "block" *) reg [WIDTH-1:0] mem [0:DEPTH-1];
            initial for (int i = 0; i < DEPTH; i++) mem[i] = '0;
            always @(posedge clk) begin  // not always_ff: an initial block writes to it, too
                if (wr_en) mem[wr_addr] <= wr_data;
                stored <= mem[rd_addr];
            end
        end

        if (FORWARD) begin : g_forward
            reg hit;
            reg [WIDTH-1:0] written;
            always_ff @(posedge clk) begin
                hit <= wr_en && wr_addr == rd_addr;
                written <= wr_data;
            end
            assign rd_data = hit ? written : stored;
        end else begin : g_plain
            assign rd_data = stored;
        end
    endgenerate
endmodule
`default_nettype wire
