// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Small kernels whose stages are proved: one of each kind of thing that a pipeline has to keep in order.
#pragma once
#include <ap_int.h>
#include <hls_stream.h>
#include <ram.h>

namespace prove {

// Every word passes.
struct pass {
    void step(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out) { out.write(in.read()); }
};

// Reads in three steps of four, writes under another condition; state in two pipeline stages.
struct some {
    ap_uint<2> turn = 1;
    ap_uint<6> sum = 0;
    bool odd = false;
    void step(hls::stream<ap_uint<4>>& in, hls::stream<ap_uint<7>>& out) {
        if (turn != 3) {
            const ap_uint<4> x = in.read();
            sum = sum + x;
            odd = x[0];
        }
        turn = turn + 1;
        if (odd) {
            out.write(ap_uint<7>(sum + turn));
        }
    }
};

// Two inputs, two outputs, each under a condition of its own.
struct split {
    bool left = false;
    void step(hls::stream<ap_uint<4>>& a, hls::stream<ap_uint<4>>& b, hls::stream<ap_uint<4>>& small,
              hls::stream<ap_uint<5>>& sums) {
        ap_uint<4> x = a.read();
        if (left) {
            x = x ^ b.read();
        }
        if (x < 6) {
            small.write(x);
        }
        if (x != 3) {
            sums.write(ap_uint<5>(x + 9));
        }
        left = x[1];
    }
};

// A product, in the three registers of a DSP slice, and an accumulator behind it.
struct mac {
    ap_int<10> sum = 5;
    void step(hls::stream<ap_uint<8>>& in, hls::stream<ap_int<10>>& out) {
        const ap_uint<8> x = in.read();
        sum += ap_int<4>(x.range(3, 0)) * ap_int<4>(x.range(7, 4));
        if (x[0]) {
            out.write(sum);
        }
    }
};

// A RAM that is read and written at one address: the next step may want the word that is just written.
struct histogram {
    hls_open::ram<ap_uint<4>, 4> bins;
    void step(hls::stream<ap_uint<2>>& in, hls::stream<ap_uint<4>>& out) {
        const ap_uint<2> x = in.read();
        const ap_uint<4> count = bins.read(x) + 1;
        bins.write(x, count);
        out.write(count);
    }
};

// A RAM that is read at one address and written at another.
struct delay_line {
    hls_open::ram<ap_uint<4>, 8> words;
    ap_uint<3> at = 0;
    ap_uint<5> sum = 0;
    void step(hls::stream<ap_uint<4>>& in, hls::stream<ap_uint<5>>& out) {
        const ap_uint<4> x = in.read();
        sum += words.read(at);
        words.write(at + 1, x);
        at = at + 3;
        if (x[0]) {
            out.write(sum);
        }
    }
};

}  // namespace prove
