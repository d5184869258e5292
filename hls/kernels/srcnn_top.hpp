// The accelerator: parser -> three layers -> packer, a dataflow pipeline between two AXI4-Streams.
//
//   in -> parser -pixels-> conv1 -features1-> conv2 -features2-> conv3 -products-> sum -result-> packer -> out
//            |  ctrl0 ------^      ctrl1 ------^      ctrl2 ------^      ctrl3 -----^              ^
//            `---------------------------------- answers ------------------------------------------'
#pragma once
#include "conv_stage.hpp"
#include "packer_stage.hpp"
#include "parser_stage.hpp"
#include "sum_stage.hpp"

namespace srcnn {

typedef conv_stage<conv1_cfg> conv1_stage;
typedef conv_stage<conv2_cfg> conv2_stage;
typedef conv_stage<conv3_cfg> conv3_stage;
typedef sum_stage<conv3_sum_cfg> conv3_sum_stage;
typedef parser_stage<conv1_stage::PARAM_BEATS, conv2_stage::PARAM_BEATS, conv3_stage::PARAM_BEATS,
                     conv3_sum_stage::PARAM_BEATS, conv1_cfg::K - 1, conv1_cfg::K + conv2_cfg::K - 2,
                     conv1_cfg::K + conv2_cfg::K - 2>
    srcnn_parser;

static_assert(!conv1_cfg::RAW && !conv2_cfg::RAW && conv3_cfg::RAW && conv3_sum_cfg::OUT_CH == 1,
              "srcnn_top is two direct layers and a transposed one; change it for another kind of network");

// Depths: a position's worth of words, so that a stage can run ahead by one position.
static constexpr int CTRL_DEPTH = 4, PIXEL_DEPTH = 16, RESULT_DEPTH = 16, ANSWER_DEPTH = 8;
static constexpr int FEATURES1_DEPTH = 2 * conv1_cfg::OUT_CH / conv1_cfg::PE;
static constexpr int FEATURES2_DEPTH = 2 * conv2_cfg::OUT_CH / conv2_cfg::PE;
static constexpr int PRODUCTS_DEPTH = 2 * conv3_cfg::OUT_CH / conv3_cfg::PE;

// Run a stage: for ever in hardware, until its inputs are used up in software.
template <class Stage, class... Streams> void run(Stage& stage, Streams&... streams) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
free_run:
    while (true) {
#pragma HLS PIPELINE II=1 style=frp  // a stage that waits for input still gives out what it has
        stage.step(streams...);
    }
#else
    while (stage.ready(streams...)) {
        stage.step(streams...);
    }
#endif
}

// All stages and streams as one object: the software form, of which there can be several.
// The dataflow only runs forward, so one pass in its order uses up all input.
struct srcnn_core {
    srcnn_parser parser;
    conv1_stage conv1;
    conv2_stage conv2;
    conv3_stage conv3;
    conv3_sum_stage sum;
    packer_stage packer;
    hls::stream<ctrl_t> ctrl0, ctrl1, ctrl2, ctrl3;
    hls::stream<act_t> pixels;
    hls::stream<conv1_stage::out_t> features1;
    hls::stream<conv2_stage::out_t> features2;
    hls::stream<conv3_stage::out_t> products;
    hls::stream<act_t> result;
    hls::stream<answer_t> answers;

    void run(hls::stream<beat_t>& in, hls::stream<beat_t>& out) {
        srcnn::run(parser, in, pixels, ctrl0, ctrl1, ctrl2, ctrl3, answers);
        srcnn::run(conv1, ctrl0, pixels, features1);
        srcnn::run(conv2, ctrl1, features1, features2);
        srcnn::run(conv3, ctrl2, features2, products);
        srcnn::run(sum, ctrl3, products, result);
        srcnn::run(packer, answers, result, out);
    }
};

}  // namespace srcnn

void srcnn_top(hls::stream<srcnn::beat_t>& in, hls::stream<srcnn::beat_t>& out);
