// An addition: a residual plus an earlier tensor, cropped by the halo between, saturated to 0..255.
//
// A residual of n times the channels gets the earlier tensor n times over. Each step takes a word of the residual and,
// where there is room, one of the earlier tensor, so neither waits for more than the other.
#pragma once
#include "message_gate.hpp"
#include "skip_source.hpp"

namespace srcnn {

template <class L> struct add_stage {
    typedef skip_source<L> skips;
    static constexpr int RESIDUAL_BITS = ACT_BITS + 1;
    static constexpr int WORDS = L::OUT_CH / L::IN_WORD;                   // of a position of the residual
    static constexpr int TURN = WORDS > 1 ? L::IN_WORD % L::CHANNELS : 0;  // channels that a word moves on by
    static_assert(L::OUT_CH % L::IN_WORD == 0, "the word has to divide the channels");
    static_assert(L::OUT_CH % L::CHANNELS == 0, "the residual has a multiple of the earlier tensor's channels");

    typedef ap_uint<L::IN_WORD * RESIDUAL_BITS> in_t;
    typedef typename skips::in_t skip_t;
    typedef ap_uint<L::IN_WORD * ACT_BITS> out_t;
    typedef typename skips::pixel_t pixel_t;

    passing_gate<L::SHRINK, 1> gate;
    skips source;
    bool running = false;    // false: waiting for a command, or passing parameters
    bool busy = false;       // `earlier` waits for words of its residual
    bool last = WORDS == 1;  // the next one is the last
    ap_uint<index_bits(WORDS)> word = 0;
    pixel_t earlier = 0;

    bool enters() const {
#pragma HLS INLINE
        return source.valid && (!busy || last);
    }
    bool wants_skip() const {
#pragma HLS INLINE
        return running && source.fetching && (!source.valid || enters());
    }
    bool wants_residual() const {
#pragma HLS INLINE
        return running && busy;
    }
    bool wants_ctrl() const {
#pragma HLS INLINE
        return !running;
    }
    bool ready(hls::stream<ctrl_t>& ctrl, hls::stream<in_t>& in, hls::stream<skip_t>& skip, hls::stream<ctrl_t>&,
               hls::stream<out_t>&) const {
        return !(wants_ctrl() && ctrl.empty()) && !(wants_residual() && in.empty()) && !(wants_skip() && skip.empty());
    }

    void step(hls::stream<ctrl_t>& ctrl, hls::stream<in_t>& in, hls::stream<skip_t>& skip, hls::stream<ctrl_t>& next,
              hls::stream<out_t>& out) {
#pragma HLS INLINE
        if (wants_ctrl()) {
            const ctrl_t message = ctrl.read();
            const stage_command command = stage_command::unpack(message);
            running = !gate.passing && command.tile;
            source.start(command);
            gate.pass(message, next);
        } else {
            run(in, skip, out);
        }
    }

    void run(hls::stream<in_t>& in, hls::stream<skip_t>& skip, hls::stream<out_t>& out) {
#pragma HLS INLINE
        const bool fetch = wants_skip(), enter = enters(), ends = last;
        if (busy) {
            out.write(add(in.read(), earlier));
            earlier = turned(earlier);
            word = next_count(word, ends);
            last = WORDS == 1 || word == WORDS - 1;
        }
        if (enter) {
            earlier = source.position.pixel;
            source.valid = false;
            busy = true;
        } else if (ends) {
            busy = false;
        }
        if (fetch) {
            source.fetch(skip.read());
        }
        running = source.fetching || source.valid || busy;
    }

    // The channels for the next word of the residual, in front.
    static pixel_t turned(pixel_t pixel) {
#pragma HLS INLINE
        constexpr int BITS = TURN * ACT_BITS, REST = (L::CHANNELS - TURN) * ACT_BITS;
        return TURN == 0 ? pixel : pixel_t((pixel >> BITS) | (pixel << (TURN == 0 ? 0 : REST)));
    }

    static out_t add(in_t residuals, pixel_t pixel) {
#pragma HLS INLINE
        out_t result = 0;
    add_channel:
        for (int i = 0; i < L::IN_WORD; i++) {
#pragma HLS UNROLL
            const int from = i % L::CHANNELS * ACT_BITS;
            const ap_int<RESIDUAL_BITS> residual = residuals.range((i + 1) * RESIDUAL_BITS - 1, i * RESIDUAL_BITS);
            const act_t value = pixel.range(from + ACT_BITS - 1, from);
            const ap_int<RESIDUAL_BITS + 1> sum = residual + value;
            const bool negative = sum[RESIDUAL_BITS], above = sum[ACT_BITS];
            const act_t low = sum.range(ACT_BITS - 1, 0);
            result.range((i + 1) * ACT_BITS - 1, i * ACT_BITS) = negative ? act_t(0) : above ? act_t(255) : low;
        }
        return result;
    }
};

}  // namespace srcnn
