// PE x SIMD products per step, accumulated. With PACK two output channels share a multiplier; the last LUT_TAPS of the
// SIMD products of every channel have none and are made of LUTs (products.hpp).
#pragma once
#include "conv_shape.hpp"
#include "products.hpp"

namespace srcnn {

template <class L> struct mac_array {
    typedef conv_shape<L> shape;
    typedef typename shape::acc_t acc_t;
    typedef typename shape::taps_t taps_t;
    static constexpr int CHANNELS = L::PACK ? 2 : 1;           // output channels per multiplier
    static constexpr int MULTIPLIERS = L::SIMD - L::LUT_TAPS;  // of a channel, or of a pair
    static_assert(0 <= L::LUT_TAPS && L::LUT_TAPS <= L::SIMD, "a product is in a multiplier or in LUTs");

    acc_t acc[L::PE];

    // One step: the products of PE channels with SIMD activations. `first` begins a new sum.
    void accumulate(const taps_t (&weights)[L::PE], const act_t* x, bool first) {
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable=acc complete
        acc_t dot[L::PE];
        const acc_t in_luts = L::LUT_TAPS > 0 ? offset_sum(x, MULTIPLIERS, L::SIMD) : acc_t(0);
        const acc_t offset = L::PACK && L::PE > 1 ? acc_t(in_luts + offset_sum(x, 0, MULTIPLIERS)) : acc_t(0);
    mac_pair:
        for (int p = 0; p < L::PE; p += CHANNELS) {
#pragma HLS UNROLL
            if (p + CHANNELS <= L::PE && L::PACK) {
                dot[p] = offset;
                dot[p + CHANNELS - 1] = in_luts;
                dot_pair(weights[p], weights[p + CHANNELS - 1], x, dot[p], dot[p + CHANNELS - 1]);
            } else {
                dot[p] = in_luts;
                dot_single(weights[p], x, dot[p]);
            }
        }
        if (L::LUT_TAPS > 0) {
            dot_in_luts(weights, x, dot);
        }
    accumulate_pe:
        for (int p = 0; p < L::PE; p++) {
#pragma HLS UNROLL
            acc[p] = (first ? acc_t(0) : acc[p]) + dot[p];
        }
    }

    static weight_t weight_of(const taps_t& taps, int s) {
#pragma HLS INLINE
        return hls_open::lane<weight_t>(taps, s);
    }

    // Products of one channel, a multiplier each.
    static void dot_single(taps_t taps, const act_t* x, acc_t& sum) {
#pragma HLS INLINE
        hls_open::lane_total<acc_t> dot(sum);
    mac_simd:
        HLS_OPEN_LANES
        for (int s = 0; s < MULTIPLIERS; s++) {
#pragma HLS UNROLL
            dot += weight_of(taps, s) * x[s];
        }
    }

    // Products of two channels, a multiplier for each pair.
    static void dot_pair(taps_t low_taps, taps_t high_taps, const act_t* x, acc_t& low_sum, acc_t& high_sum) {
#pragma HLS INLINE
        hls_open::lane_total<acc_t> low(low_sum);
        hls_open::lane_total<acc_t> high(high_sum);
    mac_simd_pair:
        HLS_OPEN_LANES
        for (int s = 0; s < MULTIPLIERS; s++) {
#pragma HLS UNROLL
            const packed_product_t product =
                multiply_pair(pack_weights(weight_of(low_taps, s), weight_of(high_taps, s)), x[s]);
            low += low_product(product);
            high += high_product(product);
        }
    }

    // The other products of all channels, which have no multiplier.
    static void dot_in_luts(const taps_t (&weights)[L::PE], const act_t* x, acc_t (&dot)[L::PE]) {
#pragma HLS INLINE
    mac_luts:
        for (int s = MULTIPLIERS; s < L::SIMD; s++) {
#pragma HLS UNROLL
            const multiple_t triple = triple_of(x[s]);
        mac_luts_pe:
            for (int p = 0; p < L::PE; p++) {
#pragma HLS UNROLL
                dot[p] += raised_product(weight_of(weights[p], s), x[s], triple);
            }
        }
    }

    // What the products of these taps have too much where the weight is raised, negated: -128 * sum of x. One sum for
    // all channels.
    static acc_t offset_sum(const act_t* x, int first, int end) {
#pragma HLS INLINE
        hls_open::lane_sum<acc_t> sum = 0;
    sum_simd:
        HLS_OPEN_LANES
        for (int s = first; s < end; s++) {
#pragma HLS UNROLL
            sum += x[s];
        }
        const acc_t total = sum;
        return -(total << (WEIGHT_BITS - 1));
    }
};

}  // namespace srcnn
