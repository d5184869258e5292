// Accumulator -> uint8: the one expression of the arithmetic contract (docs/architecture.md).
#pragma once
#include "types.hpp"

namespace srcnn {

// Add half, arithmetic shift right, saturate to 0..255. ACC is wide enough for acc + half (Layer.acc_bits).
template <int ACC> act_t requantise(ap_int<ACC> acc, shift_t shift) {
#pragma HLS INLINE
    const ap_uint<MAX_SHIFT + 1> one = 1;
    const ap_uint<MAX_SHIFT + 1> half = (one << shift) >> 1;
    const ap_int<ACC> rounded = acc + half;
    const ap_int<ACC> value = rounded >> shift;
    const bool negative = value[ACC - 1];
    const ap_uint<ACC - 1 - ACT_BITS> above = value.range(ACC - 2, ACT_BITS);
    const act_t low = value.range(ACT_BITS - 1, 0);
    return negative ? act_t(0) : above != 0 ? act_t(255) : low;
}

// The same of an accumulator and its channel's parameters: bias in the low BIAS_BITS, shift above.
template <int ACC> act_t requantise_biased(ap_int<ACC> acc, ap_uint<BIAS_BITS + 5> bias_shift) {
#pragma HLS INLINE
    const ap_int<BIAS_BITS> bias = bias_shift.range(BIAS_BITS - 1, 0);
    const shift_t shift = bias_shift.range(BIAS_BITS + 4, BIAS_BITS);
    const ap_int<ACC> biased = acc + bias;
    return requantise<ACC>(biased, shift);
}

}  // namespace srcnn
