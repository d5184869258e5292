// Four registers behind AXI-Lite, to see on a desk that the processor reaches the fabric: design `register`.
//
//     0x0  read, write   bits 3..0: the LEDs
//     0x4  read, write   scratch
//     0x8  read          how many writes there were since the reset
//     0xC  read          IDENTITY
//
// The address's upper bits say nothing: every read and every write in the port's range is answered.
#pragma once
#include <ap_int.h>
#include <hls_stream.h>

#include "axi3_bridge.hpp"

namespace desk {

constexpr unsigned IDENTITY = 0x4E435253;  // "SRCN" in memory
constexpr int WORD_BITS = 38;              // of a request: data, strobes, the register's number
constexpr int WRITE = 0;                   // the merge's sources: writes, reads

typedef ap_uint<WORD_BITS> word_t;
struct event {  // a word of hls_open_merge
    word_t word;
    ap_uint<2> source;
};

// AXI-Lite's two write channels are one request.
struct desk_write {
    void step(hls::stream<bridge::address_t>& lite_aw, hls::stream<bridge::write_beat>& lite_w,
              hls::stream<word_t>& out) {
#pragma HLS INLINE
        const bridge::write_beat beat = lite_w.read();
        const bridge::address_t address = lite_aw.read();
        word_t word = 0;
        word.range(31, 0) = beat.data;
        word.range(35, 32) = beat.strb;
        word.range(37, 36) = address.range(3, 2);
        out.write(word);
    }
};

struct desk_read {
    void step(hls::stream<bridge::address_t>& lite_ar, hls::stream<word_t>& out) {
#pragma HLS INLINE
        word_t word = 0;
        word.range(37, 36) = lite_ar.read().range(3, 2);
        out.write(word);
    }
};

struct desk_registers {
    ap_uint<4> pattern = 0;
    ap_uint<32> scratch = 0, writes = 0;

    static ap_uint<32> changed(ap_uint<32> before, ap_uint<32> data, ap_uint<4> strb) {
#pragma HLS INLINE
        ap_uint<32> after = before;
        for (int i = 0; i < 4; i++) {
            if (strb[i]) {
                after.range(8 * i + 7, 8 * i) = data.range(8 * i + 7, 8 * i);
            }
        }
        return after;
    }

    void step(hls::stream<event>& events, hls::stream<bridge::lite_answer>& lite_r, hls::stream<bridge::resp_t>& lite_b,
              hls::stream<ap_uint<4> >& leds) {
#pragma HLS INLINE
        const event now = events.read();
        const ap_uint<2> at = now.word.range(37, 36);
        const ap_uint<32> data = now.word.range(31, 0);
        const ap_uint<4> strb = now.word.range(35, 32);
        if (now.source == WRITE) {
            if (at == 0) {
                pattern = changed(pattern, data, strb).range(3, 0);
            }
            if (at == 1) {
                scratch = changed(scratch, data, strb);
            }
            writes = writes + 1;
            lite_b.write(0);
            leds.write(pattern);
        } else {
            bridge::lite_answer answer;
            answer.data = at == 0 ? ap_uint<32>(pattern) : at == 1 ? scratch : at == 2 ? writes : ap_uint<32>(IDENTITY);
            answer.resp = 0;
            lite_r.write(answer);
        }
    }
};

}  // namespace desk
