// AXI4-Stream in -> commands, parameters and pixels for the stages.
//
// Every packet is either carried out or answered with an error; after an error the rest of the transfer, up to
// TLAST, is discarded. Once a tile or a load has been announced to the stages, they get all they wait for: what
// a truncated transfer left out is made up with zeros, so that nothing behind the parser ever hangs.
#pragma once
#include "answer_command.hpp"
#include "stage_command.hpp"

namespace srcnn {

struct parser_stage {
    // States. A header beat is taken in one step, looked at in the next and judged in the third, and what comes behind
    // a load or a tile is decided when its last beat has been looked at: so no step's decision hangs on a beat that has
    // just come out of its FIFO, and none takes long.
    static constexpr int HEADER0 = 0, LOOK0 = 1, JUDGE0 = 2, HEADER1 = 3, LOOK1 = 4, JUDGE1 = 5, LOAD = 6, TILE = 7,
                         CLOSE = 8, DISCARD = 9;

    ap_uint<4> state = HEADER0;
    ap_uint<8> command = 0;
    ap_uint<4> fault = 0;
    ap_uint<32> tag = 0;
    bool loaded = false;   // the stages hold a whole set of parameters
    bool ended = false;    // TLAST of this transfer has been seen
    bool in_tile = false;  // a tile answer is open: close it before an error answer
    // A header beat, and what was seen of it.
    ap_uint<64> header = 0;
    bool bad_keep = false, bad_magic = false, wrong_config = false, bad_length = false, too_small = false,
         too_large = false;
    // Load: whether its command has been sent, words left.
    bool announced = false;
    ap_uint<index_bits(PARAM_BEATS + 1)> left = 0;
    // Tile: pixels left in the row and rows left, without this one; the beat being taken apart, whose next pixel is in
    // the low bits. `lane`: how many of its pixels have gone; bytes that are left, where a pixel does not divide a
    // beat.
    coord_t width = 0, height = 0, rest_x = 0, rest_y = 0;
    static constexpr bool DIVIDES = 8 % IN_CH == 0;
    typedef ap_uint<3> lane_t;
    typedef ap_uint<64 + (DIVIDES ? 0 : 8 * (IN_CH - 1))> pixels_t;
    lane_t lane = 0;
    pixels_t pixels = 0;
    static_assert(IN_CH < 8, "a pixel is fewer bytes than a beat");

    bool wants_beat() const {
#pragma HLS INLINE
        return state == HEADER0 || state == HEADER1 || ((state == DISCARD || wants_payload()) && !ended);
    }
    // The next pixels or the next parameter are in another beat; they are zero if there is none.
    bool wants_payload() const {
#pragma HLS INLINE
        return ((state == LOAD && announced) || (state == TILE && empty())) && fault == 0;
    }
    // What is left of a beat is no whole pixel.
    bool empty() const {
#pragma HLS INLINE
        return DIVIDES ? lane == 0 : lane < IN_CH;
    }
    template <class... S> bool ready(hls::stream<beat_t>& in, S&...) const { return !wants_beat() || !in.empty(); }

