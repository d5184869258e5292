// Simple dual-port RAM, read latency of one or two cycles. A shallow one is made of LUTs, with a register behind: a
// block RAM is 512 words deep at least. WRITE_STAGES registers in front of the write port break the way from where a word
// comes from to the many places where a RAM of LUTs lies.
`default_nettype none
module srcnn_ram #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16,
    parameter int BITS = 4,
    parameter int LATENCY = 1,
    parameter int SHALLOW = 64,    // words
    parameter int WRITE_STAGES = 0
) (
    input  wire             clk,
    input  wire [BITS-1:0]  rd_addr,
    output wire [WIDTH-1:0] rd_data,
    input  wire             wr_en,
    input  wire [BITS-1:0]  wr_addr,
    input  wire [WIDTH-1:0] wr_data
);
    reg [WIDTH-1:0] first;
    wire en [0:WRITE_STAGES];
    wire [BITS-1:0] addr [0:WRITE_STAGES];
    wire [WIDTH-1:0] data [0:WRITE_STAGES];

    assign en[0] = wr_en;
    assign addr[0] = wr_addr;
    assign data[0] = wr_data;
    generate
        for (genvar i = 0; i < WRITE_STAGES; i++) begin : g_write
            // Loaded for this RAM's words alone, so that no tool takes the registers of several RAMs for the same ones.
            reg en_r;
            reg [BITS-1:0] addr_r;
            reg [WIDTH-1:0] data_r;
            initial en_r = 1'b0;
            always @(posedge clk) begin
                en_r <= en[i];
                if (en[i]) begin
                    addr_r <= addr[i];
                    data_r <= data[i];
                end
            end
            assign en[i+1] = en_r;
            assign addr[i+1] = addr_r;
            assign data[i+1] = data_r;
        end
        if (DEPTH <= SHALLOW) begin : g_luts
            (* ram_style = "distributed" *) reg [WIDTH-1:0] mem [0:DEPTH-1];
            initial for (int i = 0; i < DEPTH; i++) mem[i] = '0;
            always @(posedge clk) begin  // not always_ff: an initial block writes to it, too
                if (en[WRITE_STAGES]) mem[addr[WRITE_STAGES]] <= data[WRITE_STAGES];
                first <= mem[rd_addr];
            end
        end else begin : g_block
            (* ram_style = "block" *) reg [WIDTH-1:0] mem [0:DEPTH-1];
            initial for (int i = 0; i < DEPTH; i++) mem[i] = '0;
            always @(posedge clk) begin
                if (en[WRITE_STAGES]) mem[addr[WRITE_STAGES]] <= data[WRITE_STAGES];
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
