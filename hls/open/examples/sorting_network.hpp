// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sorts eight values in every cycle: Batcher's odd-even merge sort, 19 comparators, six deep.
//
// What it shows: streams carry structs, also with arrays; an algorithm that is a constant table of pairs,
// two-dimensional, and unrolls to wires and comparators; the compiler cuts the network into as many pipeline stages as
// the clock asks for.
//
//     hls-open check sorting_network.hpp sorting_network=sorting_network
#pragma once
#include <ap_int.h>
#include <hls_stream.h>

struct sorting_network {
    static constexpr int COMPARATORS = 19;
    static constexpr int PAIRS[COMPARATORS][2] = {
        {0, 1}, {2, 3}, {4, 5}, {6, 7},                  // sort pairs
        {0, 2}, {1, 3}, {4, 6}, {5, 7}, {1, 2}, {5, 6},  // merge them to fours
        {0, 4}, {1, 5}, {2, 6}, {3, 7},                  // and to eight
        {2, 4}, {3, 5}, {1, 2}, {3, 4}, {5, 6},
    };
    struct eight_t {
        ap_int<16> value[8];
    };

    void step(hls::stream<eight_t>& in, hls::stream<eight_t>& out) {
        eight_t x = in.read();
        for (int i = 0; i < COMPARATORS; i++) {
            ap_int<16>&upper = x.value[PAIRS[i][0]], &lower = x.value[PAIRS[i][1]];
            if (upper > lower) {
                const ap_int<16> swapped = upper;
                upper = lower;
                lower = swapped;
            }
        }
        out.write(x);
    }
};
