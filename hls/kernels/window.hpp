// The taps of a position, in registers. They rotate by SIMD per step, so that the multipliers always see the first SIMD
// entries, and they are back in place after every pass. Where SIMD does not divide the taps, the entries at the end are
// idle: their weights are zero.
#pragma once
#include "conv_shape.hpp"

namespace srcnn {

template <class L> struct window {
    typedef conv_shape<L> shape;

    act_t taps[shape::WINDOW];

    // One step on within a pass.
    void rotate() {
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable=taps complete
        act_t rotated[L::SIMD];
    rotate_out:
        for (int i = 0; i < L::SIMD; i++) {
#pragma HLS UNROLL
            rotated[i] = taps[i];
        }
    rotate_down:
        for (int i = 0; i < shape::WINDOW - L::SIMD; i++) {
#pragma HLS UNROLL
            taps[i] = taps[i + L::SIMD];
        }
    rotate_in:
        for (int i = 0; i < L::SIMD; i++) {
#pragma HLS UNROLL
            taps[shape::WINDOW - L::SIMD + i] = rotated[i];
        }
    }

    // One position on: the oldest column leaves, a new one enters.
    void shift(typename shape::column_t column) {
#pragma HLS INLINE
    shift_down:
        for (int i = 0; i < shape::TAPS - shape::COLUMN; i++) {
#pragma HLS UNROLL
            taps[i] = taps[i + shape::COLUMN];
        }
    shift_in:
        for (int i = 0; i < shape::COLUMN; i++) {
#pragma HLS UNROLL
            taps[shape::TAPS - shape::COLUMN + i] = column.range(i * ACT_BITS + ACT_BITS - 1, i * ACT_BITS);
        }
    }
};

}  // namespace srcnn
