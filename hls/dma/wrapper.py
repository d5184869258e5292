"""`dma_top`: AXI's names around the dataflow, and the reset that a word of the stream `restart` is."""

from __future__ import annotations

TEXT = """\
// AXI's names around the DMA (docs/dma.md). What is constant on AXI's channels is here; the rest are streams.
`default_nettype none
module dma_top (
    input  wire        aclk,
    input  wire        aresetn,
    output wire        axis_resetn,
    // Registers: AXI4-Lite
    input  wire [9:0]  s_axi_lite_awaddr,
    input  wire        s_axi_lite_awvalid,
    output wire        s_axi_lite_awready,
    input  wire [31:0] s_axi_lite_wdata,
    input  wire        s_axi_lite_wvalid,
    output wire        s_axi_lite_wready,
    output wire [1:0]  s_axi_lite_bresp,
    output wire        s_axi_lite_bvalid,
    input  wire        s_axi_lite_bready,
    input  wire [9:0]  s_axi_lite_araddr,
    input  wire        s_axi_lite_arvalid,
    output wire        s_axi_lite_arready,
    output wire [31:0] s_axi_lite_rdata,
    output wire [1:0]  s_axi_lite_rresp,
    output wire        s_axi_lite_rvalid,
    input  wire        s_axi_lite_rready,
    output wire        mm2s_introut,
    output wire        s2mm_introut,
    // Memory: AXI3 and AXI4
    output wire [0:0]  m_axi_arid,
    output wire [@A:0] m_axi_araddr,
    output wire [7:0]  m_axi_arlen,
    output wire [2:0]  m_axi_arsize,
    output wire [1:0]  m_axi_arburst,
    output wire [0:0]  m_axi_arlock,
    output wire [3:0]  m_axi_arcache,
    output wire [2:0]  m_axi_arprot,
    output wire        m_axi_arvalid,
    input  wire        m_axi_arready,
    input  wire [0:0]  m_axi_rid,
    input  wire [63:0] m_axi_rdata,
    input  wire [1:0]  m_axi_rresp,
    input  wire        m_axi_rlast,
    input  wire        m_axi_rvalid,
    output wire        m_axi_rready,
    output wire [0:0]  m_axi_awid,
    output wire [@A:0] m_axi_awaddr,
    output wire [7:0]  m_axi_awlen,
    output wire [2:0]  m_axi_awsize,
    output wire [1:0]  m_axi_awburst,
    output wire [0:0]  m_axi_awlock,
    output wire [3:0]  m_axi_awcache,
    output wire [2:0]  m_axi_awprot,
    output wire        m_axi_awvalid,
    input  wire        m_axi_awready,
    output wire [63:0] m_axi_wdata,
    output wire [7:0]  m_axi_wstrb,
    output wire        m_axi_wlast,
    output wire        m_axi_wvalid,
    input  wire        m_axi_wready,
    input  wire [0:0]  m_axi_bid,
    input  wire [1:0]  m_axi_bresp,
    input  wire        m_axi_bvalid,
    output wire        m_axi_bready,
    // Streams: memory to kernel, kernel to memory
    output wire [63:0] m_axis_mm2s_tdata,
    output wire [7:0]  m_axis_mm2s_tkeep,
    output wire        m_axis_mm2s_tlast,
    output wire        m_axis_mm2s_tvalid,
    input  wire        m_axis_mm2s_tready,
    input  wire [63:0] s_axis_s2mm_tdata,
    input  wire [7:0]  s_axis_s2mm_tkeep,
    input  wire        s_axis_s2mm_tlast,
    input  wire        s_axis_s2mm_tvalid,
    output wire        s_axis_s2mm_tready
);
    wire rst = !aresetn;
    // The registers ask for it when no burst is open: all that moves data begins anew. For two cycles, since the movers
    // do so one cycle behind their reset: no word that comes right behind `axis_resetn` finds them as they were.
    wire restart;
    reg restarted;
    always @(posedge aclk) restarted <= restart;
    wire anew = rst | restart | restarted;
    // Two registers, since what is at the streams may lie far away.
    wire movers_rst;
    wire axis_rst;
    hls_open_copy movers_reset (.clk(aclk), .d(anew), .q(movers_rst));
    hls_open_copy axis_reset (.clk(aclk), .d(anew), .q(axis_rst));
    assign axis_resetn = !axis_rst;

    // No transfer is begun before both channels have reported that they are there.
    wire [@C:0] mm2s_commands_data, s2mm_commands_data;
    wire mm2s_commands_valid, mm2s_commands_ready, s2mm_commands_valid, s2mm_commands_ready;
    wire [30:0] mm2s_reports_data, s2mm_reports_data;
    wire mm2s_reports_valid, mm2s_reports_ready, s2mm_reports_valid, s2mm_reports_ready;

    wire [1:0] raised;
    wire interrupts_valid;
    reg [1:0] interrupts;
    always @(posedge aclk) interrupts <= rst ? 2'b00 : interrupts_valid ? raised : interrupts;
    assign {s2mm_introut, mm2s_introut} = interrupts;
    assign s_axi_lite_rresp = 2'b00;

    dma_registers registers (
        .clk(aclk), .rst(rst),
        .lite_aw_data(s_axi_lite_awaddr), .lite_aw_valid(s_axi_lite_awvalid), .lite_aw_ready(s_axi_lite_awready),
        .lite_w_data(s_axi_lite_wdata), .lite_w_valid(s_axi_lite_wvalid), .lite_w_ready(s_axi_lite_wready),
        .lite_b_data(s_axi_lite_bresp), .lite_b_valid(s_axi_lite_bvalid), .lite_b_ready(s_axi_lite_bready),
        .lite_ar_data(s_axi_lite_araddr), .lite_ar_valid(s_axi_lite_arvalid), .lite_ar_ready(s_axi_lite_arready),
        .lite_r_data(s_axi_lite_rdata), .lite_r_valid(s_axi_lite_rvalid), .lite_r_ready(s_axi_lite_rready),
        .mm2s_commands_data(mm2s_commands_data), .mm2s_commands_valid(mm2s_commands_valid),
        .mm2s_commands_ready(mm2s_commands_ready), .s2mm_commands_data(s2mm_commands_data),
        .s2mm_commands_valid(s2mm_commands_valid), .s2mm_commands_ready(s2mm_commands_ready),
        .mm2s_reports_data(mm2s_reports_data), .mm2s_reports_valid(mm2s_reports_valid),
        .mm2s_reports_ready(mm2s_reports_ready), .s2mm_reports_data(s2mm_reports_data),
        .s2mm_reports_valid(s2mm_reports_valid), .s2mm_reports_ready(s2mm_reports_ready),
        .restart_data(), .restart_valid(restart), .restart_ready(1'b1),
        .interrupts_data(raised), .interrupts_valid(interrupts_valid), .interrupts_ready(1'b1)
    );

    dma_movers movers (
        .clk(aclk), .rst(movers_rst),
        .mm2s_commands_data(mm2s_commands_data), .mm2s_commands_valid(mm2s_commands_valid),
        .mm2s_commands_ready(mm2s_commands_ready), .s2mm_commands_data(s2mm_commands_data),
        .s2mm_commands_valid(s2mm_commands_valid), .s2mm_commands_ready(s2mm_commands_ready),
        .mm2s_reports_data(mm2s_reports_data), .mm2s_reports_valid(mm2s_reports_valid),
        .mm2s_reports_ready(mm2s_reports_ready), .s2mm_reports_data(s2mm_reports_data),
        .s2mm_reports_valid(s2mm_reports_valid), .s2mm_reports_ready(s2mm_reports_ready),
        .ar_data({m_axi_arlen[3:0], m_axi_araddr}), .ar_valid(m_axi_arvalid), .ar_ready(m_axi_arready),
        .r_data({m_axi_rlast, m_axi_rresp, m_axi_rdata}), .r_valid(m_axi_rvalid), .r_ready(m_axi_rready),
        .aw_data({m_axi_awlen[3:0], m_axi_awaddr}), .aw_valid(m_axi_awvalid), .aw_ready(m_axi_awready),
        .w_data({m_axi_wlast, m_axi_wstrb, m_axi_wdata}), .w_valid(m_axi_wvalid), .w_ready(m_axi_wready),
        .b_data(m_axi_bresp), .b_valid(m_axi_bvalid), .b_ready(m_axi_bready),
        .mm2s_data({m_axis_mm2s_tlast, m_axis_mm2s_tkeep, m_axis_mm2s_tdata}), .mm2s_valid(m_axis_mm2s_tvalid),
        .mm2s_ready(m_axis_mm2s_tready), .s2mm_data({s_axis_s2mm_tlast, s_axis_s2mm_tkeep, s_axis_s2mm_tdata}),
        .s2mm_valid(s_axis_s2mm_tvalid), .s2mm_ready(s_axis_s2mm_tready)
    );

    // Bursts of whole beats with rising addresses, of one ID; modifiable and bufferable; unprivileged secure data.
    assign {m_axi_arlen[7:4], m_axi_awlen[7:4]} = 8'h00;
    assign {m_axi_arsize, m_axi_awsize} = {3'd3, 3'd3};
    assign {m_axi_arburst, m_axi_awburst} = {2'b01, 2'b01};
    assign {m_axi_arcache, m_axi_awcache} = {4'b0011, 4'b0011};
    assign {m_axi_arprot, m_axi_awprot} = 6'b000000;
    assign {m_axi_arlock, m_axi_awlock, m_axi_arid, m_axi_awid} = 4'b0000;
endmodule
`default_nettype wire
"""


def top_text(address_bits: int) -> str:
    """Return SystemVerilog of `dma_top` for addresses of so many bits."""
    return TEXT.replace("@A", str(address_bits - 1)).replace("@C", str(address_bits + 26))
