// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A run-length coder: bytes in, pairs of a byte and how often it follows itself out; at most 255 times, then again.
//
// What it shows: a step that writes only sometimes, and one that reads only sometimes: the last byte may end one run
// and be another, which are two words, so the second leaves in a step that takes no input.
//
//     hls-open check run_length.hpp run_length=run_length_coder
#pragma once
#include <ap_int.h>
#include <hls_stream.h>

struct run_length_coder {
    struct byte_t {
        ap_uint<8> value;
        ap_uint<1> last;
    };
    struct run_t {
        ap_uint<8> value, length;
        ap_uint<1> last;
    };

    run_t run;            // that grows; none if its length is 0
    bool ending = false;  // the run is the last and has to leave

    run_length_coder() {
        run.value = 0;
        run.length = 0;
        run.last = 0;
    }

    void step(hls::stream<byte_t>& in, hls::stream<run_t>& out) {
        if (ending) {
            out.write(run);
            run.length = 0;
            ending = false;
            return;
        }
        const byte_t x = in.read();
        const bool grows = run.length != 0 && run.length != 255 && x.value == run.value;
        if (!grows && run.length != 0) {
            run.last = 0;
            out.write(run);
        }
        run.length = grows ? ap_uint<8>(run.length + 1) : ap_uint<8>(1);
        run.value = x.value;
        run.last = x.last;
        ending = x.last == 1;
    }
};
