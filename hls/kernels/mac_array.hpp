// PE x SIMD products per step, accumulated. With PACK two output channels share a multiplier (products.hpp).
#pragma once
#include "conv_shape.hpp"
#include "products.hpp"

namespace srcnn {

template <class L> struct mac_array {
    typedef conv_shape<L> shape;
    typedef typename shape::acc_t acc_t;
    typedef typename shape::taps_t taps_t;
    static constexpr int CHANNELS = L::PACK ? 2 : 1;  // output channels per multiplier

    acc_t acc[L::PE];

    // One step: the products of PE channels with SIMD activations. `first` begins a new sum.
    void accumulate(const taps_t (&weights)[L::PE], const act_t* x, bool first) {
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable=acc complete
        acc_t dot[L::PE];
        const acc_t offset = L::PACK && L::PE > 1 ? offset_sum(x) : acc_t(0);
    mac_pair:
        for (int p = 0; p < L::PE; p += CHANNELS) {
#pragma HLS UNROLL
            if (p + CHANNELS <= L::PE && L::PACK) {
                dot_pair(weights[p], weights[p + CHANNELS - 1], x, offset, dot[p], dot[p + CHANNELS - 1]);
            } else {
                dot[p] = dot_single(weights[p], x);
            }
        }
    accumulate_pe:
        for (int p = 0; p < L::PE; p++) {
#pragma HLS UNROLL
            acc[p] = (first ? acc_t(0) : acc[p]) + dot[p];
        }
    }

    static weight_t weight_of(taps_t taps, int s) {
#pragma HLS INLINE
        return taps.range(s * WEIGHT_BITS + WEIGHT_BITS - 1, s * WEIGHT_BITS);
    }

    // SIMD products of one channel, a multiplier each.
    static acc_t dot_single(taps_t taps, const act_t* x) {
#pragma HLS INLINE
        acc_t dot = 0;
    mac_simd:
        for (int s = 0; s < L::SIMD; s++) {
#pragma HLS UNROLL
            dot += weight_of(taps, s) * x[s];
        }
        return dot;
    }

    // SIMD products of two channels, a multiplier for each pair.
    static void dot_pair(taps_t low_taps, taps_t high_taps, const act_t* x, acc_t offset, acc_t& low, acc_t& high) {
#pragma HLS INLINE
        low = offset;
        high = 0;
    mac_simd_pair:
        for (int s = 0; s < L::SIMD; s++) {
#pragma HLS UNROLL
            const packed_product_t product =
                multiply_pair(pack_weights(weight_of(low_taps, s), weight_of(high_taps, s)), x[s]);
            low += low_product(product);
            high += high_product(product);
        }
    }

    // What the lower products of this step have too much, negated: -128 * sum of x. One sum for all channels.
    static acc_t offset_sum(const act_t* x) {
#pragma HLS INLINE
        acc_t sum = 0;
    sum_simd:
        for (int s = 0; s < L::SIMD; s++) {
#pragma HLS UNROLL
            sum += x[s];
        }
        return -(sum << (WEIGHT_BITS - 1));
    }
};

}  // namespace srcnn
