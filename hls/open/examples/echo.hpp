// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An echo: every sample comes again 40 samples later, at three quarters of its loudness, and so on.
//
//     in --> mix --> split --> attenuate --> out
//             ^        |
//             |        v
//           delay <-- attenuate
//
// What it shows: a dataflow of kernels that run side by side, a process that splits a stream, one that is used twice,
// and feedback. In the loop are as many samples as it delays: 40 zeros at the start, for which the stream behind the
// delay has to have room. So the loop may take 40 cycles, and still a sample comes and goes in each.
//
//     hls-open top echo.hpp echo=examples::echo
#pragma once
#include <ap_int.h>
#include <dataflow.h>
#include <hls_stream.h>

namespace examples {

typedef ap_int<16> sample_t;
typedef hls::stream<sample_t> samples_t;

struct mixer {
    void step(samples_t& a, samples_t& b, samples_t& out) {
        const ap_int<17> sum = a.read() + b.read();
        out.write(sum > 32767 ? sample_t(32767) : sum < -32768 ? sample_t(-32768) : sample_t(sum));
    }
};

struct splitter {
    void step(samples_t& in, samples_t& left, samples_t& right) {
        const sample_t x = in.read();
        left.write(x);
        right.write(x);
    }
};

template <int NUMERATOR, int SHIFT> struct gain {
    void step(samples_t& in, samples_t& out) { out.write((in.read() * NUMERATOR) >> SHIFT); }
};

template <int LENGTH> struct delay_line {
    ap_uint<8> given = 0;
    static_assert(LENGTH < 256, "the counter has eight bits");

    void step(samples_t& in, samples_t& out) {
        sample_t x = 0;
        if (given == LENGTH) {
            x = in.read();
        } else {
            given++;
        }
        out.write(x);
    }
};

inline void mix(samples_t& a, samples_t& b, samples_t& out) {
    mixer kernel;
    hls_open::run(kernel, a, b, out);
}

inline void split(samples_t& in, samples_t& left, samples_t& right) {
    splitter kernel;
    hls_open::run(kernel, in, left, right);
}

inline void attenuate(samples_t& in, samples_t& out) {
    gain<3, 2> kernel;
    hls_open::run(kernel, in, out);
}

template <int LENGTH> void delay(samples_t& in, samples_t& out) {
    delay_line<LENGTH> kernel;
    hls_open::run(kernel, in, out);
}

inline void echo(samples_t& in, samples_t& out) {
#pragma HLS DATAFLOW
    hls::stream<sample_t, 4> mixed("mixed"), dry("dry"), wet("wet"), softer("softer");
    hls::stream<sample_t, 64> delayed("delayed");
    mix(in, delayed, mixed);
    split(mixed, dry, wet);
    attenuate(dry, out);
    attenuate(wet, softer);
    delay<40>(softer, delayed);
}

}  // namespace examples
