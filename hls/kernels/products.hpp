// Two products that share an activation, from one DSP multiplier.
//
// One multiplier computes (high * 2^16 + low) * x = high * x * 2^16 + low * x. The lower product must not borrow from
// the upper one, so the lower weight is stored with an offset of 128, as an unsigned number:
//
//     A = high * 2^16 + (low + 128)              24 bits, signed; low + 128 is `low` with its sign bit turned over
//     A * x: bits 31..16 = high * x              16 bits, signed:   -128 * 255 ..  127 * 255
//            bits 15..0  = low * x + 128 * x     16 bits, unsigned:          0 ..  255 * 255
//
// Both halves are exact, and nothing but wires is in front of the multiplier and behind it. What is too much, 128 * x,
// is the same for all channels: it is summed once for all of them and taken off each lower sum (`offset_sum`).
// 24 x 9 bits fit one DSP48E1 (25 x 18) and one DSP48E2 (27 x 18).
#pragma once
#include "types.hpp"

namespace srcnn {

constexpr int PRODUCT_BITS = ACT_BITS + WEIGHT_BITS;  // of one product, signed; unsigned with the offset
static_assert(ACT_BITS == 8 && WEIGHT_BITS == 8, "a pair of products is laid out for 8-bit activations and weights");

typedef ap_int<PRODUCT_BITS + WEIGHT_BITS> packed_weight_t;
typedef ap_int<2 * PRODUCT_BITS> packed_product_t;

inline packed_weight_t pack_weights(weight_t low, weight_t high) {
#pragma HLS INLINE
    const ap_uint<WEIGHT_BITS> raised = ap_uint<WEIGHT_BITS>(low) ^ ap_uint<WEIGHT_BITS>(1 << (WEIGHT_BITS - 1));
    const ap_uint<WEIGHT_BITS> gap = 0;
    return packed_weight_t((ap_uint<WEIGHT_BITS>(high), gap, raised));
}

inline packed_product_t multiply_pair(packed_weight_t weights, act_t x) {
#pragma HLS INLINE
    packed_product_t product;
#pragma HLS BIND_OP variable=product op=mul impl=dsp
    product = weights * x;
    return product;
}

// low * x + 128 * x
inline ap_uint<PRODUCT_BITS> low_product(packed_product_t product) {
#pragma HLS INLINE
    return product.range(PRODUCT_BITS - 1, 0);
}

inline ap_int<PRODUCT_BITS> high_product(packed_product_t product) {
#pragma HLS INLINE
    return product.range(2 * PRODUCT_BITS - 1, PRODUCT_BITS);
}

// A product without a multiplier, where the DSPs end: the weight, raised by 128 as above, in base 4. Each digit selects
// 0, x, 2x or 3x, which is added to what the digits below it gave. One LUT6 holds a bit of selection and sum (two bits
// of the digit, x and 2x share x's, 3x, the sum so far), so that four digits take 10 + 3 * 11 LUTs; 3x is for all
// channels.
constexpr int DIGIT_BITS = 2;
typedef ap_uint<ACT_BITS + DIGIT_BITS> multiple_t;  // 0 to 3 times an activation

inline multiple_t triple_of(act_t x) {
#pragma HLS INLINE
    return multiple_t(x) + multiple_t(multiple_t(x) << 1);
}

// (w + 128) * x
inline ap_uint<PRODUCT_BITS> raised_product(weight_t w, act_t x, multiple_t triple) {
#pragma HLS INLINE
    const ap_uint<WEIGHT_BITS> raised = ap_uint<WEIGHT_BITS>(w) ^ ap_uint<WEIGHT_BITS>(1 << (WEIGHT_BITS - 1));
    ap_uint<PRODUCT_BITS> sum = 0;
raised_digits:
    for (int at = 0; at < WEIGHT_BITS; at += DIGIT_BITS) {
#pragma HLS UNROLL
        const multiple_t odd = raised[at + 1] ? triple : multiple_t(x);
        const multiple_t even = raised[at + 1] ? multiple_t(multiple_t(x) << 1) : multiple_t(0);
        const multiple_t selected = raised[at] ? odd : even;
        const ap_uint<ACT_BITS + DIGIT_BITS + 1> above = ap_uint<ACT_BITS + DIGIT_BITS + 1>(sum >> at) + selected;
        sum = at == 0 ? ap_uint<PRODUCT_BITS>(selected) : ap_uint<PRODUCT_BITS>((above, sum.range(at - 1, 0)));
    }
    return sum;
}

}  // namespace srcnn
