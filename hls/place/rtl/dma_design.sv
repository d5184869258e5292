// Processor, DMA, and what works on the stream: nothing (design `loop`), or the accelerator (design `srcnn`).
`default_nettype none
module dma_design #(
    parameter bit ACCELERATOR = 1'b0
) (
    output wire [3:0] led  // the lowest one counts time
);
    wire clk, rst;
    wire gp0_arvalid, gp0_arready, gp0_rvalid, gp0_rready, gp0_rlast, gp0_awvalid, gp0_awready;
    wire gp0_wvalid, gp0_wready, gp0_bvalid, gp0_bready;
    wire [31:0] gp0_araddr, gp0_rdata, gp0_awaddr, gp0_wdata;
    wire [11:0] gp0_arid, gp0_rid, gp0_awid, gp0_bid;
    wire [3:0] gp0_arlen, gp0_awlen, gp0_wstrb;
    wire [1:0] gp0_arsize, gp0_arburst, gp0_rresp, gp0_awsize, gp0_awburst, gp0_bresp;
    wire hp0_arvalid, hp0_arready, hp0_rvalid, hp0_rready, hp0_rlast, hp0_awvalid, hp0_awready;
    wire hp0_wvalid, hp0_wready, hp0_wlast, hp0_bvalid, hp0_bready;
    wire [31:0] hp0_araddr, hp0_awaddr;
    wire [3:0] hp0_arlen, hp0_awlen;
    wire [63:0] hp0_rdata, hp0_wdata;
    wire [7:0] hp0_wstrb;
    wire [1:0] hp0_rresp, hp0_bresp;
    zynq7_processor processor (.*);

    wire stream_rst;
    wire [63:0] m_axis_tdata, s_axis_tdata;
    wire [7:0] m_axis_tkeep, s_axis_tkeep;
    wire m_axis_tlast, m_axis_tvalid, m_axis_tready, s_axis_tlast, s_axis_tvalid, s_axis_tready;
    memory_block memory (
        .ar_data({gp0_arid, gp0_arburst, gp0_arsize, gp0_arlen, gp0_araddr}), .ar_valid(gp0_arvalid), .ar_ready(gp0_arready),
        .r_data({gp0_rid, gp0_rlast, gp0_rresp, gp0_rdata}), .r_valid(gp0_rvalid), .r_ready(gp0_rready),
        .aw_data({gp0_awid, gp0_awburst, gp0_awsize, gp0_awlen, gp0_awaddr}), .aw_valid(gp0_awvalid), .aw_ready(gp0_awready),
        .w_data({gp0_wstrb, gp0_wdata}), .w_valid(gp0_wvalid), .w_ready(gp0_wready),
        .b_data({gp0_bid, gp0_bresp}), .b_valid(gp0_bvalid), .b_ready(gp0_bready),
        .*
    );

    generate
        if (ACCELERATOR) begin : accelerator
            srcnn_top top (
                .clk(clk), .rst(stream_rst),
                .s_axis_tdata(m_axis_tdata), .s_axis_tkeep(m_axis_tkeep), .s_axis_tlast(m_axis_tlast),
                .s_axis_tvalid(m_axis_tvalid), .s_axis_tready(m_axis_tready),
                .m_axis_tdata(s_axis_tdata), .m_axis_tkeep(s_axis_tkeep), .m_axis_tlast(s_axis_tlast),
                .m_axis_tvalid(s_axis_tvalid), .m_axis_tready(s_axis_tready)
            );
        end else begin : loop
            assign s_axis_tdata = m_axis_tdata;
            assign s_axis_tkeep = m_axis_tkeep;
            assign s_axis_tlast = m_axis_tlast;
            assign s_axis_tvalid = m_axis_tvalid;
            assign m_axis_tready = s_axis_tready;
            wire unused = stream_rst;
        end
    endgenerate

    heartbeat #(.LEDS(1)) beat (.clk(clk), .led(led[0]));
    assign led[3:1] = '0;
endmodule
`default_nettype wire
