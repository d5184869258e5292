// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The butterfly of a 32-point FFT (radix 2, decimation in time): a + w b and a - w b with the twiddle factor
// w = exp(-2 pi i k / 32), k = 0, 1, ..., 15 and again.
//
// What it shows: fixed-point numbers as integers, with a binary point that the comments keep; rounding; a result that
// saturates; a constant table behind a counter; products in DSPs, which the compiler gives all their registers.
//
//     hls-open check fft_butterfly.hpp fft_butterfly=fft_butterfly
#pragma once
#include <ap_int.h>
#include <hls_stream.h>

struct fft_butterfly {
    typedef ap_int<16> part_t;  // 15 bits behind the binary point
    struct complex_t {
        part_t re, im;
    };
    struct pair_t {
        complex_t a, b;
    };

    static constexpr int POINTS = 32, FRACTION = 14;  // of a twiddle factor, so that 1 is among them
    // cos(2 pi k / 32); the sine is a quarter of a turn behind, -cos(2 pi (k + 8) / 32).
    static constexpr short COSINE[POINTS] = {
        16384, 16069,  15137,  13623,  11585,  9102,   6270,   3196,   0,      -3196,  -6270,
        -9102, -11585, -13623, -15137, -16069, -16384, -16069, -15137, -13623, -11585, -9102,
        -6270, -3196,  0,      3196,   6270,   9102,   11585,  13623,  15137,  16069,
    };

    ap_uint<4> k = 0;

    template <int W> static part_t saturate(ap_int<W> x) {
        return x > 32767 ? part_t(32767) : x < -32768 ? part_t(-32768) : part_t(x);
    }

    // A product has 15 + FRACTION bits behind the point: round half up to 15.
    static ap_int<19> rounded(ap_int<33> product) { return (product + (1 << (FRACTION - 1))) >> FRACTION; }

    void step(hls::stream<pair_t>& in, hls::stream<pair_t>& out) {
        const pair_t x = in.read();
        const part_t re = COSINE[k], im = COSINE[(k + 8) % POINTS];  // of w: cos, -sin
        k++;
        const ap_int<19> wb_re = rounded(x.b.re * re - x.b.im * im);
        const ap_int<19> wb_im = rounded(x.b.re * im + x.b.im * re);
        pair_t y;
        y.a.re = saturate<20>(x.a.re + wb_re);
        y.a.im = saturate<20>(x.a.im + wb_im);
        y.b.re = saturate<20>(x.a.re - wb_re);
        y.b.im = saturate<20>(x.a.im - wb_im);
        out.write(y);
    }
};
