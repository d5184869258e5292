// FIFOs of the library side by side, for fifo_queue.cpp: each has its bits of the ports.
module fifo_queue (
    input  wire        clk,
    input  wire        rst,
    input  wire [53:0] in_data,
    input  wire [2:0]  in_valid,
    output wire [53:0] out_data,
    output wire [2:0]  out_valid,
    input  wire [2:0]  out_ready,
    output wire [2:0]  room
);
    hls_open_fifo #(.WIDTH(18), .DEPTH(5), .ROOM(3)) shallow (
        .clk(clk), .rst(rst), .room(room[0]), .in_data(in_data[17:0]), .in_valid(in_valid[0]),
        .out_data(out_data[17:0]), .out_valid(out_valid[0]), .out_ready(out_ready[0]));
    hls_open_deep_fifo #(.WIDTH(18), .DEPTH(2), .ROOM(1)) least (
        .clk(clk), .rst(rst), .room(room[1]), .in_data(in_data[35:18]), .in_valid(in_valid[1]),
        .out_data(out_data[35:18]), .out_valid(out_valid[1]), .out_ready(out_ready[1]));
    hls_open_deep_fifo #(.WIDTH(18), .DEPTH(300), .ROOM(17)) deep (
        .clk(clk), .rst(rst), .room(room[2]), .in_data(in_data[53:36]), .in_valid(in_valid[2]),
        .out_data(out_data[53:36]), .out_valid(out_valid[2]), .out_ready(out_ready[2]));
endmodule
