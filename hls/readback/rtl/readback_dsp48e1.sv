// A DSP48E1 as UG479 describes it: pre-adder, multiplier, 48-bit adder and logic, all registers, cascades.
// Left out, and stopped at: several words at once (SIMD), pattern detection, carries other than CARRYIN.
module readback_dsp48e1 #(
    parameter ACASCREG = 1, ADREG = 1, ALUMODEREG = 1, AREG = 1, BCASCREG = 1, BREG = 1, CARRYINREG = 1,
    parameter CARRYINSELREG = 1, CREG = 1, DREG = 1, INMODEREG = 1, MREG = 1, OPMODEREG = 1, PREG = 1,
    parameter A_CASCADE = 0, B_CASCADE = 0, USE_DPORT = 0,
    parameter [3:0] IS_ALUMODE_INVERTED = 0,
    parameter [4:0] IS_INMODE_INVERTED = 0,
    parameter [6:0] IS_OPMODE_INVERTED = 0,
    parameter [0:0] IS_CARRYIN_INVERTED = 0
) (
    input wire CLK,
    input wire [29:0] A, ACIN,
    input wire [17:0] B, BCIN,
    input wire [47:0] C, PCIN,
    input wire [24:0] D,
    input wire [3:0] ALUMODE,
    input wire [4:0] INMODE,
    input wire [6:0] OPMODE,
    input wire [2:0] CARRYINSEL,
    input wire CARRYIN, CEA1, CEA2, CEAD, CEALUMODE, CEB1, CEB2, CEC, CECARRYIN, CECTRL, CED, CEINMODE, CEM, CEP,
    input wire RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP,
    output wire [29:0] ACOUT,
    output wire [17:0] BCOUT,
    output wire [47:0] P, PCOUT
);
    // A register, or a wire where there is none.
    `define STAGE(WIDTH, NAME, USED, IN, CE, RST) \
        wire [WIDTH-1:0] NAME; \
        if (USED) begin : NAME``_stage \
            reg [WIDTH-1:0] held = 0; \
            always @(posedge CLK) if (RST) held <= 0; else if (CE) held <= IN; \
            assign NAME = held; \
        end else begin : NAME``_wire assign NAME = IN; end

    wire [29:0] a_in = A_CASCADE ? ACIN : A;
    wire [17:0] b_in = B_CASCADE ? BCIN : B;
    `STAGE(30, a1, AREG != 0, a_in, CEA1, RSTA)
    `STAGE(30, a2, AREG != 0, AREG == 2 ? a1 : a_in, CEA2, RSTA)
    `STAGE(18, b1, BREG != 0, b_in, CEB1, RSTB)
    `STAGE(18, b2, BREG != 0, BREG == 2 ? b1 : b_in, CEB2, RSTB)
    assign ACOUT = AREG == 2 && ACASCREG == 1 ? a1 : a2;
    assign BCOUT = BREG == 2 && BCASCREG == 1 ? b1 : b2;

    `STAGE(25, d, DREG != 0, D, CED, RSTD)
    `STAGE(48, c, CREG != 0, C, CEC, RSTC)
    `STAGE(5, inmode, INMODEREG != 0, INMODE ^ IS_INMODE_INVERTED, CEINMODE, RSTINMODE)
    `STAGE(4, alumode, ALUMODEREG != 0, ALUMODE ^ IS_ALUMODE_INVERTED, CEALUMODE, RSTALUMODE)
    `STAGE(7, opmode, OPMODEREG != 0, OPMODE ^ IS_OPMODE_INVERTED, CECTRL, RSTCTRL)
    `STAGE(3, carryinsel, CARRYINSELREG != 0, CARRYINSEL, CECTRL, RSTCTRL)
    `STAGE(1, carryin, CARRYINREG != 0, CARRYIN ^ IS_CARRYIN_INVERTED, CECARRYIN, RSTALLCARRYIN)

    // Pre-adder and multiplier.
    wire [29:0] a_chosen = inmode[0] ? a1 : a2;
    wire signed [24:0] a_gated = inmode[1] ? 25'd0 : a_chosen[24:0];
    wire signed [24:0] d_gated = inmode[2] ? d : 25'd0;
    `STAGE(25, ad, ADREG != 0, inmode[3] ? d_gated - a_gated : d_gated + a_gated, CEAD, RSTD)
    wire signed [24:0] m_left = USE_DPORT ? ad : a_gated;
    wire signed [17:0] m_right = inmode[4] ? b1 : b2;
    wire signed [42:0] product = m_left * m_right;
    `STAGE(43, m, MREG != 0, product, CEM, RSTM)
    wire [47:0] m_wide = {{5{m[42]}}, m};

    // Adder and logic. Both X and Y select the product together: its two halves, in the device.
    reg [47:0] x, y, z, result;
    always @* begin
        case (opmode[1:0])
            2'b00: x = 0;
            2'b01: x = m_wide;
            2'b10: x = P;
            2'b11: x = {a2, b2};
        endcase
        case (opmode[3:2])
            2'b00: y = 0;
            2'b01: y = 0;
            2'b10: y = {48{1'b1}};
            2'b11: y = c;
        endcase
        case (opmode[6:4])
            3'b000: z = 0;
            3'b001: z = PCIN;
            3'b010: z = P;
            3'b011: z = c;
            3'b100: z = P;
            3'b101: z = {{17{PCIN[47]}}, PCIN[47:17]};
            3'b110: z = {{17{P[47]}}, P[47:17]};
            3'b111: z = 0;
        endcase
        case (alumode)
            4'b0000: result = z + x + y + 48'(carryin);
            4'b0001: result = ~z + x + y + 48'(carryin);
            4'b0010: result = ~(z + x + y + 48'(carryin));
            4'b0011: result = z - (x + y + 48'(carryin));
            4'b0100, 4'b0111: result = opmode[3] ? ~(x ^ z) : x ^ z;
            4'b0101, 4'b0110: result = opmode[3] ? x ^ z : ~(x ^ z);
            4'b1100: result = opmode[3] ? x | z : x & z;
            4'b1101: result = opmode[3] ? x | ~z : x & ~z;
            4'b1110: result = opmode[3] ? ~(x | z) : ~(x & z);
            4'b1111: result = opmode[3] ? ~x & z : ~x | z;
            default: result = 0;
        endcase
    end
    `STAGE(48, p, PREG != 0, result, CEP, RSTP)
    assign P = p;
    assign PCOUT = p;
    `undef STAGE

    always @(posedge CLK) begin
        if (carryinsel != 0) $fatal(1, "a DSP48E1 takes its carry from CARRYINSEL %0d, which is not modelled", carryinsel);
        if ((opmode[1:0] == 1) != (opmode[3:2] == 1)) $fatal(1, "a DSP48E1 takes half a product: OPMODE %b", opmode);
        if (opmode[6:4] == 4 || opmode[6:4] == 7) $fatal(1, "a DSP48E1 has OPMODE %b, which is not modelled", opmode);
    end
endmodule
