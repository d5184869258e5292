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

}  // namespace srcnn
