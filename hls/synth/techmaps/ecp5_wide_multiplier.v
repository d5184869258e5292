// For `make timing` alone: one hard multiplier stands for one hard multiplier.
//
// A DSP48E1 multiplies 25 x 18 bits, an ECP5's MULT18X18D 18 x 18, and Yosys would build a wider product from two of
// them and an adder. Here a product with an operand of more than 18 bits becomes one 18 x 18 product of the same bits:
// as many inputs, as many outputs, the same registers around it, so that placement, routing and delay are those of one
// multiplier. What it computes is WRONG; nothing but the timing is ever taken from a netlist that holds it.
// More than 36 bits of inputs are left to Yosys, which splits them.
(* techmap_celltype = "$mul" *)
module srcnn_wide_multiplier (A, B, Y);
    parameter A_SIGNED = 0;
    parameter B_SIGNED = 0;
    parameter A_WIDTH = 1;
    parameter B_WIDTH = 1;
    parameter Y_WIDTH = 1;
    input [A_WIDTH-1:0] A;
    input [B_WIDTH-1:0] B;
    output [Y_WIDTH-1:0] Y;

    wire _TECHMAP_FAIL_ = (A_WIDTH <= 18 && B_WIDTH <= 18) || A_WIDTH + B_WIDTH > 36;
    wire [35:0] bits = {A, B};
    wire signed [17:0] low = bits[17:0];
    wire signed [17:0] high = bits[35:18];
    wire signed [35:0] product = low * high;
    assign Y = product;
endmodule