    void step(hls::stream<beat_t>& in, hls::stream<in_pixel_t>& pixel_out, hls::stream<ctrl_t>& ctrl,
              hls::stream<answer_t>& answers) {
#pragma HLS INLINE
        ap_uint<64> data = 0;
        bool partial = false;
        const bool was_ended = ended;
        const bool missing = wants_payload() && was_ended;  // the transfer has ended before its packet
        if (wants_beat()) {
            const beat_t beat = in.read();
            data = beat.data;
            partial = beat.keep != 0xFF;
            ended = beat.last;
        }
        answer_command answer;
        answer.kind = ANSWER_ERROR;
        answer.last = ended;
        answer.error = fault;
        bool send_answer = false, send_message = false;
        ctrl_t message = 0;

        if (state == HEADER0 || state == HEADER1) {
            header = data;
            bad_keep = partial;
            state = state == HEADER0 ? LOOK0 : LOOK1;
        } else if (state == LOOK0) {
            command = header.range(23, 16);
            tag = 0;
            bad_magic = header.range(15, 0) != MAGIC;
            wrong_config = header.range(63, 32) != CONFIG_ID;
            state = JUDGE0;
        } else if (state == JUDGE0) {
            const bool other = wrong_config && command != COMMAND_IDENTIFY, unknown = !known(command);
            fault = bad_keep    ? ERROR_BAD_KEEP
                    : bad_magic ? ERROR_BAD_MAGIC
                    : unknown   ? ERROR_UNKNOWN_COMMAND
                    : other     ? ERROR_WRONG_CONFIG
                    : was_ended ? ERROR_TRUNCATED
                                : 0;
            state = bad_keep || bad_magic || unknown || other || was_ended ? DISCARD : HEADER1;
        } else if (state == LOOK1) {
            tag = header.range(63, 32);
            width = header.range(15, 0);
            height = header.range(31, 16);
            bad_length = header.range(31, 0) != PARAM_BEATS;
            too_small = width <= 2 * HALO || height <= 2 * HALO;
            too_large = width > MAX_WIDTH || height > MAX_HEIGHT;
            state = JUDGE1;
        } else if (state == JUDGE1) {
            rest_x = width - 1;
            rest_y = height - 1;
            lane = 0;
            announced = false;
            const bool load = command == COMMAND_LOAD, tile = command == COMMAND_TILE;
            const bool wrong_load = load && (bad_length || was_ended);
            const bool wrong_tile = tile && (too_small || too_large || !loaded || was_ended);
            if (bad_keep || wrong_load || wrong_tile) {
                fault = bad_keep             ? ERROR_BAD_KEEP
                        : load && bad_length ? ERROR_BAD_LENGTH
                        : tile && too_small  ? ERROR_TOO_SMALL
                        : tile && too_large  ? ERROR_TOO_LARGE
                        : tile && !loaded    ? ERROR_NOT_LOADED
                                             : ERROR_TRUNCATED;
                state = DISCARD;
            } else if (tile) {
                answer.kind = ANSWER_TILE;
                send_answer = true;
                in_tile = true;
                message = tile_message();
                send_message = true;
                state = TILE;
            } else if (load) {
                loaded = false;
                state = LOAD;
            } else {
                answer.kind = ANSWER_IDENTITY;
                send_answer = true;
                state = HEADER0;
            }
        } else if (state == LOAD) {
            send_message = true;
            if (!announced) {
                announced = true;
                left = PARAM_BEATS;  // message 0: load
            } else {
                const bool end = left == 1;
                message.range(63, 0) = data;
                message[64] = end;
                left = left - 1;
                if (fault == 0) {
                    fault = partial ? ERROR_BAD_KEEP : missing ? ERROR_TRUNCATED : 0;
                }
                if (end) {
                    state = CLOSE;
                }
            }
        } else if (state == TILE) {
            const bool end_of_row = rest_x == 0;
            const bool end = end_of_row && rest_y == 0;
            const bool end_of_beat = lane == 8 / IN_CH - 1;
            const int more = empty() ? 8 - IN_CH : -IN_CH;  // bytes
            if (empty()) {
                pixels = appended(data);
                if (fault == 0) {
                    fault = partial ? ERROR_BAD_KEEP : missing ? ERROR_TRUNCATED : 0;
                }
            }
            pixel_out.write(pixels.range(IN_CH * 8 - 1, 0));
            pixels = pixels >> (IN_CH * 8);
            lane = DIVIDES ? next_count(lane, end_of_beat) : lane_t(lane + more);
            rest_x = end_of_row ? coord_t(width - 1) : coord_t(rest_x - 1);
            rest_y = end_of_row ? coord_t(rest_y - 1) : rest_y;
            if (end) {
                state = CLOSE;
            }
        } else if (state == CLOSE) {
            answer.kind = in_tile ? ANSWER_TILE_END : ANSWER_LOADED;
            send_answer = fault == 0;
            loaded = loaded || fault == 0;
            in_tile = in_tile && fault != 0;
            state = fault == 0 ? HEADER0 : DISCARD;
        } else if (state == DISCARD && was_ended) {
            // A fault is answered once TLAST has passed.
            answer.kind = in_tile ? ANSWER_TILE_END : ANSWER_ERROR;
            send_answer = true;
            in_tile = false;
            fault = 0;
            state = HEADER0;
        }
        if (send_answer) {
            answer.tag = tag;
            answers.write(answer.pack());
        }
        if (send_message) {
            ctrl.write(message);
        }
    }

    static bool known(ap_uint<8> code) {
#pragma HLS INLINE
        return code == COMMAND_IDENTIFY || code == COMMAND_LOAD || code == COMMAND_TILE;
    }

    // What is left of the last beat, with the next one behind it.
    pixels_t appended(ap_uint<64> data) const {
#pragma HLS INLINE
        pixels_t held = DIVIDES ? pixels_t(data) : pixels;
    append_beat:
        for (int i = 0; i < IN_CH && !DIVIDES; i++) {
#pragma HLS UNROLL
            if (lane == i) {
                held.range(i * 8 + 63, i * 8) = data;
            }
        }
        return held;
    }

    ctrl_t tile_message() const {
#pragma HLS INLINE
        stage_command message;
        message.tile = true;
        message.last_x = width - 1;
        message.last_y = height - 1;
        return message.pack();
    }
};

}  // namespace srcnn
