// The sizes of a convolution stage, from the description of its layer (a struct of srcnn_config.hpp).
#pragma once
#include "requantise.hpp"

namespace srcnn {

template <class L> struct conv_shape {
    static constexpr int TAPS = L::K * L::K * L::IN_CH;  // ordered kw, kh, channel: a column enters as a unit
    static constexpr int COLUMN = L::K * L::IN_CH;
    static constexpr int TAP_FOLD = (TAPS + L::SIMD - 1) / L::SIMD;  // steps over the taps
    static constexpr int WINDOW = TAP_FOLD * L::SIMD;    // taps, and idle entries where SIMD does not divide them
    static constexpr int OUT_FOLD = L::OUT_CH / L::PE;   // groups of output channels
    static constexpr int FOLD = OUT_FOLD * TAP_FOLD;     // steps of a position
    static constexpr int WORDS = L::IN_CH / L::IN_WORD;  // input words of a position
    static constexpr int SIMD_BITS = L::SIMD * WEIGHT_BITS;
    static constexpr int WEIGHT_BEATS = (SIMD_BITS + 63) / 64;  // parameter words of a PE's weights for a step
    static constexpr int OUT_BITS = L::RAW ? L::ACC_BITS : finisher<L>::OUT_BITS;
    static constexpr int PARAM_BEATS = FOLD * L::PE * WEIGHT_BEATS + (L::RAW ? 0 : L::OUT_CH);
    static_assert(WINDOW - TAPS < TAP_FOLD, "a smaller SIMD takes as few steps over the taps k * k * in_ch");
    static_assert(L::OUT_CH % L::PE == 0, "PE has to divide the output channels");
    static_assert(L::IN_CH % L::IN_WORD == 0, "the input word has to divide the input channels");
    static_assert(SIMD_BITS <= AP_INT_MAX_W && COLUMN * ACT_BITS <= AP_INT_MAX_W, "raise AP_INT_MAX_W or fold more");

    typedef ap_uint<L::IN_WORD * ACT_BITS> in_t;
    typedef ap_uint<L::PE * OUT_BITS> out_t;
    typedef ap_int<L::ACC_BITS> acc_t;
    typedef ap_uint<SIMD_BITS> taps_t;  // SIMD weights of one PE, the first in the low bits
    typedef ap_uint<L::IN_CH * ACT_BITS> pixel_t;
    typedef ap_uint<COLUMN * ACT_BITS> column_t;
    typedef typename finisher<L>::param_t bias_shift_t;  // of an output channel
    typedef ap_uint<index_bits(FOLD)> fold_t;
    typedef ap_uint<index_bits(TAP_FOLD)> tap_t;
    typedef ap_uint<index_bits(OUT_FOLD)> pass_t;
};

}  // namespace srcnn
