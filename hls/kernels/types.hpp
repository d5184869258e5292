// Types shared by the kernels. AP_INT_MAX_W: the line buffer word of 9-5-5 is 2,048 bits wide.
#pragma once
#ifndef AP_INT_MAX_W
#define AP_INT_MAX_W 4096
#endif
#include <ap_int.h>

#include <ap_axi_sdata.h>
#include <hls_stream.h>
#include <lanes.h>

#include "srcnn_config.hpp"

namespace srcnn {

typedef ap_axiu<64, 0, 0, 0> beat_t;  // one AXI4-Stream beat
typedef ap_uint<64> param_t;          // a parameter word
typedef ap_uint<65> ctrl_t;           // from stage to stage: a command or a parameter word (stage_command.hpp)
typedef ap_uint<44> answer_t;         // parser -> packer
typedef ap_uint<ACT_BITS> act_t;
typedef ap_int<WEIGHT_BITS> weight_t;
typedef ap_uint<16> coord_t;  // pixel coordinates and sizes
typedef ap_uint<5> shift_t;   // 0..MAX_SHIFT
constexpr int SLOPE_BITS = 3;
typedef ap_uint<SLOPE_BITS> slope_t;           // 0..MAX_SLOPE
typedef ap_uint<IN_CH * ACT_BITS> in_pixel_t;  // a pixel of the network's input

static_assert(MAX_SHIFT < 32, "shift_t has 5 bits");
static_assert(MAX_SLOPE < 1 << SLOPE_BITS, "slope_t has 3 bits");
static_assert(MAX_WIDTH < 65536 && MAX_HEIGHT < 32768, "coord_t has 16 bits");

// Bits that hold 0..n - 1, at least one.
constexpr int index_bits(int n) { return n <= 2 ? 1 : 1 + index_bits((n + 1) / 2); }

// The next value of a counter: `value` + 1, or 0 at its end.
template <class T> T next_count(T value, bool end) {
#pragma HLS INLINE
    return end ? T(0) : T(value + 1);
}

}  // namespace srcnn
