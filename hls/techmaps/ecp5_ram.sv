// For `make timing` alone, in place of hls/open/rtl/srcnn_ram.sv: the same memories as an ECP5 has them.
//
// In one LUT of the boards' devices lie 32 or 64 words, in a LUT RAM of an ECP5 16 (TRELLIS_DPR16X4): 20 words of 136 bits
// take 16 times 34 LUTs on a Zynq's fabric, twice as many pieces and a multiplexer for each bit on the ECP5's. So RAMs of
// more than 16 words lie in its block RAMs here. A block RAM gives its data later, 4.26 ns after the clock edge.
// A read and a write of one address in one cycle are undefined: the kernels never have them where it matters, and
// nothing but the timing is ever taken from a netlist that holds this.
`default_nettype none
module srcnn_ram #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16,
    parameter int BITS = 4,
    parameter int LATENCY = 1,
    parameter int SHALLOW = 64     // words, on the boards' devices
) (
    input  wire             clk,
    input  wire [BITS-1:0]  rd_addr,
    output wire [WIDTH-1:0] rd_data,
    input  wire             wr_en,
    input  wire [BITS-1:0]  wr_addr,
    input  wire [WIDTH-1:0] wr_data
);
    localparam int LUT_WORDS = 16;
    reg [WIDTH-1:0] first;

    generate
        if (DEPTH <= LUT_WORDS && DEPTH <= SHALLOW) begin : g_luts
            (* ram_style = "distributed" *) reg [WIDTH-1:0] mem [0:DEPTH-1];
            always @(posedge clk) begin
                if (wr_en) mem[wr_addr] <= wr_data;
                first <= mem[rd_addr];
            end
        end else begin : g_block
            (* ram_style = "block", no_rw_check *) reg [WIDTH-1:0] mem [0:DEPTH-1];
            always @(posedge clk) begin
                if (wr_en) mem[wr_addr] <= wr_data;
                first <= mem[rd_addr];
            end
        end
        if (LATENCY == 1) begin : g_direct
            assign rd_data = first;
        end else begin : g_registered
            reg [WIDTH-1:0] second;
            always_ff @(posedge clk) second <= first;
            assign rd_data = second;
        end
    endgenerate
endmodule
`default_nettype wire
