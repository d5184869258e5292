// Answers and output pixels -> AXI4-Stream out. One transfer in gives one transfer out: TLAST comes with the
// last beat of the answer to the packet that ended the transfer.
//
// A pixel of the output is OUT_CH bytes, which arrive WORD at a time: a part of a pixel, or several pixels of a row. A
// step places the largest part of a word that is no larger than a beat, wherever it falls: a word of up to 8 bytes in
// one step.
#pragma once
#include "answer_command.hpp"
#include "stage_command.hpp"

namespace srcnn {

// The largest part of a word that has at most so many bytes.
constexpr int largest_part(int word, int most) { return word % most == 0 ? most : largest_part(word, most - 1); }

template <class L> struct packer_stage {
    static constexpr int IDLE = 0, HEADER0 = 1, HEADER1 = 2, INFO0 = 3, INFO1 = 4, PLACE = 5, HOLD = 6;  // states
    static constexpr int BYTES = largest_part(L::WORD, 8);  // placed in a step
    static constexpr int BITS = BYTES * ACT_BITS;
    static constexpr int PARTS = L::WORD / BYTES;                                 // steps of a word
    static constexpr int PIXELS = L::WORD > L::OUT_CH ? L::WORD / L::OUT_CH : 1;  // that leave in STEPS steps
    static constexpr int STEPS = PIXELS * L::OUT_CH / BYTES;
    static constexpr bool ALIGNED = 8 % BYTES == 0;  // no part lies in two beats
    static constexpr int LANE = ALIGNED ? BITS : 8;  // bits from one place of a part to the next
    static constexpr int LANES = 64 / LANE;
    static_assert(ACT_BITS == 8, "a beat holds eight activations");
    static_assert(L::OUT_CH % L::WORD == 0 || L::WORD % L::OUT_CH == 0, "a word is a part of a pixel or some pixels");

    typedef ap_uint<L::WORD * ACT_BITS> in_t;
    typedef ap_uint<index_bits(LANES)> lane_t;
    typedef ap_uint<64 + (ALIGNED ? 0 : BITS)> beat_data_t;

    ap_uint<3> state = IDLE;
    answer_command answer = answer_command();
    coord_t last_x = 0;              // of a row of the output: its length, less one
    coord_t rest_x = 0, rest_y = 0;  // pixels left in the row and rows left, without this one
    ap_uint<index_bits(STEPS)> step_of_position = 0;
    ap_uint<index_bits(PARTS)> part = 0;
    in_t word = 0;
    lane_t lane = 0;  // parts that a beat holds; its bytes, where parts don't divide it
    beat_data_t beat_data = 0;

    bool wants_answer() const {
#pragma HLS INLINE
        return state == IDLE || state == HOLD;
    }
    bool wants_pixel() const {
#pragma HLS INLINE
        return state == PLACE && (PARTS == 1 || part == 0);
    }
    bool wants_size() const {
#pragma HLS INLINE
        return state == HEADER1 && answer.kind == ANSWER_TILE;
    }
    bool ready(hls::stream<ctrl_t>& ctrl, hls::stream<answer_t>& answers, hls::stream<in_t>& in,
               hls::stream<beat_t>&) const {
        return !(wants_size() && ctrl.empty()) && !(wants_answer() && answers.empty()) &&
               !(wants_pixel() && in.empty());
    }

    void step(hls::stream<ctrl_t>& ctrl, hls::stream<answer_t>& answers, hls::stream<in_t>& in,
              hls::stream<beat_t>& out) {
#pragma HLS INLINE
        bool send = false, last = false;
        ap_uint<64> data = 0;
        answer_command next = answer;
        if (wants_answer()) {
            next = answer_command::unpack(answers.read());
        }
        if (wants_pixel()) {
            word = in.read();
        }
        stage_command size = stage_command();  // none but a tile's answer has one
        if (wants_size()) {
            size = stage_command::unpack(ctrl.read());
            data.range(31, 16) = size.last_y + 1;
            data.range(15, 0) = size.last_x + 1;
        }

        if (state == IDLE) {
            answer = next;
            state = HEADER0;
        } else if (state == HEADER0) {
            data = header0();
            send = true;
            state = HEADER1;
        } else if (state == HEADER1) {
            data.range(63, 32) = answer.tag;
            send = true;
            rest_x = last_x = size.last_x;
            rest_y = size.last_y;
            step_of_position = 0;
            part = 0;
            lane = 0;
            beat_data = 0;
            const bool more = answer.kind == ANSWER_TILE || answer.kind == ANSWER_IDENTITY;
            last = !more && answer.last;
            state = answer.kind == ANSWER_TILE ? PLACE : answer.kind == ANSWER_IDENTITY ? INFO0 : IDLE;
        } else if (state == INFO0) {
            data = MAX_WIDTH | MAX_HEIGHT << 16;
            send = true;
            state = INFO1;
        } else if (state == INFO1) {
            data = PARAM_BEATS;
            send = true;
            last = answer.last;
            state = IDLE;
        } else if (state == PLACE) {
            const bool end_of_position = STEPS == 1 || step_of_position == STEPS - 1;
            const bool end_of_row = end_of_position && rest_x == PIXELS - 1;
            const bool end = end_of_row && rest_y == 0;
            const bool full = ALIGNED ? LANES == 1 || lane == LANES - 1 : lane >= 8 - BYTES;  // with this part
            const bool over = !ALIGNED && lane > 8 - BYTES;  // and some of it is left over
        place_part:
            for (int i = 0; i < LANES; i++) {
#pragma HLS UNROLL
                if (lane == i) {
                    beat_data.range(LANE * i + BITS - 1, LANE * i) = word.range(BITS - 1, 0);
                }
            }
            word = PARTS == 1 ? word : in_t(word >> (PARTS == 1 ? 0 : BITS));
            part = next_count(part, PARTS == 1 || part == PARTS - 1);
            data = beat_data;
            send = full && (!end || over);
            lane = ALIGNED ? next_count(lane, full) : lane_t(lane + BYTES);
            step_of_position = next_count(step_of_position, end_of_position);
            if (end_of_position) {
                rest_x = end_of_row ? last_x : coord_t(rest_x - PIXELS);
                rest_y = end_of_row ? coord_t(rest_y - 1) : rest_y;
            }
            if (send) {
                beat_data = ALIGNED ? beat_data_t(0) : beat_data_t(beat_data >> (ALIGNED ? 0 : 64));
            }
            state = end ? HOLD : PLACE;
        } else if (state == HOLD) {
            // The last beat waits for the word on how the tile ended.
            const bool failed = next.error != 0;
            data = beat_data;
            send = true;
            last = next.last && !failed;
            answer = next;
            if (failed) {
                answer.kind = ANSWER_ERROR;
            }
            state = failed ? HEADER0 : IDLE;
        }
        if (send) {
            beat_t beat;
            beat.data = data;
            beat.keep = 0xFF;
            beat.strb = 0xFF;
            beat.last = last;
            out.write(beat);
        }
    }

    ap_uint<64> header0() const {
#pragma HLS INLINE
        const ap_uint<8> code = answer.kind == ANSWER_TILE       ? 0x80 | COMMAND_TILE
                                : answer.kind == ANSWER_LOADED   ? 0x80 | COMMAND_LOAD
                                : answer.kind == ANSWER_IDENTITY ? 0x80 | COMMAND_IDENTIFY
                                                                 : 0xFF;
        ap_uint<64> data = 0;
        data.range(15, 0) = MAGIC;
        data.range(23, 16) = code;
        data.range(31, 24) = answer.error;
        data.range(63, 32) = CONFIG_ID;
        return data;
    }
};

}  // namespace srcnn
