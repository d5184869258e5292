// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loops over the equal parts of a word, `lanes`, so that software is fast at them too. Hardware unrolls such a loop; a
// processor computes several lanes at once, if it finds them in memory and sums as wide as its own numbers.
//
//     hls_open::lane_sum<acc_t> sum = 0;
//     HLS_OPEN_LANES
//     for (int i = 0; i < N; i++) {
//     #pragma HLS UNROLL
//         sum += hls_open::lane<ap_int<8>>(word, i) * x[i];
//     }
//     const acc_t result = sum;
//
// For this compiler, for Vitis HLS and with AMD's types, a lane is a range of bits and a sum is of its own type. With
// the native types (`_BitInt`) of this compiler's own ap_int.h, in software only, a lane of 8 bits is a byte, and a sum
// is kept modulo 2^32 and cut to its width at the end: the same bits, since additions don't look at what is above.
#ifndef HLS_OPEN_LANES_H
#define HLS_OPEN_LANES_H

#include <ap_int.h>

#if defined(HLS_OPEN_AP_INT_H) && !defined(HLS_OPEN_RTL) && !defined(__SYNTHESIS__)
#define HLS_OPEN_NATIVE_LANES
#endif

// In front of the loop. Unrolled before it is vectorised, it would be neither short nor fast.
#ifdef HLS_OPEN_NATIVE_LANES
#define HLS_OPEN_LANES _Pragma("clang loop unroll(disable) vectorize(enable) interleave_count(1)")
#else
#define HLS_OPEN_LANES
#endif

namespace hls_open {

// Lane `i` of a word, the first in the low bits.
template <class T, class Word> T lane(const Word& word, int i) {
#pragma HLS INLINE
#ifdef HLS_OPEN_NATIVE_LANES
    if (T::width == 8) {
        unsigned char byte;
        __builtin_memcpy(&byte, (const unsigned char*)&word + i, 1);
        return T(byte);
    }
#endif
    return word.range(i * T::width + T::width - 1, i * T::width);
}

// `lane_sum<T>` is a sum that begins and ends as a T, `lane_total<T>` one that goes on from a T: both take `=` and
// `+=`.
#ifdef HLS_OPEN_NATIVE_LANES
template <class T, bool NARROW = (T::width <= 32)> struct lane_sums {
    typedef T sum;
    typedef T& total;
};
template <class T> struct lane_sums<T, true> {
    struct sum {
        unsigned value;
        sum(int start) : value(unsigned(start)) {}
        template <class X> sum(const X& start) : value(unsigned(start.to_int())) {}
        template <class X> sum& operator+=(const X& more) {
            value += unsigned(more.to_int());
            return *this;
        }
        operator T() const { return T(value); }
    };
    // A copy while it lasts: memory would be written for every lane.
    struct total {
        T& to;
        sum now;
        explicit total(T& where) : to(where), now(where) {}
        total(const total&) = delete;
        ~total() { to = now; }
        template <class X> total& operator=(const X& start) {
            now = sum(start);
            return *this;
        }
        template <class X> total& operator+=(const X& more) {
            now += more;
            return *this;
        }
    };
};
template <class T> using lane_sum = typename lane_sums<T>::sum;
template <class T> using lane_total = typename lane_sums<T>::total;
#else
template <class T> using lane_sum = T;
template <class T> using lane_total = T&;
#endif

// Whether a step has to do what changes nothing unless `changes`: hardware always does, a condition would only take
// logic there.
inline bool has_to_do(bool changes) {
#pragma HLS INLINE
#ifdef HLS_OPEN_NATIVE_LANES
    return changes;
#else
    (void)changes;
    return true;
#endif
}

}  // namespace hls_open

#endif
