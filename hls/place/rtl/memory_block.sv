// The bridge from AXI3 and the DMA behind it, joined; what comes out of memory and what goes back are streams.
`default_nettype none
module memory_block (
    input  wire        clk,
    input  wire        rst,
    output wire        stream_rst,  // of what is between the streams: also by the DMA's soft reset

    input  wire [51:0] ar_data,  // ID, burst, size, len, address
    input  wire        ar_valid,
    output wire        ar_ready,
    output wire [46:0] r_data,  // ID, last, resp, data
    output wire        r_valid,
    input  wire        r_ready,
    input  wire [51:0] aw_data,
    input  wire        aw_valid,
    output wire        aw_ready,
    input  wire [35:0] w_data,  // strb, data
    input  wire        w_valid,
    output wire        w_ready,
    output wire [13:0] b_data,  // ID, resp
    output wire        b_valid,
    input  wire        b_ready,

    output wire        hp0_arvalid,
    input  wire        hp0_arready,
    output wire [31:0] hp0_araddr,
    output wire [3:0]  hp0_arlen,
    input  wire        hp0_rvalid,
    output wire        hp0_rready,
    input  wire [63:0] hp0_rdata,
    input  wire [1:0]  hp0_rresp,
    input  wire        hp0_rlast,
    output wire        hp0_awvalid,
    input  wire        hp0_awready,
    output wire [31:0] hp0_awaddr,
    output wire [3:0]  hp0_awlen,
    output wire        hp0_wvalid,
    input  wire        hp0_wready,
    output wire [63:0] hp0_wdata,
    output wire [7:0]  hp0_wstrb,
    output wire        hp0_wlast,
    input  wire        hp0_bvalid,
    output wire        hp0_bready,
    input  wire [1:0]  hp0_bresp,

    output wire [63:0] m_axis_tdata,  // from memory
    output wire [7:0]  m_axis_tkeep,
    output wire        m_axis_tlast,
    output wire        m_axis_tvalid,
    input  wire        m_axis_tready,
    input  wire [63:0] s_axis_tdata,  // to memory
    input  wire [7:0]  s_axis_tkeep,
    input  wire        s_axis_tlast,
    input  wire        s_axis_tvalid,
    output wire        s_axis_tready
);
    wire [31:0] lite_ar_data, lite_aw_data;
    wire [33:0] lite_r_data;
    wire [35:0] lite_w_data;
    wire [1:0] lite_b_data;
    wire lite_ar_valid, lite_ar_ready, lite_r_valid, lite_r_ready, lite_aw_valid, lite_aw_ready;
    wire lite_w_valid, lite_w_ready, lite_b_valid, lite_b_ready;
    axi3_bridge bridge (.*);

    wire stream_resetn;
    assign stream_rst = !stream_resetn;
    wire [7:0] arlen, awlen;
    assign hp0_arlen = arlen[3:0];
    assign hp0_awlen = awlen[3:0];
    dma_top dma (
        .aclk(clk), .aresetn(!rst), .axis_resetn(stream_resetn),
        .s_axi_lite_awaddr(lite_aw_data[9:0]), .s_axi_lite_awvalid(lite_aw_valid), .s_axi_lite_awready(lite_aw_ready),
        .s_axi_lite_wdata(lite_w_data[31:0]), .s_axi_lite_wvalid(lite_w_valid), .s_axi_lite_wready(lite_w_ready),
        .s_axi_lite_bresp(lite_b_data), .s_axi_lite_bvalid(lite_b_valid), .s_axi_lite_bready(lite_b_ready),
        .s_axi_lite_araddr(lite_ar_data[9:0]), .s_axi_lite_arvalid(lite_ar_valid), .s_axi_lite_arready(lite_ar_ready),
        .s_axi_lite_rdata(lite_r_data[31:0]), .s_axi_lite_rresp(lite_r_data[33:32]),
        .s_axi_lite_rvalid(lite_r_valid), .s_axi_lite_rready(lite_r_ready),
        .mm2s_introut(), .s2mm_introut(),
        .m_axi_arid(), .m_axi_araddr(hp0_araddr), .m_axi_arlen(arlen), .m_axi_arsize(), .m_axi_arburst(),
        .m_axi_arlock(), .m_axi_arcache(), .m_axi_arprot(), .m_axi_arvalid(hp0_arvalid), .m_axi_arready(hp0_arready),
        .m_axi_rid(1'b0), .m_axi_rdata(hp0_rdata), .m_axi_rresp(hp0_rresp), .m_axi_rlast(hp0_rlast),
        .m_axi_rvalid(hp0_rvalid), .m_axi_rready(hp0_rready),
        .m_axi_awid(), .m_axi_awaddr(hp0_awaddr), .m_axi_awlen(awlen), .m_axi_awsize(), .m_axi_awburst(),
        .m_axi_awlock(), .m_axi_awcache(), .m_axi_awprot(), .m_axi_awvalid(hp0_awvalid), .m_axi_awready(hp0_awready),
        .m_axi_wdata(hp0_wdata), .m_axi_wstrb(hp0_wstrb), .m_axi_wlast(hp0_wlast),
        .m_axi_wvalid(hp0_wvalid), .m_axi_wready(hp0_wready),
        .m_axi_bid(1'b0), .m_axi_bresp(hp0_bresp), .m_axi_bvalid(hp0_bvalid), .m_axi_bready(hp0_bready),
        .m_axis_mm2s_tdata(m_axis_tdata), .m_axis_mm2s_tkeep(m_axis_tkeep), .m_axis_mm2s_tlast(m_axis_tlast),
        .m_axis_mm2s_tvalid(m_axis_tvalid), .m_axis_mm2s_tready(m_axis_tready),
        .s_axis_s2mm_tdata(s_axis_tdata), .s_axis_s2mm_tkeep(s_axis_tkeep), .s_axis_s2mm_tlast(s_axis_tlast),
        .s_axis_s2mm_tvalid(s_axis_tvalid), .s_axis_s2mm_tready(s_axis_tready)
    );
endmodule
`default_nettype wire
