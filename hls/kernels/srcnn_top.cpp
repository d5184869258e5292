// The top function as Vitis HLS and the open route see it: one process per stage, joined by FIFOs.
#include "srcnn_top.hpp"

using namespace srcnn;

#ifdef __SYNTHESIS__

static void parser(hls::stream<beat_t>& in, hls::stream<act_t>& pixels, hls::stream<ctrl_t>& ctrl0,
                   hls::stream<ctrl_t>& ctrl1, hls::stream<ctrl_t>& ctrl2, hls::stream<ctrl_t>& ctrl3,
                   hls::stream<answer_t>& answers) {
    srcnn_parser stage;
    run(stage, in, pixels, ctrl0, ctrl1, ctrl2, ctrl3, answers);
}
static void conv1(hls::stream<ctrl_t>& ctrl, hls::stream<conv1_stage::in_t>& in, hls::stream<conv1_stage::out_t>& out) {
    conv1_stage stage;
    run(stage, ctrl, in, out);
}
static void conv2(hls::stream<ctrl_t>& ctrl, hls::stream<conv2_stage::in_t>& in, hls::stream<conv2_stage::out_t>& out) {
    conv2_stage stage;
    run(stage, ctrl, in, out);
}
static void conv3(hls::stream<ctrl_t>& ctrl, hls::stream<conv3_stage::in_t>& in, hls::stream<conv3_stage::out_t>& out) {
    conv3_stage stage;
    run(stage, ctrl, in, out);
}
static void conv3_sum(hls::stream<ctrl_t>& ctrl, hls::stream<conv3_sum_stage::in_t>& in,
                      hls::stream<conv3_sum_stage::out_t>& out) {
    conv3_sum_stage stage;
    run(stage, ctrl, in, out);
}
static void packer(hls::stream<answer_t>& answers, hls::stream<act_t>& in, hls::stream<beat_t>& out) {
    packer_stage stage;
    run(stage, answers, in, out);
}

void srcnn_top(hls::stream<beat_t>& in, hls::stream<beat_t>& out) {
#pragma HLS INTERFACE axis port=in
#pragma HLS INTERFACE axis port=out
#pragma HLS INTERFACE ap_ctrl_none port=return
#pragma HLS DATAFLOW
    hls::stream<ctrl_t, CTRL_DEPTH> ctrl0("ctrl0"), ctrl1("ctrl1"), ctrl2("ctrl2"), ctrl3("ctrl3");
    hls::stream<act_t, PIXEL_DEPTH> pixels("pixels");
    hls::stream<conv1_stage::out_t, FEATURES1_DEPTH> features1("features1");
    hls::stream<conv2_stage::out_t, FEATURES2_DEPTH> features2("features2");
    hls::stream<conv3_stage::out_t, PRODUCTS_DEPTH> products("products");
    hls::stream<act_t, RESULT_DEPTH> result("result");
    hls::stream<answer_t, ANSWER_DEPTH> answers("answers");
    parser(in, pixels, ctrl0, ctrl1, ctrl2, ctrl3, answers);
    conv1(ctrl0, pixels, features1);
    conv2(ctrl1, features1, features2);
    conv3(ctrl2, features2, products);
    conv3_sum(ctrl3, products, result);
    packer(answers, result, out);
}

#else

// C simulation: the state outlives the call, as it does in hardware.
void srcnn_top(hls::stream<beat_t>& in, hls::stream<beat_t>& out) {
    static srcnn_core core;
    core.run(in, out);
}

#endif
