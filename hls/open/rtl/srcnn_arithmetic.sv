// Operations that the scheduler sees as black boxes of almost a whole period, so that a register follows each:
// products, for the DSP's own register, and the last addition in front of an accumulator.
`default_nettype none
module srcnn_multiply #(
    parameter int A = 8,
    parameter int B = 8,
    parameter int P = 16
) (
    input  wire signed [A-1:0] a,
    input  wire signed [B-1:0] b,
    output wire signed [P-1:0] p
);
    wire signed [A+B-1:0] product = a * b;
    assign p = product[P-1:0];
endmodule

module srcnn_add #(
    parameter int WIDTH = 8
) (
    input  wire [WIDTH-1:0] a,
    input  wire [WIDTH-1:0] b,
    output wire [WIDTH-1:0] sum
);
    assign sum = a + b;
endmodule
`default_nettype wire
