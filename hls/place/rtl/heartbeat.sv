// Counts clock cycles on LEDs: the highest changes 1.5 times a second at 100 MHz.
`default_nettype none
module heartbeat #(
    parameter int LEDS = 4
) (
    input  wire            clk,
    output wire [LEDS-1:0] led
);
    localparam int BITS = 26;
    reg [BITS-1:0] count = '0;
    always @(posedge clk) count <= count + 1'b1;
    assign led = count[BITS-1 -: LEDS];
endmodule
`default_nettype wire
