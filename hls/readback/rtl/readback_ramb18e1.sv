// A RAMB18E1 as UG473 describes it: 1,024 words of 16 bits and 2 of parity, two ports of 1 to 18 bits, or one that reads
// and one that writes 36. Start value: INIT is all 64 texts INIT_00 to INIT_3F, INITP all eight of parity.
module readback_ramb18e1 #(
    parameter READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0,
    parameter MODE_A = 0, MODE_B = 0,  // of a write: 0 WRITE_FIRST, 1 READ_FIRST, 2 NO_CHANGE
    parameter DOA_REG = 0, DOB_REG = 0, REGCE_FIRST_A = 0, REGCE_FIRST_B = 0,
    parameter SDP = 0,
    parameter [17:0] SRVAL_A = 0, SRVAL_B = 0, INIT_A = 0, INIT_B = 0,
    parameter [16383:0] INIT = 0,
    parameter [2047:0] INITP = 0
) (
    input wire CLKARDCLK, CLKBWRCLK, REGCLKARDRCLK, REGCLKB,
    input wire ENARDEN, ENBWREN, REGCEAREGCE, REGCEB, RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,
    input wire [13:0] ADDRARDADDR, ADDRBWRADDR,
    input wire [15:0] DIADI, DIBDI,
    input wire [1:0] DIPADIP, DIPBDIP,
    input wire [3:0] WEA,
    input wire [7:0] WEBWE,
    output wire [15:0] DOADO, DOBDO,
    output wire [1:0] DOPADOP, DOPBDOP
);
    reg [17:0] words [0:1023];  // parity above data
    initial for (integer k = 0; k < 1024; k = k + 1) words[k] = {INITP[2 * k +: 2], INIT[16 * k +: 16]};

    // Bits of a word that a port of some width sees at an address, and where.
    function automatic [17:0] mask(input integer width, input [3:0] low, input [1:0] enable);
        case (width)
            1: mask = enable[0] ? 18'd1 << low : 18'd0;
            2: mask = enable[0] ? 18'd3 << (low & 4'he) : 18'd0;
            4: mask = enable[0] ? 18'd15 << (low & 4'hc) : 18'd0;
            9: mask = !enable[0] ? 18'd0 : low[3] ? 18'h2ff00 : 18'h100ff;
            default: mask = {enable, {8{enable[1]}}, {8{enable[0]}}};
        endcase
    endfunction
    function automatic [17:0] spread(input integer width, input [15:0] data, input [1:0] parity);
        case (width)
            1: spread = {2'b0, {16{data[0]}}};
            2: spread = {2'b0, {8{data[1:0]}}};
            4: spread = {2'b0, {4{data[3:0]}}};
            9: spread = {{2{parity[0]}}, {2{data[7:0]}}};
            default: spread = {parity, data};
        endcase
    endfunction
    function automatic [17:0] pick(input integer width, input [3:0] low, input [17:0] word);
        case (width)
            1: pick = {17'b0, word[low]};
            2: pick = {16'b0, word[low & 4'he +: 2]};
            4: pick = {14'b0, word[low & 4'hc +: 4]};
            9: pick = low[3] ? {1'b0, word[17], 8'b0, word[15:8]} : {1'b0, word[16], 8'b0, word[7:0]};
            default: pick = word;
        endcase
    endfunction

    wire [9:0] row_a = ADDRARDADDR[13:4], row_b = ADDRBWRADDR[13:4];
    reg [17:0] latch_a = INIT_A, latch_b = INIT_B, out_a = INIT_A, out_b = INIT_B;

    if (SDP) begin : simple  // port A reads, port B writes; a width of 36 is two words
        wire wide_read = READ_WIDTH_A == 36, wide_write = WRITE_WIDTH_B == 36;
        wire [17:0] low_mask = wide_write ? mask(18, 0, WEBWE[1:0]) : mask(WRITE_WIDTH_B, ADDRBWRADDR[3:0], WEBWE[1:0]);
        wire [17:0] high_mask = mask(18, 0, WEBWE[3:2]);
        wire [17:0] low_data = {DIPADIP, DIADI}, high_data = {DIPBDIP, DIBDI};
        wire [17:0] narrow = spread(WRITE_WIDTH_B, DIBDI, DIPBDIP);
        always @(posedge CLKBWRCLK) if (ENBWREN) begin
            if (wide_write) begin
                for (integer k = 0; k < 18; k = k + 1) begin
                    if (low_mask[k]) words[{row_b[9:1], 1'b0}][k] <= low_data[k];
                    if (high_mask[k]) words[{row_b[9:1], 1'b1}][k] <= high_data[k];
                end
            end else
                for (integer k = 0; k < 18; k = k + 1) if (low_mask[k]) words[row_b][k] <= narrow[k];
        end
        always @(posedge CLKARDCLK) if (ENARDEN) begin
            if (RSTRAMARSTRAM) begin
                latch_a <= SRVAL_A;
                latch_b <= SRVAL_B;
            end else if (wide_read) begin
                latch_a <= words[{row_a[9:1], 1'b0}];
                latch_b <= words[{row_a[9:1], 1'b1}];
            end else latch_a <= pick(READ_WIDTH_A, ADDRARDADDR[3:0], words[row_a]);
        end
    end else begin : dual
        wire [17:0] mask_a = mask(WRITE_WIDTH_A, ADDRARDADDR[3:0], WEA[1:0]);
        wire [17:0] mask_b = mask(WRITE_WIDTH_B, ADDRBWRADDR[3:0], WEBWE[1:0]);
        wire [17:0] new_a = words[row_a] & ~mask_a | spread(WRITE_WIDTH_A, DIADI, DIPADIP) & mask_a;
        wire [17:0] new_b = words[row_b] & ~mask_b | spread(WRITE_WIDTH_B, DIBDI, DIPBDIP) & mask_b;
        always @(posedge CLKARDCLK) if (ENARDEN) begin
            for (integer k = 0; k < 18; k = k + 1) if (mask_a[k]) words[row_a][k] <= new_a[k];
            if (RSTRAMARSTRAM) latch_a <= SRVAL_A;
            else if (!(MODE_A == 2 && mask_a != 0))
                latch_a <= pick(READ_WIDTH_A, ADDRARDADDR[3:0], MODE_A == 0 ? new_a : words[row_a]);
        end
        always @(posedge CLKBWRCLK) if (ENBWREN) begin
            for (integer k = 0; k < 18; k = k + 1) if (mask_b[k]) words[row_b][k] <= new_b[k];
            if (RSTRAMB) latch_b <= SRVAL_B;
            else if (!(MODE_B == 2 && mask_b != 0))
                latch_b <= pick(READ_WIDTH_B, ADDRBWRADDR[3:0], MODE_B == 0 ? new_b : words[row_b]);
        end
    end

    if (DOA_REG) begin : register_a
        always @(posedge REGCLKARDRCLK)
            if (RSTREGARSTREG && (REGCEAREGCE || !REGCE_FIRST_A)) out_a <= SRVAL_A;
            else if (REGCEAREGCE) out_a <= latch_a;
        assign {DOPADOP, DOADO} = out_a;
    end else begin : wire_a assign {DOPADOP, DOADO} = latch_a; end
    if (SDP && DOA_REG) begin : register_both
        always @(posedge REGCLKARDRCLK)
            if (RSTREGARSTREG && (REGCEAREGCE || !REGCE_FIRST_A)) out_b <= SRVAL_B;
            else if (REGCEAREGCE) out_b <= latch_b;
        assign {DOPBDOP, DOBDO} = out_b;
    end else if (DOB_REG) begin : register_b
        always @(posedge REGCLKB)
            if (RSTREGB && (REGCEB || !REGCE_FIRST_B)) out_b <= SRVAL_B;
            else if (REGCEB) out_b <= latch_b;
        assign {DOPBDOP, DOBDO} = out_b;
    end else begin : wire_b assign {DOPBDOP, DOBDO} = latch_b; end
endmodule
