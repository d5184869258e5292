// The accelerator, srcnn_top, between the two streams of the DMA.
`default_nettype none
module srcnn (
    output wire [3:0] led
);
    dma_design #(.ACCELERATOR(1'b1)) design_i (.led(led));
endmodule
`default_nettype wire
