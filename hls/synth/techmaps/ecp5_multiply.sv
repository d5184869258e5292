// For `make timing` alone, in place of hls_open_multiply (hls/open/rtl/hls_open_arithmetic.sv): one hard multiplier with its
// registers stands for one hard multiplier with its registers.
//
// A DSP48E1 multiplies 25 x 18 bits, an ECP5's MULT18X18D 18 x 18, and Yosys uses none of its registers. Here a product gets
// one MULT18X18D with as many inputs and outputs connected and its input, pipeline and output registers in use, so that
// placement, routing and delay are those of one multiplier. What it computes is WRONG for operands of more than 18
// bits; nothing but the timing is ever taken from a netlist that holds it.
`default_nettype none
module hls_open_multiply #(
    parameter int A = 8,
    parameter int B = 8,
    parameter int P = 16
) (
    input  wire                clk,
    input  wire signed [A-1:0] a,
    input  wire signed [B-1:0] b,
    output wire signed [P-1:0] p
);
    generate
        if (A + B > 36) begin : g_refused
            $error("a MULT18X18D has 36 inputs");
        end
    endgenerate
    wire [35:0] in = 36'({b, a});
    wire [35:0] out;
    assign p = out[P-1:0];
    MULT18X18D #(
        .REG_INPUTA_CLK("CLK0"), .REG_INPUTB_CLK("CLK0"), .REG_PIPELINE_CLK("CLK0"), .REG_OUTPUT_CLK("CLK0")
    ) multiplier (
        .CLK0(clk), .CE0(1'b1), .RST0(1'b0), .SIGNEDA(1'b1), .SIGNEDB(1'b1), .SOURCEA(1'b0), .SOURCEB(1'b0),
        .A0(in[0]), .A1(in[1]), .A2(in[2]), .A3(in[3]), .A4(in[4]), .A5(in[5]), .A6(in[6]), .A7(in[7]), .A8(in[8]),
        .A9(in[9]), .A10(in[10]), .A11(in[11]), .A12(in[12]), .A13(in[13]), .A14(in[14]), .A15(in[15]), .A16(in[16]),
        .A17(in[17]),
        .B0(in[18]), .B1(in[19]), .B2(in[20]), .B3(in[21]), .B4(in[22]), .B5(in[23]), .B6(in[24]), .B7(in[25]),
        .B8(in[26]), .B9(in[27]), .B10(in[28]), .B11(in[29]), .B12(in[30]), .B13(in[31]), .B14(in[32]), .B15(in[33]),
        .B16(in[34]), .B17(in[35]),
        .P0(out[0]), .P1(out[1]), .P2(out[2]), .P3(out[3]), .P4(out[4]), .P5(out[5]), .P6(out[6]), .P7(out[7]),
        .P8(out[8]), .P9(out[9]), .P10(out[10]), .P11(out[11]), .P12(out[12]), .P13(out[13]), .P14(out[14]),
        .P15(out[15]), .P16(out[16]), .P17(out[17]), .P18(out[18]), .P19(out[19]), .P20(out[20]), .P21(out[21]),
        .P22(out[22]), .P23(out[23]), .P24(out[24]), .P25(out[25]), .P26(out[26]), .P27(out[27]), .P28(out[28]),
        .P29(out[29]), .P30(out[30]), .P31(out[31]), .P32(out[32]), .P33(out[33]), .P34(out[34]), .P35(out[35])
    );
endmodule
`default_nettype wire
