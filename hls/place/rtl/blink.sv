// First light: FCLK0 counts on four LEDs. The processor's ports are there, and nothing ever answers on them.
`default_nettype none
module blink (
    output wire [3:0] led
);
    wire clk;
    zynq7_processor processor (
        .clk(clk), .rst(),
        .gp0_arready('0), .gp0_rvalid('0), .gp0_rdata('0), .gp0_rresp('0), .gp0_rlast('0), .gp0_rid('0),
        .gp0_awready('0), .gp0_wready('0), .gp0_bvalid('0), .gp0_bresp('0), .gp0_bid('0),
        .hp0_arvalid('0), .hp0_araddr('0), .hp0_arlen('0), .hp0_rready('0),
        .hp0_awvalid('0), .hp0_awaddr('0), .hp0_awlen('0),
        .hp0_wvalid('0), .hp0_wdata('0), .hp0_wstrb('0), .hp0_wlast('0), .hp0_bready('0)
    );
    heartbeat #(.LEDS(4)) beat (.clk(clk), .led(led));
endmodule
`default_nettype wire
