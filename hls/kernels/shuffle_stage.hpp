// Depth-to-space: of every position FACTOR x FACTOR pixels, in the order of the output's rows.
//
// A position holds the pixels of FACTOR rows, so a row of positions has to be there before its second row of pixels can
// leave. Two rows of positions are kept: one is filled while the other leaves. A position takes SLOT steps, in which
// its words come and as many words leave of the row before; after the last row one more leaves, and none comes. Nothing
// waits as long as positions come SLOT cycles apart.
//
// A word that leaves holds PIXELS pixels, FACTOR of them in front of the packer, one in front of another layer.
#pragma once
#include "gather.hpp"
#include "message_gate.hpp"
#include "ram.hpp"

namespace srcnn {

template <class L> struct shuffle_stage {
    static constexpr int POSITION = L::FACTOR * L::FACTOR * L::CHANNELS;
    static constexpr int WORDS = POSITION / L::IN_WORD;              // that a position comes in
    static constexpr int LEAVE = L::FACTOR * L::FACTOR / L::PIXELS;  // words that it leaves in
    static constexpr int ROW = L::FACTOR / L::PIXELS;                // of them in a row of pixels
    static constexpr int SLOT = WORDS > LEAVE ? WORDS : LEAVE;
    static constexpr int OUT_BITS = L::PIXELS * L::CHANNELS * ACT_BITS;
    static_assert(L::FACTOR % L::PIXELS == 0, "a word has to divide the pixels of a position's row");

    typedef gather<POSITION, L::IN_WORD> words;
    typedef typename words::in_t in_t;
    typedef ap_uint<OUT_BITS> out_t;
    typedef typename words::pixel_t position_t;
    typedef ap_uint<index_bits(SLOT)> slot_t;

    passing_gate<L::SHRINK, L::SCALE> gate;
    words position;
    ram<position_t, 2 * L::MAX_W> rows;
    bool running = false;                   // false: waiting for a command, or passing parameters
    bool filling = false, leaving = false;  // a row comes; the one before it leaves
    bool half = false;                      // of `rows`, that is filled
    bool comes = true, leaves = true;       // a word does in this step of the slot
    slot_t at = 0;
    coord_t last_x = 0, x = 0, left = 0;  // positions; rows to come after this one
    coord_t out_x = 0;
    ap_uint<index_bits(ROW)> out_word = 0;
    ap_uint<index_bits(L::FACTOR)> out_row = 0;

    bool wants_input() const {
#pragma HLS INLINE
        return running && filling && comes;
    }
    bool wants_ctrl() const {
#pragma HLS INLINE
        return !running;
    }
    bool ready(hls::stream<ctrl_t>& ctrl, hls::stream<in_t>& in, hls::stream<ctrl_t>&, hls::stream<out_t>&) const {
        return !(wants_ctrl() && ctrl.empty()) && !(wants_input() && in.empty());
    }

    void step(hls::stream<ctrl_t>& ctrl, hls::stream<in_t>& in, hls::stream<ctrl_t>& next, hls::stream<out_t>& out) {
#pragma HLS INLINE
        if (wants_ctrl()) {
            const ctrl_t message = ctrl.read();
            const stage_command command = stage_command::unpack(message);
            running = filling = !gate.passing && command.tile;
            leaving = false;
            last_x = command.last_x;
            left = command.last_y;
            gate.pass(message, next);
        } else {
            run(in, out);
        }
    }

    void run(hls::stream<in_t>& in, hls::stream<out_t>& out) {
#pragma HLS INLINE
        if (leaving && leaves) {
            out.write(pixels(rows.read(address(!half, out_x))));
            advance_out();
        }
        if (filling && comes) {
            if (position.take(in.read())) {
                rows.write(address(half, x), position.pixel);
            }
        }
        const bool end = SLOT == 1 || at == SLOT - 1;
        const bool end_of_row = end && x == last_x;
        comes = WORDS == SLOT || end || (comes && at != WORDS - 1);
        leaves = LEAVE == SLOT || end || (leaves && at != LEAVE - 1);
        at = next_count(at, end);
        if (end) {
            x = next_count(x, end_of_row);
        }
        if (end_of_row) {
            half = !half;
            leaving = filling;
            running = filling;
            filling = filling && left != 0;
            left = left - 1;
        }
    }

    static ap_uint<index_bits(2 * L::MAX_W)> address(bool upper, coord_t column) {
#pragma HLS INLINE
        return upper ? coord_t(column + L::MAX_W) : column;
    }

    // The word that leaves, of a position.
    out_t pixels(position_t whole) const {
#pragma HLS INLINE
        out_t result = 0;
    choose_word:
        for (int i = 0; i < LEAVE; i++) {
#pragma HLS UNROLL
            if (out_row == i / ROW && out_word == i % ROW) {
                result = whole.range((i + 1) * OUT_BITS - 1, i * OUT_BITS);
            }
        }
        return result;
    }

    void advance_out() {
#pragma HLS INLINE
        const bool end = ROW == 1 || out_word == ROW - 1;
        const bool end_of_row = end && out_x == last_x;
        out_word = next_count(out_word, end);
        if (end) {
            out_x = next_count(out_x, end_of_row);
        }
        if (end_of_row) {
            out_row = next_count(out_row, out_row == L::FACTOR - 1);
        }
    }
};

}  // namespace srcnn
