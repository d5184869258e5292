// The bridge from AXI3 and four registers behind it, joined (hls/place/cpp/desk_registers.hpp). Channels are streams, their
// signals side by side from the low bits on.
`default_nettype none
module register_block (
    input  wire        clk,
    input  wire        rst,
    input  wire [51:0] ar_data,  // ID, burst, size, len, address
    input  wire        ar_valid,
    output wire        ar_ready,
    output wire [46:0] r_data,  // ID, last, resp, data
    output wire        r_valid,
    input  wire        r_ready,
    input  wire [51:0] aw_data,
    input  wire        aw_valid,
    output wire        aw_ready,
    input  wire [35:0] w_data,  // strb, data
    input  wire        w_valid,
    output wire        w_ready,
    output wire [13:0] b_data,  // ID, resp
    output wire        b_valid,
    input  wire        b_ready,
    output reg  [3:0]  led
);
    wire [31:0] lite_ar_data, lite_aw_data;
    wire [33:0] lite_r_data;
    wire [35:0] lite_w_data;
    wire [1:0] lite_b_data;
    wire lite_ar_valid, lite_ar_ready, lite_r_valid, lite_r_ready, lite_aw_valid, lite_aw_ready;
    wire lite_w_valid, lite_w_ready, lite_b_valid, lite_b_ready;
    axi3_bridge bridge (.*);

    wire [37:0] write_data, read_data;
    wire write_valid, write_ready, read_valid, read_ready;
    desk_write_stage writes (
        .clk(clk), .rst(rst),
        .lite_aw_data(lite_aw_data), .lite_aw_valid(lite_aw_valid), .lite_aw_ready(lite_aw_ready),
        .lite_w_data(lite_w_data), .lite_w_valid(lite_w_valid), .lite_w_ready(lite_w_ready),
        .out_data(write_data), .out_valid(write_valid), .out_ready(write_ready)
    );
    desk_read_stage reads (
        .clk(clk), .rst(rst),
        .lite_ar_data(lite_ar_data), .lite_ar_valid(lite_ar_valid), .lite_ar_ready(lite_ar_ready),
        .out_data(read_data), .out_valid(read_valid), .out_ready(read_ready)
    );

    wire [39:0] events_data;
    wire events_valid, events_ready;
    hls_open_merge #(.SOURCES(2), .WIDTH(38)) merge (
        .clk(clk), .rst(rst),
        .in_data({read_data, write_data}), .in_valid({read_valid, write_valid}), .in_ready({read_ready, write_ready}),
        .out_data(events_data), .out_valid(events_valid), .out_ready(events_ready)
    );

    wire [3:0] leds_data;
    wire leds_valid;
    desk_registers_stage registers (
        .clk(clk), .rst(rst),
        .events_data(events_data), .events_valid(events_valid), .events_ready(events_ready),
        .lite_r_data(lite_r_data), .lite_r_valid(lite_r_valid), .lite_r_ready(lite_r_ready),
        .lite_b_data(lite_b_data), .lite_b_valid(lite_b_valid), .lite_b_ready(lite_b_ready),
        .leds_data(leds_data), .leds_valid(leds_valid), .leds_ready(1'b1)
    );
    always @(posedge clk) begin
        if (rst) led <= '0;
        else if (leds_valid) led <= leds_data;
    end
endmodule
`default_nettype wire
