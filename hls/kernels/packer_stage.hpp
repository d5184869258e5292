// Answers and output pixels -> AXI4-Stream out. One transfer in gives one transfer out: TLAST comes with the
// last beat of the answer to the packet that ended the transfer.
#pragma once
#include "answer_command.hpp"

namespace srcnn {

struct packer_stage {
    static constexpr int IDLE = 0, HEADER0 = 1, HEADER1 = 2, INFO0 = 3, INFO1 = 4, PIXELS = 5, HOLD = 6;  // states

    ap_uint<3> state = IDLE;
    answer_command answer = answer_command();
    coord_t rest_x = 0, rest_y = 0;  // pixels left in the row and rows left, without this one
    ap_uint<3> lane = 0;
    ap_uint<64> beat_data = 0;

    bool wants_answer() const {
#pragma HLS INLINE
        return state == IDLE || state == HOLD;
    }
    bool wants_pixel() const {
#pragma HLS INLINE
        return state == PIXELS;
    }
    bool ready(hls::stream<answer_t>& answers, hls::stream<act_t>& in, hls::stream<beat_t>&) const {
        return !(wants_answer() && answers.empty()) && !(wants_pixel() && in.empty());
    }

    void step(hls::stream<answer_t>& answers, hls::stream<act_t>& in, hls::stream<beat_t>& out) {
#pragma HLS INLINE
        bool send = false, last = false;
        ap_uint<64> data = 0;
        answer_command next = answer;
        if (wants_answer()) {
            next = answer_command::unpack(answers.read());
        }
        act_t pixel = 0;
        if (wants_pixel()) {
            pixel = in.read();
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
            data.range(31, 16) = answer.height;
            data.range(15, 0) = answer.width;
            send = true;
            rest_x = last_x();
            rest_y = answer.height - 1;
            lane = 0;
            beat_data = 0;
            const bool more = answer.kind == ANSWER_TILE || answer.kind == ANSWER_IDENTITY;
            last = !more && answer.last;
            state = answer.kind == ANSWER_TILE ? PIXELS : answer.kind == ANSWER_IDENTITY ? INFO0 : IDLE;
        } else if (state == INFO0) {
            data = MAX_WIDTH | MAX_HEIGHT << 16;
            send = true;
            state = INFO1;
        } else if (state == INFO1) {
            data = PARAM_BEATS;
            send = true;
            last = answer.last;
            state = IDLE;
        } else if (state == PIXELS) {
            const bool end_of_row = rest_x == 0;
            const bool end = end_of_row && rest_y == 0;
        place_pixel:
            for (int i = 0; i < 8; i++) {
#pragma HLS UNROLL
                if (lane == i) {
                    beat_data.range(8 * i + 7, 8 * i) = pixel;
                }
            }
            data = beat_data;
            send = lane == 7 && !end;
            lane = next_count(lane, lane == 7);
            rest_x = end_of_row ? last_x() : coord_t(rest_x - 1);
            rest_y = end_of_row ? coord_t(rest_y - 1) : rest_y;
            if (send) {
                beat_data = 0;
            }
            state = end ? HOLD : PIXELS;
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

    coord_t last_x() const {
#pragma HLS INLINE
        return answer.width - 1;
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
