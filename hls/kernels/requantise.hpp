// Accumulator -> output: the expressions of the arithmetic contract (docs/architecture.md).
#pragma once
#include "types.hpp"

namespace srcnn {

// Add half, arithmetic shift right. ACC is wide enough for acc + half (Layer.acc_bits).
template <int ACC> ap_int<ACC> shift_rounded(ap_int<ACC> acc, shift_t shift) {
#pragma HLS INLINE
    const ap_uint<MAX_SHIFT + 1> one = 1;
    const ap_uint<MAX_SHIFT + 1> half = (one << shift) >> 1;
    const ap_int<ACC> rounded = acc + half;
    return rounded >> shift;
}

// Saturate to 0..255.
template <int BITS> act_t saturate(ap_int<BITS> value) {
#pragma HLS INLINE
    const bool negative = value[BITS - 1];
    const ap_uint<BITS - 1 - ACT_BITS> above = value.range(BITS - 2, ACT_BITS);
    const act_t low = value.range(ACT_BITS - 1, 0);
    return negative ? act_t(0) : above != 0 ? act_t(255) : low;
}

template <int ACC> act_t requantise(ap_int<ACC> acc, shift_t shift) {
#pragma HLS INLINE
    return saturate<ACC>(shift_rounded<ACC>(acc, shift));
}

// Saturated to 9 bits, signed: the residual of an addition.
template <int ACC> ap_int<ACT_BITS + 1> requantise_residual(ap_int<ACC> acc, shift_t shift) {
#pragma HLS INLINE
    const ap_int<ACC> value = shift_rounded<ACC>(acc, shift);
    const ap_int<ACC - ACT_BITS> above = value.range(ACC - 1, ACT_BITS);  // all like the sign, or out of range
    const ap_int<ACT_BITS + 1> low = value.range(ACT_BITS, 0);
    const ap_int<ACT_BITS + 1> most = (1 << ACT_BITS) - 1, least = -(1 << ACT_BITS);
    return above < -1 ? least : above > 0 ? most : low;
}

// PReLU: a negative sum is shifted further, by `slope`; 0 is stored as `zero`. shift + slope is at most MAX_SHIFT.
template <int ACC> act_t requantise_prelu(ap_int<ACC> acc, shift_t shift, slope_t slope, act_t zero) {
#pragma HLS INLINE
    const bool negative_sum = acc[ACC - 1];
    const shift_t by = negative_sum ? shift_t(shift + slope) : shift;
    const ap_int<ACC + 1> value = shift_rounded<ACC>(acc, by) + zero;
    return saturate<ACC + 1>(value);
}

// What becomes of a layer's sums, by its description: an activation, the residual of an addition, or a PReLU.
template <class L> struct finisher {
    static constexpr int OUT_BITS = L::RESIDUAL ? ACT_BITS + 1 : ACT_BITS;
    static constexpr int UPPER = 5 + (L::PRELU ? SLOPE_BITS + ACT_BITS : 0);  // shift, slope and zero point
    static_assert(!(L::RESIDUAL && L::PRELU), "a residual has no activation");

    // Of a channel: bias in the low BIAS_BITS, the others above. In a word of a load those begin at bit 32.
    typedef ap_uint<BIAS_BITS + UPPER> param_t;
    static constexpr int LAST = 32 + UPPER - 1;  // their last bit there

    static ap_uint<OUT_BITS> finish(ap_int<L::ACC_BITS> acc, param_t packed) {
#pragma HLS INLINE
        constexpr int SLOPE = BIAS_BITS + 5, ZERO = SLOPE + SLOPE_BITS;
        const ap_int<BIAS_BITS> bias = packed.range(BIAS_BITS - 1, 0);
        const shift_t shift = packed.range(BIAS_BITS + 4, BIAS_BITS);
        const ap_int<L::ACC_BITS> biased = acc + bias;
        if (L::PRELU) {
            const ap_uint<BIAS_BITS + 5 + SLOPE_BITS + ACT_BITS> all = packed;
            const slope_t slope = all.range(ZERO - 1, SLOPE);
            const act_t zero = all.range(ZERO + ACT_BITS - 1, ZERO);
            return requantise_prelu<L::ACC_BITS>(biased, shift, slope, zero);
        }
        if (!L::RESIDUAL) {
            return requantise<L::ACC_BITS>(biased, shift);
        }
        return ap_uint<OUT_BITS>(requantise_residual<L::ACC_BITS>(biased, shift));
    }
};

}  // namespace srcnn
