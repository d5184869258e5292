// AXI4-Stream in -> commands, parameters and pixels for the stages.
//
// Every packet is either carried out or answered with an error; after an error the rest of the transfer, up to
// TLAST, is discarded. Once a tile or a load has been announced to the stages, they get all they wait for: what
// a truncated transfer left out is made up with zeros, so that nothing behind the parser ever hangs.
#pragma once
#include "answer_command.hpp"
#include "stage_command.hpp"

namespace srcnn {

// PARAMS: parameter words of each of the four stages. HALOS: sum of (k - 1) before each stage.
template <int P0, int P1, int P2, int P3, int SHRINK1, int SHRINK2, int SHRINK3> struct parser_stage {
    static_assert(P0 + P1 + P2 + P3 == PARAM_BEATS, "the stages and the configuration disagree on the parameters");

    static constexpr int HEADER0 = 0, HEADER1 = 1, LOAD = 2, TILE = 3, DISCARD = 4;  // states

    ap_uint<3> state = HEADER0;
    ap_uint<8> command = 0, fault = 0;
    ap_uint<32> tag = 0;
    bool loaded = false;      // the stages hold a whole set of parameters
    bool ended = false;       // TLAST of this transfer has been seen
    bool in_tile = false;     // a tile answer is open: close it before an error answer
    // Load: which stage, whether its command has been sent, words left.
    ap_uint<2> stage = 0;
    bool announced = false;
    ap_uint<32> left = 0;
    // Tile: position, beat being taken apart.
    coord_t width = 0, height = 0, x = 0, y = 0;
    ap_uint<3> lane = 0;
    ap_uint<64> pixels = 0;

    bool wants_beat() const {
#pragma HLS INLINE
        const bool payload = (state == LOAD && announced) || (state == TILE && lane == 0);
        return state == HEADER0 || state == HEADER1 || state == DISCARD || (payload && fault == 0);
    }
    template <class... S> bool ready(hls::stream<beat_t>& in, S&...) const { return !wants_beat() || !in.empty(); }

    void step(hls::stream<beat_t>& in, hls::stream<act_t>& pixel_out, hls::stream<ctrl_t>& ctrl0,
              hls::stream<ctrl_t>& ctrl1, hls::stream<ctrl_t>& ctrl2, hls::stream<ctrl_t>& ctrl3,
              hls::stream<answer_t>& answers) {
#pragma HLS INLINE
        ap_uint<64> data = 0;
        bool last = false, partial = false;
        if (wants_beat()) {
            const beat_t beat = in.read();
            data = beat.data;
            last = beat.last;
            partial = beat.keep != 0xFF;
            ended = last;
        }
        answer_command answer;
        answer.kind = ANSWER_ERROR;
        answer.last = last;
        answer.error = fault;
        answer.width = answer.height = 0;
        bool send_answer = false;
        bool to_all = false;
        ap_uint<4> to = 0;        // stages that get `message`
        ctrl_t message = 0;

        if (state == HEADER0) {
            command = data.range(23, 16);
            tag = 0;
            fault = partial                         ? ERROR_BAD_KEEP
                    : data.range(15, 0) != MAGIC    ? ERROR_BAD_MAGIC
                    : !known(command)               ? ERROR_UNKNOWN_COMMAND
                    : command != COMMAND_IDENTIFY && data.range(63, 32) != CONFIG_ID ? ERROR_WRONG_CONFIG
                    : last                          ? ERROR_TRUNCATED
                                                    : 0;
            state = fault != 0 ? DISCARD : HEADER1;
        } else if (state == HEADER1) {
            tag = data.range(63, 32);
            width = data.range(15, 0);
            height = data.range(31, 16);
            fault = partial ? ap_uint<8>(ERROR_BAD_KEEP) : check(data.range(31, 0), last);
            x = y = 0;
            lane = 0;
            stage = 0;
            announced = false;
            if (fault != 0) {
                state = DISCARD;
            } else if (command == COMMAND_IDENTIFY) {
                answer.kind = ANSWER_IDENTITY;
                send_answer = true;
                state = HEADER0;
            } else if (command == COMMAND_LOAD) {
                loaded = false;
                state = LOAD;
            } else {
                answer.kind = ANSWER_TILE;
                answer.width = width - 2 * HALO;
                answer.height = height - 2 * HALO;
                send_answer = true;
                in_tile = true;
                to_all = true;
                state = TILE;
            }
        } else if (state == LOAD) {
            const ap_uint<32> words = stage == 0 ? P0 : stage == 1 ? P1 : stage == 2 ? P2 : P3;
            to = ap_uint<4>(1) << stage;
            if (!announced) {
                announced = true;
                left = words;       // message 0: load
            } else {
                message = data;     // 0 once the transfer has ended
                const bool end_of_stage = left == 1;
                const bool end = end_of_stage && stage == 3;
                left = left - 1;
                if (fault == 0) {
                    fault = partial ? ERROR_BAD_KEEP : last && !end ? ERROR_TRUNCATED : 0;
                }
                if (end_of_stage) {
                    announced = false;
                    stage = stage + 1;
                }
                if (end) {
                    loaded = fault == 0;
                    answer.kind = ANSWER_LOADED;
                    send_answer = fault == 0;
                    state = fault == 0 ? HEADER0 : DISCARD;
                }
            }
        } else if (state == TILE) {
            const bool end_of_row = x == width - 1;
            const bool end = end_of_row && y == height - 1;
            const bool end_of_beat = lane == 7;
            if (lane == 0) {
                pixels = data;      // 0 once the transfer has ended
                if (fault == 0) {
                    const bool rest = !ends_within_beat();
                    fault = partial ? ERROR_BAD_KEEP : last && rest ? ERROR_TRUNCATED : 0;
                }
            }
            pixel_out.write(pixels.range(7, 0));
            pixels = pixels >> 8;
            lane = next_count(lane, end_of_beat);
            x = next_count(x, end_of_row);
            y = end_of_row ? coord_t(y + 1) : y;
            if (end) {
                answer.kind = ANSWER_TILE_END;
                answer.last = ended;
                send_answer = fault == 0;
                in_tile = fault != 0;
                state = fault == 0 ? HEADER0 : DISCARD;
            }
        }
        // A fault is answered once TLAST has passed.
        if (state == DISCARD && ended) {
            answer.kind = in_tile ? ANSWER_TILE_END : ANSWER_ERROR;
            answer.error = fault;
            answer.last = true;
            send_answer = true;
            in_tile = false;
            fault = 0;
            state = HEADER0;
        }
        if (send_answer) {
            answer.tag = tag;
            answers.write(answer.pack());
        }
        if (to_all || to[0]) {
            ctrl0.write(to_all ? tile_message(0) : message);
        }
        if (to_all || to[1]) {
            ctrl1.write(to_all ? tile_message(SHRINK1) : message);
        }
        if (to_all || to[2]) {
            ctrl2.write(to_all ? tile_message(SHRINK2) : message);
        }
        if (to_all || to[3]) {
            ctrl3.write(to_all ? tile_message(SHRINK3) : message);
        }
    }

    static bool known(ap_uint<8> code) {
#pragma HLS INLINE
        return code == COMMAND_IDENTIFY || code == COMMAND_LOAD || code == COMMAND_TILE;
    }

    // What is wrong with the second header beat, 0 if nothing.
    ap_uint<8> check(ap_uint<32> count, bool last) const {
#pragma HLS INLINE
        ap_uint<8> wrong = 0;
        if (command == COMMAND_LOAD) {
            wrong = count != PARAM_BEATS ? ERROR_BAD_LENGTH : last ? ERROR_TRUNCATED : 0;
        } else if (command == COMMAND_TILE) {
            wrong = width <= 2 * HALO || height <= 2 * HALO    ? ERROR_TOO_SMALL
                    : width > MAX_WIDTH || height > MAX_HEIGHT ? ERROR_TOO_LARGE
                    : !loaded                                  ? ERROR_NOT_LOADED
                    : last                                     ? ERROR_TRUNCATED
                                                               : 0;
        }
        return wrong;
    }

    // True if the tile's last pixel lies in the beat that starts at (x, y). At most 8 pixels are left in a beat
    // and a row is longer than that, so only the last row can hold it.
    bool ends_within_beat() const {
#pragma HLS INLINE
        static_assert(2 * HALO + 1 > 8, "a beat has to lie within two rows");
        const bool last_row = y == height - 1;
        return last_row && width - x <= 8;
    }

    ctrl_t tile_message(int shrink) const {
#pragma HLS INLINE
        stage_command message;
        message.tile = true;
        message.width = width - shrink;
        message.height = height - shrink;
        return message.pack();
    }
};

}  // namespace srcnn
