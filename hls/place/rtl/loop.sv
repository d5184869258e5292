// What the DMA reads from memory it writes back.
`default_nettype none
module loop (
    output wire [3:0] led
);
    dma_design #(.ACCELERATOR(1'b0)) design_i (.led(led));
endmodule
`default_nettype wire
