// The processing system of a Zynq-7000 as the designs see it: one clock, a reset, registers (M_AXI_GP0), memory (S_AXI_HP0).
//
// Both ports are AXI3. What the processor does with its pins, clocks and memory is set by its boot image, not here: the
// primitive has no configuration of its own. All inputs that nobody drives are 0, as Vivado ties them: a wire that is
// left alone in the fabric is 1, and would be an interrupt or a request.
`default_nettype none
module zynq7_processor (
    output wire        clk,  // FCLK0
    output wire        rst,  // synchronous, active high: before the first load and while Linux loads a bitstream

    output wire        gp0_arvalid,
    input  wire        gp0_arready,
    output wire [31:0] gp0_araddr,
    output wire [3:0]  gp0_arlen,
    output wire [1:0]  gp0_arsize,
    output wire [1:0]  gp0_arburst,
    output wire [11:0] gp0_arid,

    input  wire        gp0_rvalid,
    output wire        gp0_rready,
    input  wire [31:0] gp0_rdata,
    input  wire [1:0]  gp0_rresp,
    input  wire        gp0_rlast,
    input  wire [11:0] gp0_rid,

    output wire        gp0_awvalid,
    input  wire        gp0_awready,
    output wire [31:0] gp0_awaddr,
    output wire [3:0]  gp0_awlen,
    output wire [1:0]  gp0_awsize,
    output wire [1:0]  gp0_awburst,
    output wire [11:0] gp0_awid,

    output wire        gp0_wvalid,
    input  wire        gp0_wready,
    output wire [31:0] gp0_wdata,
    output wire [3:0]  gp0_wstrb,

    input  wire        gp0_bvalid,
    output wire        gp0_bready,
    input  wire [1:0]  gp0_bresp,
    input  wire [11:0] gp0_bid,

    input  wire        hp0_arvalid,
    output wire        hp0_arready,
    input  wire [31:0] hp0_araddr,
    input  wire [3:0]  hp0_arlen,

    output wire        hp0_rvalid,
    input  wire        hp0_rready,
    output wire [63:0] hp0_rdata,
    output wire [1:0]  hp0_rresp,
    output wire        hp0_rlast,

    input  wire        hp0_awvalid,
    output wire        hp0_awready,
    input  wire [31:0] hp0_awaddr,
    input  wire [3:0]  hp0_awlen,

    input  wire        hp0_wvalid,
    output wire        hp0_wready,
    input  wire [63:0] hp0_wdata,
    input  wire [7:0]  hp0_wstrb,
    input  wire        hp0_wlast,

    output wire        hp0_bvalid,
    input  wire        hp0_bready,
    output wire [1:0]  hp0_bresp
);
    wire [3:0] fclk, fclk_resetn;
    BUFG clock_buffer (.I(fclk[0]), .O(clk));

    // The reset comes from another clock. Its end is sampled twice, and what has sampled it drives nothing else.
    reg [2:0] resets = '1;
    always @(posedge clk) resets <= {resets[1:0], !fclk_resetn[0]};
    assign rst = resets[2];

    PS7 ps7 (
        // clock and reset
        .FCLKCLK(fclk), .FCLKRESETN(fclk_resetn), .FPGAIDLEN(1'b1),
        // registers
        .MAXIGP0ACLK(clk),
        .MAXIGP0ARVALID(gp0_arvalid), .MAXIGP0ARREADY(gp0_arready), .MAXIGP0ARADDR(gp0_araddr),
        .MAXIGP0ARLEN(gp0_arlen), .MAXIGP0ARSIZE(gp0_arsize), .MAXIGP0ARBURST(gp0_arburst),
        .MAXIGP0ARID(gp0_arid), .MAXIGP0RVALID(gp0_rvalid), .MAXIGP0RREADY(gp0_rready),
        .MAXIGP0RDATA(gp0_rdata), .MAXIGP0RRESP(gp0_rresp), .MAXIGP0RLAST(gp0_rlast), .MAXIGP0RID(gp0_rid),
        .MAXIGP0AWVALID(gp0_awvalid), .MAXIGP0AWREADY(gp0_awready), .MAXIGP0AWADDR(gp0_awaddr),
        .MAXIGP0AWLEN(gp0_awlen), .MAXIGP0AWSIZE(gp0_awsize), .MAXIGP0AWBURST(gp0_awburst),
        .MAXIGP0AWID(gp0_awid), .MAXIGP0WVALID(gp0_wvalid), .MAXIGP0WREADY(gp0_wready),
        .MAXIGP0WDATA(gp0_wdata), .MAXIGP0WSTRB(gp0_wstrb), .MAXIGP0BVALID(gp0_bvalid),
        .MAXIGP0BREADY(gp0_bready), .MAXIGP0BRESP(gp0_bresp), .MAXIGP0BID(gp0_bid),
        // memory: bursts of 64-bit words that count up; bufferable, modifiable; one ID, so answers keep their order
        .SAXIHP0ACLK(clk),
        .SAXIHP0ARVALID(hp0_arvalid), .SAXIHP0ARREADY(hp0_arready), .SAXIHP0ARADDR(hp0_araddr),
        .SAXIHP0ARLEN(hp0_arlen), .SAXIHP0RVALID(hp0_rvalid), .SAXIHP0RREADY(hp0_rready),
        .SAXIHP0RDATA(hp0_rdata), .SAXIHP0RRESP(hp0_rresp), .SAXIHP0RLAST(hp0_rlast),
        .SAXIHP0AWVALID(hp0_awvalid), .SAXIHP0AWREADY(hp0_awready), .SAXIHP0AWADDR(hp0_awaddr),
        .SAXIHP0AWLEN(hp0_awlen), .SAXIHP0WVALID(hp0_wvalid), .SAXIHP0WREADY(hp0_wready),
        .SAXIHP0WDATA(hp0_wdata), .SAXIHP0WSTRB(hp0_wstrb), .SAXIHP0WLAST(hp0_wlast),
        .SAXIHP0BVALID(hp0_bvalid), .SAXIHP0BREADY(hp0_bready), .SAXIHP0BRESP(hp0_bresp), .SAXIHP0ARSIZE(2'd3),
        .SAXIHP0AWSIZE(2'd3), .SAXIHP0ARBURST(2'd1), .SAXIHP0AWBURST(2'd1), .SAXIHP0ARCACHE(4'b0011),
        .SAXIHP0AWCACHE(4'b0011),
        // not used
        .DMA0ACLK('0), .DMA0DAREADY('0), .DMA0DRLAST('0), .DMA0DRVALID('0), .DMA1ACLK('0), .DMA1DAREADY('0),
        .DMA1DRLAST('0), .DMA1DRVALID('0), .DMA2ACLK('0), .DMA2DAREADY('0), .DMA2DRLAST('0), .DMA2DRVALID('0),
        .DMA3ACLK('0), .DMA3DAREADY('0), .DMA3DRLAST('0), .DMA3DRVALID('0), .EMIOCAN0PHYRX('0),
        .EMIOCAN1PHYRX('0), .EMIOENET0EXTINTIN('0), .EMIOENET0GMIICOL('0), .EMIOENET0GMIICRS('0),
        .EMIOENET0GMIIRXCLK('0), .EMIOENET0GMIIRXDV('0), .EMIOENET0GMIIRXER('0), .EMIOENET0GMIITXCLK('0),
        .EMIOENET0MDIOI('0), .EMIOENET1EXTINTIN('0), .EMIOENET1GMIICOL('0), .EMIOENET1GMIICRS('0),
        .EMIOENET1GMIIRXCLK('0), .EMIOENET1GMIIRXDV('0), .EMIOENET1GMIIRXER('0), .EMIOENET1GMIITXCLK('0),
        .EMIOENET1MDIOI('0), .EMIOI2C0SCLI('0), .EMIOI2C0SDAI('0), .EMIOI2C1SCLI('0), .EMIOI2C1SDAI('0),
        .EMIOPJTAGTCK('0), .EMIOPJTAGTDI('0), .EMIOPJTAGTMS('0), .EMIOSDIO0CDN('0), .EMIOSDIO0CLKFB('0),
        .EMIOSDIO0CMDI('0), .EMIOSDIO0WP('0), .EMIOSDIO1CDN('0), .EMIOSDIO1CLKFB('0), .EMIOSDIO1CMDI('0),
        .EMIOSDIO1WP('0), .EMIOSPI0MI('0), .EMIOSPI0SCLKI('0), .EMIOSPI0SI('0), .EMIOSPI0SSIN('0),
        .EMIOSPI1MI('0), .EMIOSPI1SCLKI('0), .EMIOSPI1SI('0), .EMIOSPI1SSIN('0), .EMIOSRAMINTIN('0),
        .EMIOTRACECLK('0), .EMIOUART0CTSN('0), .EMIOUART0DCDN('0), .EMIOUART0DSRN('0), .EMIOUART0RIN('0),
        .EMIOUART0RX('0), .EMIOUART1CTSN('0), .EMIOUART1DCDN('0), .EMIOUART1DSRN('0), .EMIOUART1RIN('0),
        .EMIOUART1RX('0), .EMIOUSB0VBUSPWRFAULT('0), .EMIOUSB1VBUSPWRFAULT('0), .EMIOWDTCLKI('0),
        .EVENTEVENTI('0), .FTMDTRACEINCLOCK('0), .FTMDTRACEINVALID('0), .MAXIGP1ACLK('0), .MAXIGP1ARREADY('0),
        .MAXIGP1AWREADY('0), .MAXIGP1BVALID('0), .MAXIGP1RLAST('0), .MAXIGP1RVALID('0), .MAXIGP1WREADY('0),
        .SAXIACPACLK('0), .SAXIACPARVALID('0), .SAXIACPAWVALID('0), .SAXIACPBREADY('0), .SAXIACPRREADY('0),
        .SAXIACPWLAST('0), .SAXIACPWVALID('0), .SAXIGP0ACLK('0), .SAXIGP0ARVALID('0), .SAXIGP0AWVALID('0),
        .SAXIGP0BREADY('0), .SAXIGP0RREADY('0), .SAXIGP0WLAST('0), .SAXIGP0WVALID('0), .SAXIGP1ACLK('0),
        .SAXIGP1ARVALID('0), .SAXIGP1AWVALID('0), .SAXIGP1BREADY('0), .SAXIGP1RREADY('0), .SAXIGP1WLAST('0),
        .SAXIGP1WVALID('0), .SAXIHP0RDISSUECAP1EN('0), .SAXIHP0WRISSUECAP1EN('0), .SAXIHP1ACLK('0),
        .SAXIHP1ARVALID('0), .SAXIHP1AWVALID('0), .SAXIHP1BREADY('0), .SAXIHP1RDISSUECAP1EN('0),
        .SAXIHP1RREADY('0), .SAXIHP1WLAST('0), .SAXIHP1WRISSUECAP1EN('0), .SAXIHP1WVALID('0), .SAXIHP2ACLK('0),
        .SAXIHP2ARVALID('0), .SAXIHP2AWVALID('0), .SAXIHP2BREADY('0), .SAXIHP2RDISSUECAP1EN('0),
        .SAXIHP2RREADY('0), .SAXIHP2WLAST('0), .SAXIHP2WRISSUECAP1EN('0), .SAXIHP2WVALID('0), .SAXIHP3ACLK('0),
        .SAXIHP3ARVALID('0), .SAXIHP3AWVALID('0), .SAXIHP3BREADY('0), .SAXIHP3RDISSUECAP1EN('0),
        .SAXIHP3RREADY('0), .SAXIHP3WLAST('0), .SAXIHP3WRISSUECAP1EN('0), .SAXIHP3WVALID('0), .MAXIGP1BID('0),
        .MAXIGP1RID('0), .IRQF2P('0), .DMA0DRTYPE('0), .DMA1DRTYPE('0), .DMA2DRTYPE('0), .DMA3DRTYPE('0),
        .MAXIGP1BRESP('0), .MAXIGP1RRESP('0), .SAXIACPARBURST('0), .SAXIACPARLOCK('0), .SAXIACPARSIZE('0),
        .SAXIACPAWBURST('0), .SAXIACPAWLOCK('0), .SAXIACPAWSIZE('0), .SAXIGP0ARBURST('0), .SAXIGP0ARLOCK('0),
        .SAXIGP0ARSIZE('0), .SAXIGP0AWBURST('0), .SAXIGP0AWLOCK('0), .SAXIGP0AWSIZE('0), .SAXIGP1ARBURST('0),
        .SAXIGP1ARLOCK('0), .SAXIGP1ARSIZE('0), .SAXIGP1AWBURST('0), .SAXIGP1AWLOCK('0), .SAXIGP1AWSIZE('0),
        .SAXIHP0ARLOCK('0), .SAXIHP0AWLOCK('0), .SAXIHP1ARBURST('0), .SAXIHP1ARLOCK('0), .SAXIHP1ARSIZE('0),
        .SAXIHP1AWBURST('0), .SAXIHP1AWLOCK('0), .SAXIHP1AWSIZE('0), .SAXIHP2ARBURST('0), .SAXIHP2ARLOCK('0),
        .SAXIHP2ARSIZE('0), .SAXIHP2AWBURST('0), .SAXIHP2AWLOCK('0), .SAXIHP2AWSIZE('0), .SAXIHP3ARBURST('0),
        .SAXIHP3ARLOCK('0), .SAXIHP3ARSIZE('0), .SAXIHP3AWBURST('0), .SAXIHP3AWLOCK('0), .SAXIHP3AWSIZE('0),
        .EMIOTTC0CLKI('0), .EMIOTTC1CLKI('0), .SAXIACPARID('0), .SAXIACPARPROT('0), .SAXIACPAWID('0),
        .SAXIACPAWPROT('0), .SAXIACPWID('0), .SAXIGP0ARPROT('0), .SAXIGP0AWPROT('0), .SAXIGP1ARPROT('0),
        .SAXIGP1AWPROT('0), .SAXIHP0ARPROT('0), .SAXIHP0AWPROT('0), .SAXIHP1ARPROT('0), .SAXIHP1AWPROT('0),
        .SAXIHP2ARPROT('0), .SAXIHP2AWPROT('0), .SAXIHP3ARPROT('0), .SAXIHP3AWPROT('0), .FTMDTRACEINDATA('0),
        .FTMTF2PDEBUG('0), .MAXIGP1RDATA('0), .SAXIACPARADDR('0), .SAXIACPAWADDR('0), .SAXIGP0ARADDR('0),
        .SAXIGP0AWADDR('0), .SAXIGP0WDATA('0), .SAXIGP1ARADDR('0), .SAXIGP1AWADDR('0), .SAXIGP1WDATA('0),
        .SAXIHP1ARADDR('0), .SAXIHP1AWADDR('0), .SAXIHP2ARADDR('0), .SAXIHP2AWADDR('0), .SAXIHP3ARADDR('0),
        .SAXIHP3AWADDR('0), .DDRARB('0), .EMIOSDIO0DATAI('0), .EMIOSDIO1DATAI('0), .FCLKCLKTRIGN('0),
        .FTMDTRACEINATID('0), .FTMTF2PTRIG('0), .FTMTP2FTRIGACK('0), .SAXIACPARCACHE('0), .SAXIACPARLEN('0),
        .SAXIACPARQOS('0), .SAXIACPAWCACHE('0), .SAXIACPAWLEN('0), .SAXIACPAWQOS('0), .SAXIGP0ARCACHE('0),
        .SAXIGP0ARLEN('0), .SAXIGP0ARQOS('0), .SAXIGP0AWCACHE('0), .SAXIGP0AWLEN('0), .SAXIGP0AWQOS('0),
        .SAXIGP0WSTRB('0), .SAXIGP1ARCACHE('0), .SAXIGP1ARLEN('0), .SAXIGP1ARQOS('0), .SAXIGP1AWCACHE('0),
        .SAXIGP1AWLEN('0), .SAXIGP1AWQOS('0), .SAXIGP1WSTRB('0), .SAXIHP0ARQOS('0), .SAXIHP0AWQOS('0),
        .SAXIHP1ARCACHE('0), .SAXIHP1ARLEN('0), .SAXIHP1ARQOS('0), .SAXIHP1AWCACHE('0), .SAXIHP1AWLEN('0),
        .SAXIHP1AWQOS('0), .SAXIHP2ARCACHE('0), .SAXIHP2ARLEN('0), .SAXIHP2ARQOS('0), .SAXIHP2AWCACHE('0),
        .SAXIHP2AWLEN('0), .SAXIHP2AWQOS('0), .SAXIHP3ARCACHE('0), .SAXIHP3ARLEN('0), .SAXIHP3ARQOS('0),
        .SAXIHP3AWCACHE('0), .SAXIHP3AWLEN('0), .SAXIHP3AWQOS('0), .SAXIACPARUSER('0), .SAXIACPAWUSER('0),
        .SAXIGP0ARID('0), .SAXIGP0AWID('0), .SAXIGP0WID('0), .SAXIGP1ARID('0), .SAXIGP1AWID('0),
        .SAXIGP1WID('0), .SAXIHP0ARID('0), .SAXIHP0AWID('0), .SAXIHP0WID('0), .SAXIHP1ARID('0),
        .SAXIHP1AWID('0), .SAXIHP1WID('0), .SAXIHP2ARID('0), .SAXIHP2AWID('0), .SAXIHP2WID('0),
        .SAXIHP3ARID('0), .SAXIHP3AWID('0), .SAXIHP3WID('0), .EMIOGPIOI('0), .SAXIACPWDATA('0),
        .SAXIHP1WDATA('0), .SAXIHP2WDATA('0), .SAXIHP3WDATA('0), .EMIOENET0GMIIRXD('0), .EMIOENET1GMIIRXD('0),
        .SAXIACPWSTRB('0), .SAXIHP1WSTRB('0), .SAXIHP2WSTRB('0), .SAXIHP3WSTRB('0)
    );
endmodule
`default_nettype wire
