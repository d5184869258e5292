// The processor reads and writes registers in the fabric, over M_AXI_GP0; one of them is the LEDs.
`default_nettype none
module register (
    output wire [3:0] led
);
    wire clk, rst;
    wire gp0_arvalid, gp0_arready, gp0_rvalid, gp0_rready, gp0_rlast, gp0_awvalid, gp0_awready;
    wire gp0_wvalid, gp0_wready, gp0_bvalid, gp0_bready;
    wire [31:0] gp0_araddr, gp0_rdata, gp0_awaddr, gp0_wdata;
    wire [11:0] gp0_arid, gp0_rid, gp0_awid, gp0_bid;
    wire [3:0] gp0_arlen, gp0_awlen, gp0_wstrb;
    wire [1:0] gp0_arsize, gp0_arburst, gp0_rresp, gp0_awsize, gp0_awburst, gp0_bresp;
    zynq7_processor processor (
        .hp0_arvalid('0), .hp0_araddr('0), .hp0_arlen('0), .hp0_rready('0),
        .hp0_awvalid('0), .hp0_awaddr('0), .hp0_awlen('0),
        .hp0_wvalid('0), .hp0_wdata('0), .hp0_wstrb('0), .hp0_wlast('0), .hp0_bready('0),
        .hp0_arready(), .hp0_rvalid(), .hp0_rdata(), .hp0_rresp(), .hp0_rlast(), .hp0_awready(), .hp0_wready(),
        .hp0_bvalid(), .hp0_bresp(),
        .*
    );
    register_block block (
        .clk(clk), .rst(rst), .led(led),
        .ar_data({gp0_arid, gp0_arburst, gp0_arsize, gp0_arlen, gp0_araddr}), .ar_valid(gp0_arvalid), .ar_ready(gp0_arready),
        .r_data({gp0_rid, gp0_rlast, gp0_rresp, gp0_rdata}), .r_valid(gp0_rvalid), .r_ready(gp0_rready),
        .aw_data({gp0_awid, gp0_awburst, gp0_awsize, gp0_awlen, gp0_awaddr}), .aw_valid(gp0_awvalid), .aw_ready(gp0_awready),
        .w_data({gp0_wstrb, gp0_wdata}), .w_valid(gp0_wvalid), .w_ready(gp0_wready),
        .b_data({gp0_bid, gp0_bresp}), .b_valid(gp0_bvalid), .b_ready(gp0_bready)
    );
endmodule
`default_nettype wire
