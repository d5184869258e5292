// The second half of a layer that scatters: adds the K x K products of each input position into the outputs they
// belong to, then requantises.
//
// The MAC array sends, for every input position (x, y), products P[o][i][j] for all taps (row i, column j).
// Output (u, v) = sum over i, j of P[o][i][j] at (u + j, v + i): a two-dimensional FIR filter in transposed form.
// Along a row: chain[i][j] = chain[i][j - 1] of the previous position + P[i][j]. Down the rows:
// partial[i] = partial[i - 1] of the previous row + row sum i. Only partial sums are kept, not the inputs:
// (K - 1) * OUT_CH * ACC_BITS bits per position of a row instead of (K - 1) * IN_CH * 8.
#pragma once
#include "message_gate.hpp"
#include "ram.hpp"
#include "requantise.hpp"

namespace srcnn {

template <class L> struct sum_stage {
    static constexpr int PRODUCTS = L::OUT_CH * L::K * L::K;  // per position, ordered o, i, j
    static constexpr int WORDS = PRODUCTS / L::IN_WORD;
    static constexpr int WORD_BITS = L::IN_WORD * L::RAW_BITS;
    static constexpr int PARAM_BEATS = L::OUT_CH;
    static constexpr int OUT_BITS = finisher<L>::OUT_BITS;
    static constexpr int KEPT = L::OUT_CH * (L::K - 1) * L::ACC_BITS;
    static_assert(PRODUCTS % L::IN_WORD == 0, "PE of the MAC array has to divide k * k * out_ch");
    static_assert(L::K > 1, "a 1x1 layer has nothing to add up");

    typedef ap_uint<WORD_BITS> in_t;
    typedef ap_uint<L::OUT_CH * OUT_BITS> out_t;
    typedef ap_int<L::ACC_BITS> acc_t;

    typename finisher<L>::param_t bias_shift[L::OUT_CH];
    ram<ap_uint<KEPT>, L::MAX_W> partials;

    message_gate<L::SHRINK> gate;
    bool running = false, fetching = false, valid = false;
    ap_uint<index_bits(L::OUT_CH)> load_channel = 0;
    coord_t last_x = 0, last_y = 0, x = 0, y = 0;  // of the next position to fetch
    coord_t at_x = 0, at_y = 0;                    // of the position in `products`
    ap_uint<index_bits(WORDS)> word = 0;
    ap_uint<WORDS * WORD_BITS> products = 0;
    acc_t chain[L::OUT_CH][L::K][L::K];  // chain[o][i][K - 1] is the finished row sum

    bool wants_input() const {
#pragma HLS INLINE
        return running && fetching;
    }
    bool wants_ctrl() const {
#pragma HLS INLINE
        return !running;
    }
    bool ready(hls::stream<ctrl_t>& ctrl, hls::stream<in_t>& in, hls::stream<ctrl_t>&, hls::stream<out_t>&) const {
        return running ? !fetching || !in.empty() : !ctrl.empty();
    }

    void step(hls::stream<ctrl_t>& ctrl, hls::stream<in_t>& in, hls::stream<ctrl_t>& next, hls::stream<out_t>& out) {
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable=bias_shift complete
#pragma HLS ARRAY_PARTITION variable=chain complete dim=0
        if (wants_ctrl()) {
            control(ctrl.read(), next);
        } else {
            run(in, out);
        }
    }

    void control(ctrl_t message, hls::stream<ctrl_t>& next) {
#pragma HLS INLINE
        bool end = false;
        if (gate.loading) {
            end = load(message);
        } else if (gate.idle()) {
            const stage_command command = stage_command::unpack(message);
            running = fetching = command.tile;
            last_x = command.last_x;
            last_y = command.last_y;
            x = y = 0;
        }
        gate.pass(message, end, next);
    }

    // Bias and shift of one channel after the other; true with the last.
    bool load(ctrl_t message) {
#pragma HLS INLINE
    load_channel:
        for (int o = 0; o < L::OUT_CH; o++) {
#pragma HLS UNROLL
            if (load_channel == o) {
                bias_shift[o] = (message.range(finisher<L>::LAST, 32), message.range(BIAS_BITS - 1, 0));
            }
        }
        const bool last = load_channel == L::OUT_CH - 1;
        load_channel = next_count(load_channel, last);
        return last;
    }

    void run(hls::stream<in_t>& in, hls::stream<out_t>& out) {
#pragma HLS INLINE
        const bool fetch = wants_input();
        if (valid) {
            add_position(out);
            valid = false;
        }
        if (fetch) {
            fetch_word(in.read());
        }
        running = fetching || valid;
    }

    void fetch_word(in_t value) {
#pragma HLS INLINE
        constexpr int ALL = WORDS * WORD_BITS;
        products = WORDS == 1 ? ap_uint<ALL>(value)
                              : ap_uint<ALL>((products >> WORD_BITS) | (ap_uint<ALL>(value) << (ALL - WORD_BITS)));
        valid = word == WORDS - 1;
        word = next_count(word, valid);
        if (valid) {
            const bool end_of_row = x == last_x;
            at_x = x;
            at_y = y;
            fetching = !(end_of_row && y == last_y);
            x = next_count(x, end_of_row);
            y = end_of_row ? coord_t(y + 1) : y;
        }
    }

    void add_position(hls::stream<out_t>& out) {
#pragma HLS INLINE
        partials.independent();  // a column comes again only a row later, and a row is at least K positions long
        const bool in_row = at_x >= L::K - 1;  // chains are full; before, they hold the end of the last row
        const coord_t column = at_x - (L::K - 1);
        const ap_uint<KEPT> above = in_row ? partials.read(column) : ap_uint<KEPT>(0);
        ap_uint<KEPT> below = 0;
        out_t result = 0;
    out_channel:
        for (int o = 0; o < L::OUT_CH; o++) {
#pragma HLS UNROLL
        tap_row:
            for (int i = 0; i < L::K; i++) {
#pragma HLS UNROLL
                advance_chain(o, i);
                const acc_t row_sum = chain[o][i][L::K - 1];
                acc_t partial = row_sum;
                if (i > 0) {
                    const int from = (o * (L::K - 1) + i - 1) * L::ACC_BITS;
                    const acc_t kept = above.range(from + L::ACC_BITS - 1, from);
                    partial = kept + row_sum;
                }
                if (i < L::K - 1) {
                    const int to = (o * (L::K - 1) + i) * L::ACC_BITS;
                    below.range(to + L::ACC_BITS - 1, to) = partial;
                } else {
                    result.range(o * OUT_BITS + OUT_BITS - 1, o * OUT_BITS) =
                        finisher<L>::finish(partial, bias_shift[o]);
                }
            }
        }
        if (in_row) {
            partials.write(column, below);
            if (at_y >= L::K - 1) {
                out.write(result);
            }
        }
    }

    // chain[j] = chain[j - 1] + P[j], from the far end so that each takes its neighbour's old value.
    void advance_chain(int o, int i) {
#pragma HLS INLINE
    tap_column:
        for (int j = L::K - 1; j >= 0; j--) {
#pragma HLS UNROLL
            const int from = ((o * L::K + i) * L::K + j) * L::RAW_BITS;
            const ap_int<L::RAW_BITS> product = products.range(from + L::RAW_BITS - 1, from);
            const acc_t before = j > 0 ? chain[o][i][j > 0 ? j - 1 : 0] : acc_t(0);
            chain[o][i][j] = before + product;
        }
    }
};

}  // namespace srcnn
