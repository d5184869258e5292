// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Counts how often each of 256 values occurs; behind the last value all counts leave, and start from zero again.
//
// What it shows: a block RAM that is read and written at one address in every cycle. Two equal values in a row have to
// see each other's count: the compiler forwards what is on its way into the RAM, so one value is counted per cycle.
// A RAM has one read and one write per step, so counting and emptying share them.
//
//     hls-open check histogram.hpp histogram=histogram_stage
#pragma once
#include <ap_int.h>
#include <hls_stream.h>
#include <ram.h>

struct histogram_stage {
    typedef ap_uint<8> value_t;
    typedef ap_uint<16> count_t;
    struct sample_t {
        value_t value;
        ap_uint<1> last;  // of a picture, a packet
    };

    hls_open::ram<count_t, 256> counts;  // 0 at the start
    bool emptying = false;
    value_t next = 0;  // to leave

    void step(hls::stream<sample_t>& in, hls::stream<count_t>& out) {
        value_t value = next;
        bool last = false;
        if (!emptying) {
            const sample_t sample = in.read();
            value = sample.value;
            last = sample.last == 1;
        }
        const count_t count = counts.read(value);
        counts.write(value, emptying ? count_t(0) : count_t(count + 1));
        if (emptying) {
            out.write(count);
            next++;
        }
        emptying = last || (emptying && next != 0);
    }
};
