// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A low-pass FIR filter with seven constant coefficients (a half-band filter: every other one is zero).
//
// What it shows: members are the state, the constructor says what a reset gives, and step() is one clock cycle. Loops
// with constant bounds are unrolled. A product with a small constant costs no multiplier but shifts and an addition.
//
//     hls-open check fir.hpp fir=fir_stage
#pragma once
#include <ap_int.h>
#include <hls_stream.h>

struct fir_stage {
    static constexpr int TAPS = 7;
    static constexpr int COEFFICIENTS[TAPS] = {-3, 0, 19, 32, 19, 0, -3};  // their magnitudes add up to 76, below 128
    typedef ap_int<16> sample_t;
    typedef ap_int<16 + 7> sum_t;  // nothing is lost

    sample_t delay[TAPS];  // the newest sample first

    fir_stage() {
        for (int i = 0; i < TAPS; i++) {
            delay[i] = 0;
        }
    }

    void step(hls::stream<sample_t>& in, hls::stream<sum_t>& out) {
        for (int i = TAPS - 1; i > 0; i--) {
            delay[i] = delay[i - 1];
        }
        delay[0] = in.read();
        sum_t sum = 0;
        for (int i = 0; i < TAPS; i++) {
            sum += COEFFICIENTS[i] * delay[i];
        }
        out.write(sum);
    }
};
