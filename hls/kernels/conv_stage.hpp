// One convolution layer: columns -> window -> folded MAC array -> requantise.
//
// step() is one clock cycle. Per output position the MAC array takes FOLD = OUT_FOLD * TAP_FOLD steps: for each
// group of PE output channels, TAP_FOLD steps of SIMD taps. The next column is fetched during the last steps of the
// current position and enters with the last one: positions follow each other without a bubble. What is here is when
// each part moves: message_gate.hpp (commands), parameters.hpp (weights, biases and their way to the PEs),
// column_source.hpp (input words to columns), window.hpp, mac_array.hpp, requantise.hpp.
#pragma once
#include "column_source.hpp"
#include "mac_array.hpp"
#include "message_gate.hpp"
#include "parameters.hpp"
#include "requantise.hpp"
#include "window.hpp"

namespace srcnn {

template <class L> struct conv_stage {
    typedef conv_shape<L> shape;
    typedef typename shape::in_t in_t;
    typedef typename shape::out_t out_t;
    typedef typename shape::acc_t acc_t;
    typedef typename shape::fold_t fold_t;
    typedef typename shape::tap_t tap_t;
    typedef typename shape::pass_t pass_t;
    static constexpr int FOLD = shape::FOLD, TAP_FOLD = shape::TAP_FOLD, WORDS = shape::WORDS,
                         OUT_BITS = shape::OUT_BITS;
    static constexpr int PARAM_BEATS = shape::PARAM_BEATS;

    message_gate<L::SHRINK> gate;
    parameters<L> params;
    column_source<L> source;
    window<L> win;
    mac_array<L> mac;

    bool running = false;   // false: waiting for a command, or passing parameters
    bool settling = false;  // the last parameters are on their way
    // `fold` is the step within the position; `last` and `late` are what is asked of it, kept beside it, since whether
    // the next step waits for input depends on them.
    bool busy = false;
    fold_t fold = 0;
    bool last = FOLD == 1;          // fold == FOLD - 1
    bool late = FOLD - 1 <= WORDS;  // fold >= FOLD - 1 - WORDS
    tap_t tap_pass = 0;
    pass_t out_pass = 0;

    // True if the next step reads `in`. Fetching late leaves the early steps free of waiting.
    bool wants_input() const {
#pragma HLS INLINE
        // With as many words as steps, the step in which a column enters has to fetch for the next one too.
        const bool room = WORDS < FOLD ? !source.valid && !last : !source.valid || last;
        return running && source.fetching && (!busy || (late && room));
    }
    bool wants_ctrl() const {
#pragma HLS INLINE
        return !running && !settling;
    }
    // Software only: would the next step find its inputs?
    bool ready(hls::stream<ctrl_t>& ctrl, hls::stream<in_t>& in, hls::stream<ctrl_t>&, hls::stream<out_t>&) const {
        return (!wants_input() || !in.empty()) && (!wants_ctrl() || !ctrl.empty());
    }

    void step(hls::stream<ctrl_t>& ctrl, hls::stream<in_t>& in, hls::stream<ctrl_t>& next, hls::stream<out_t>& out) {
#pragma HLS INLINE
        if (hls_open::has_to_do(!running)) {  // while a tile is computed, nothing is on its way: `settle` saw to it
            params.deliver();
        }
        if (wants_ctrl()) {
            control(ctrl.read(), next);
        } else if (settling) {
            settling = params.settle();
        } else {
            run(in, out);
        }
    }

    void control(ctrl_t message, hls::stream<ctrl_t>& next) {
#pragma HLS INLINE
        bool end = false;
        if (gate.loading) {
            end = params.load(message.range(63, 0));
        } else if (gate.idle()) {
            const stage_command command = stage_command::unpack(message);
            running = command.tile;
            source.start(command);
            params.start();
        }
        settling = end;
        gate.pass(message, end, next);
    }

    void run(hls::stream<in_t>& in, hls::stream<out_t>& out) {
#pragma HLS INLINE
        const bool fetch = wants_input();
        const bool ends = last;
        const bool enter = source.valid && (!busy || last);
        if (busy) {
            multiply(out);
            advance_fold();
        }
        if (enter) {
            busy = source.yields;
            source.valid = false;
            win.shift(source.column);
        } else if (ends) {
            busy = false;
        }
        if (fetch) {
            source.fetch(in.read());
        }
        running = source.fetching || source.valid || busy;
    }

    // One fold step; a finished group of channels leaves.
    void multiply(hls::stream<out_t>& out) {
#pragma HLS INLINE
        const bool first = TAP_FOLD == 1 || tap_pass == 0;
        const bool done = TAP_FOLD == 1 || tap_pass == tap_t(TAP_FOLD - 1);
        typename shape::taps_t weights[L::PE];
        params.read_weights(weights);
        mac.accumulate(weights, win.taps, first);
        out_t result = 0;
    finish_pe:
        for (int p = 0; p < L::PE; p++) {
#pragma HLS UNROLL
            result.range(p * OUT_BITS + OUT_BITS - 1, p * OUT_BITS) = finish(mac.acc[p], p);
        }
        if (done) {
            out.write(result);
        }
    }

    // What leaves the stage for one channel: the accumulator itself, or its requantised value.
    ap_uint<OUT_BITS> finish(acc_t total, int p) const {
#pragma HLS INLINE
        if (L::RAW) {
            return total.range(OUT_BITS - 1, 0);
        }
        const typename shape::bias_shift_t packed = params.bias_shift[p].read(out_pass);
        return finisher<L>::finish(total, packed);
    }

    void advance_fold() {
#pragma HLS INLINE
        const bool end_of_pass = tap_pass == tap_t(TAP_FOLD - 1);
        const bool end = last;
        late = FOLD - 1 <= WORDS || (!end && (late || fold == fold_t(FOLD - 2 - WORDS)));
        last = FOLD == 1 || fold == fold_t(FOLD - 2);
        tap_pass = next_count(tap_pass, end_of_pass);
        out_pass = end_of_pass ? next_count(out_pass, end) : out_pass;
        fold = next_count(fold, end);
        params.next_weights(end);
        win.rotate();
    }
};

}  // namespace srcnn
