// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// hls_open::merge: words of several streams become one stream, in the order in which they arrive.
//
// A step blocks and never asks, so it can't choose by arrival: what it did would depend on the moment. Where hardware
// has to choose, this does, and nothing else: in Verilog it is hls_open_merge (hls/open/rtl), which is fair and proved
// (`make prove`); for Vitis HLS it is the loop below. In C++ the order is an input: `order` says for each word which
// stream it comes from, so that all that is behind a merge is as repeatable as any kernel. A recorded order gives the
// words that the hardware gave.
#ifndef HLS_OPEN_MERGE_H
#define HLS_OPEN_MERGE_H

#include <ap_int.h>
#include <hls_stream.h>

namespace hls_open {

// A word and the number of the stream that it came from, in Verilog as in C++: the word lies in the low bits.
template <int WIDTH> struct merged {
    ap_uint<WIDTH> word;
    ap_uint<2> source;
};

// Sources of up to WIDTH bits; narrower words are filled up with zeros.
template <int WIDTH> struct merge {
    typedef hls::stream<merged<WIDTH> > out_t;
    typedef hls::stream<ap_uint<2> > order_t;

#ifdef __SYNTHESIS__
    ap_uint<2> turn = 0;  // the stream that is asked first: the one behind the last that was served

    template <class A, class B, class C> void step(A& a, B& b, C& c, out_t& out) {
#pragma HLS INLINE
        const bool there[] = {!a.empty(), !b.empty(), !c.empty()};
        serve<3>(there, out, a, b, c);
    }
    template <class A, class B, class C, class D> void step(A& a, B& b, C& c, D& d, out_t& out) {
#pragma HLS INLINE
        const bool there[] = {!a.empty(), !b.empty(), !c.empty(), !d.empty()};
        serve<4>(there, out, a, b, c, d);
    }

private:
    template <int N, class... In> void serve(const bool (&there)[N], out_t& out, In&... in) {
#pragma HLS INLINE
        bool some = false;
        ap_uint<2> from = 0;
    choose:
        for (int i = N - 1; i >= 0; i--) {
#pragma HLS UNROLL
            const int ahead = turn.to_int() + i, at = ahead < N ? ahead : ahead - N;
            from = there[at] ? ap_uint<2>(at) : from;
            some |= there[at];
        }
        if (some) {
            take(from, 0, out, in...);
            turn = from == N - 1 ? ap_uint<2>(0) : ap_uint<2>(from + 1);
        }
    }
#else
    template <class A, class B, class C> void step(order_t& order, A& a, B& b, C& c, out_t& out) {
        take(order.read(), 0, out, a, b, c);
    }
    template <class A, class B, class C, class D> void step(order_t& order, A& a, B& b, C& c, D& d, out_t& out) {
        take(order.read(), 0, out, a, b, c, d);
    }

private:
#endif
    void take(ap_uint<2>, int, out_t&) {}
    template <class First, class... Rest> void take(ap_uint<2> from, int at, out_t& out, First& first, Rest&... rest) {
#pragma HLS INLINE
        if (from == at) {
            merged<WIDTH> word;
            word.word = first.read();
            word.source = from;
            out.write(word);
        } else {
            take(from, at + 1, out, rest...);
        }
    }
};

}  // namespace hls_open

#endif
