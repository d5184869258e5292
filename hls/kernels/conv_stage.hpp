// One convolution layer: line buffer -> window -> folded MAC array -> requantise.
//
// step() is one clock cycle. Per output position the MAC array takes FOLD = OUT_FOLD * TAP_FOLD steps: for each
// group of PE output channels, TAP_FOLD steps of SIMD taps. The window rotates by SIMD taps per step, so that
// the multipliers always see its first SIMD entries and it is back in place after every pass over the taps. Where
// SIMD does not divide the taps, the window has idle entries at its end, whose weights are zero.
// With PACK two output channels share a multiplier (products.hpp).
// Parameters go from PE to PE through a register in each PE, from which it writes its RAMs: no word has to reach all PEs
// at once, which lie all over the device.
// The next column is fetched during the last steps of the current position and enters with the last one:
// positions follow each other without a bubble.
#pragma once
#include "line_buffer.hpp"
#include "products.hpp"
#include "requantise.hpp"
#include "stage_command.hpp"

namespace srcnn {

template <class L> struct conv_stage {
    static constexpr int TAPS = L::K * L::K * L::IN_CH;  // ordered kw, kh, channel: a column enters as a unit
    static constexpr int COLUMN = L::K * L::IN_CH;
    static constexpr int TAP_FOLD = (TAPS + L::SIMD - 1) / L::SIMD;
    static constexpr int WINDOW = TAP_FOLD * L::SIMD;
    static constexpr int OUT_FOLD = L::OUT_CH / L::PE;
    static constexpr int FOLD = OUT_FOLD * TAP_FOLD;
    static constexpr int WORDS = L::IN_CH / L::IN_WORD;  // input words per position
    static constexpr int CHANNELS = L::PACK ? 2 : 1;     // output channels per multiplier
    static constexpr int SIMD_BITS = L::SIMD * WEIGHT_BITS;
    static constexpr int WEIGHT_BEATS = (SIMD_BITS + 63) / 64;
    static constexpr int OUT_BITS = L::RAW ? L::ACC_BITS : ACT_BITS;
    static constexpr int PARAM_BEATS = FOLD * L::PE * WEIGHT_BEATS + (L::RAW ? 0 : L::OUT_CH);
    static_assert(WINDOW - TAPS < TAP_FOLD, "a smaller SIMD takes as few steps over the taps k * k * in_ch");
    static_assert(L::OUT_CH % L::PE == 0, "PE has to divide the output channels");
    static_assert(L::IN_CH % L::IN_WORD == 0, "the input word has to divide the input channels");
    static_assert(SIMD_BITS <= AP_INT_MAX_W && COLUMN * ACT_BITS <= AP_INT_MAX_W, "raise AP_INT_MAX_W or fold more");

    typedef ap_uint<L::IN_WORD * ACT_BITS> in_t;
    typedef ap_uint<L::PE * OUT_BITS> out_t;
    typedef ap_int<L::ACC_BITS> acc_t;
    typedef ap_uint<L::IN_CH * ACT_BITS> pixel_t;
    typedef line_buffer<L::K, L::IN_CH * ACT_BITS, L::MAX_W> lines_t;
    typedef ap_uint<index_bits(FOLD)> fold_t;
    typedef ap_uint<index_bits(TAP_FOLD)> tap_t;
    typedef ap_uint<index_bits(OUT_FOLD)> pass_t;
    typedef ap_uint<index_bits(L::PE)> pe_t;
    typedef ap_uint<index_bits(WEIGHT_BEATS)> piece_t;

    // A parameter word on its way through the PEs, and where it belongs.
    struct parcel {
        bool valid = false, here = false;    // here: it belongs to the PE that holds it
        bool bias = false;
        pe_t pe = 0;
        piece_t piece = 0;
        fold_t address = 0;
        ctrl_t word = 0;
    };

    // Parameters. weights: a RAM for each 64-bit piece of a PE's word. bias_shift: bias in the low BIAS_BITS, shift above.
    ram<ctrl_t, FOLD> weights[L::PE][WEIGHT_BEATS];
    ram<ap_uint<BIAS_BITS + 5>, OUT_FOLD> bias_shift[L::PE];
    lines_t lines;

    bool running = false;                    // false: waiting for a command, or loading parameters
    // Loading.
    bool loading = false, loading_bias = false;
    bool settling = false;                   // the last words are on their way
    fold_t load_address = 0;
    pe_t load_pe = 0;
    piece_t load_piece = 0;
    parcel parcels[L::PE];
    // Fetching columns: position, input word within it.
    bool fetching = false, column_valid = false, column_yields = false;
    coord_t last_x = 0, last_y = 0, x = 0, y = 0;
    ap_uint<index_bits(WORDS)> word = 0;
    pixel_t pixel = 0;
    typename lines_t::column_t column = 0;
    // Computing: `fold` is the step within the position; `last` and `late` are what is asked of it, kept beside it, since
    // whether the next step waits for input depends on them. `weight_address` is `fold` once more for each PE, which
    // counts for itself, beside its RAMs.
    bool busy = false;
    fold_t fold = 0;
    fold_t weight_address[L::PE] = {};
    bool last = FOLD == 1;                   // fold == FOLD - 1
    bool late = FOLD - 1 <= WORDS;           // fold >= FOLD - 1 - WORDS
    tap_t tap_pass = 0;
    pass_t out_pass = 0;
    act_t window[WINDOW];
    acc_t acc[L::PE];

    // True if the next step reads `in`. Fetching late leaves the early steps free of waiting.
    bool wants_input() const {
#pragma HLS INLINE
        // With as many words as steps, the step in which a column enters has to fetch for the next one too.
        const bool room = WORDS < FOLD ? !column_valid && !last : !column_valid || last;
        return running && fetching && (!busy || (late && room));
    }
    bool wants_ctrl() const {
#pragma HLS INLINE
        return !running && !settling;
    }
    // Software only: would the next step find its inputs?
    bool ready(hls::stream<ctrl_t>& ctrl, hls::stream<in_t>& in, hls::stream<out_t>&) const {
        return (!wants_input() || !in.empty()) && (!wants_ctrl() || !ctrl.empty());
    }

    void step(hls::stream<ctrl_t>& ctrl, hls::stream<in_t>& in, hls::stream<out_t>& out) {
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable=weights complete dim=0
#pragma HLS ARRAY_PARTITION variable=bias_shift complete dim=1
#pragma HLS ARRAY_PARTITION variable=parcels complete
#pragma HLS ARRAY_PARTITION variable=weight_address complete
#pragma HLS ARRAY_PARTITION variable=window complete
#pragma HLS ARRAY_PARTITION variable=acc complete
        deliver();
        if (wants_ctrl()) {
            control(ctrl.read());
        } else if (settling) {
            settle();
        } else {
            run(in, out);
        }
    }

    void control(ctrl_t message) {
#pragma HLS INLINE
        if (loading) {
            load(message);
        } else {
            const stage_command command = stage_command::unpack(message);
            running = command.tile;
            loading = !command.tile;
            fetching = command.tile;
            last_x = command.last_x;
            last_y = command.last_y;
            x = y = 0;
            load_address = 0;
        }
    }

    // Parameter words: weights by fold step, PE and 64-bit piece; then bias and shift by output channel.
    void load(ctrl_t message) {
#pragma HLS INLINE
        parcels[0].valid = true;
        parcels[0].here = load_pe == 0;
        parcels[0].bias = loading_bias;
        parcels[0].pe = load_pe;
        parcels[0].piece = load_piece;
        parcels[0].address = load_address;
        parcels[0].word = message;
        const bool whole = loading_bias || load_piece == WEIGHT_BEATS - 1;
        load_piece = next_count(load_piece, whole);
        if (whole) {
            const bool last_pe = load_pe == L::PE - 1;
            load_pe = next_count(load_pe, last_pe);
            if (last_pe) {
                const bool last = loading_bias ? load_address == OUT_FOLD - 1 : load_address == FOLD - 1;
                load_address = next_count(load_address, last);
                if (last) {
                    loading = !loading_bias && !L::RAW;
                    loading_bias = loading;
                    settling = !loading;
                }
            }
        }
    }

    // Every PE writes the word it holds, if that is its own, and takes the one of the PE before it.
    void deliver() {
#pragma HLS INLINE
    deliver_pe:
        for (int p = L::PE - 1; p >= 0; p--) {
#pragma HLS UNROLL
            const parcel held = parcels[p];
        deliver_piece:
            for (int i = 0; i < WEIGHT_BEATS; i++) {
#pragma HLS UNROLL
                if (held.here && !held.bias && held.piece == i) {
                    weights[p][i].write(held.address, held.word);
                }
            }
            if (held.here && held.bias && !L::RAW) {
                const ap_uint<BIAS_BITS + 5> packed = (held.word.range(36, 32), held.word.range(BIAS_BITS - 1, 0));
                bias_shift[p].write(held.address, packed);
            }
            if (p > 0) {
                parcels[p] = parcels[p > 0 ? p - 1 : 0];
                parcels[p].here = parcels[p].valid && parcels[p].pe == p;
            } else {
                parcels[p].valid = parcels[p].here = false;
            }
        }
    }

    // As many steps as there are PEs, so that the last word arrives. With the next command, a column's first word, and
    // its entry, the first weight is read no sooner than four steps after the last was written: three would do (ram.hpp).
    void settle() {
#pragma HLS INLINE
        settling = load_pe != L::PE - 1;
        load_pe = next_count(load_pe, !settling);
    }

    void run(hls::stream<in_t>& in, hls::stream<out_t>& out) {
#pragma HLS INLINE
        const bool fetch = wants_input();
        const bool ends = last;
        const bool enter = column_valid && (!busy || last);
        if (busy) {
            multiply(out);
            advance_fold();
        }
        if (enter) {
            busy = column_yields;
            column_valid = false;
            shift_window();
        } else if (ends) {
            busy = false;
        }
        if (fetch) {
            fetch_word(in.read());
        }
        running = fetching || column_valid || busy;
    }

    // One fold step: PE x SIMD products, accumulated; a finished group of channels leaves.
    void multiply(hls::stream<out_t>& out) {
#pragma HLS INLINE
        const bool first = TAP_FOLD == 1 || tap_pass == 0;
        const bool done = TAP_FOLD == 1 || tap_pass == tap_t(TAP_FOLD - 1);
        ap_uint<SIMD_BITS> taps[L::PE];
    read_weights:
        for (int p = 0; p < L::PE; p++) {
#pragma HLS UNROLL
            ap_uint<WEIGHT_BEATS * 64> word = 0;
        read_pieces:
            for (int i = 0; i < WEIGHT_BEATS; i++) {
#pragma HLS UNROLL
                word.range(i * 64 + 63, i * 64) = weights[p][i].read(weight_address[p]);
            }
            taps[p] = word.range(SIMD_BITS - 1, 0);
        }
        acc_t dot[L::PE];
        const acc_t offset = L::PACK && L::PE > 1 ? offset_sum() : acc_t(0);
    mac_pair:
        for (int p = 0; p < L::PE; p += CHANNELS) {
#pragma HLS UNROLL
            if (p + CHANNELS <= L::PE && L::PACK) {
                dot_pair(taps[p], taps[p + CHANNELS - 1], offset, dot[p], dot[p + CHANNELS - 1]);
            } else {
                dot[p] = dot_single(taps[p]);
            }
        }
        out_t result = 0;
    accumulate_pe:
        for (int p = 0; p < L::PE; p++) {
#pragma HLS UNROLL
            acc[p] = (first ? acc_t(0) : acc[p]) + dot[p];
            result.range(p * OUT_BITS + OUT_BITS - 1, p * OUT_BITS) = finish(acc[p], p);
        }
        if (done) {
            out.write(result);
        }
    }

    static weight_t weight_of(ap_uint<SIMD_BITS> taps, int s) {
#pragma HLS INLINE
        return taps.range(s * WEIGHT_BITS + WEIGHT_BITS - 1, s * WEIGHT_BITS);
    }

    // SIMD products of one channel, a multiplier each.
    acc_t dot_single(ap_uint<SIMD_BITS> taps) const {
#pragma HLS INLINE
        acc_t dot = 0;
    mac_simd:
        for (int s = 0; s < L::SIMD; s++) {
#pragma HLS UNROLL
            dot += weight_of(taps, s) * window[s];
        }
        return dot;
    }

    // SIMD products of two channels, a multiplier for each pair.
    void dot_pair(ap_uint<SIMD_BITS> low_taps, ap_uint<SIMD_BITS> high_taps, acc_t offset, acc_t& low, acc_t& high) const {
#pragma HLS INLINE
        low = offset;
        high = 0;
    mac_simd_pair:
        for (int s = 0; s < L::SIMD; s++) {
#pragma HLS UNROLL
            const packed_product_t product = multiply_pair(pack_weights(weight_of(low_taps, s), weight_of(high_taps, s)), window[s]);
            low += low_product(product);
            high += high_product(product);
        }
    }

    // What the lower products of this step have too much, negated: -128 * sum of x. One sum for all channels.
    acc_t offset_sum() const {
#pragma HLS INLINE
        acc_t sum = 0;
    sum_simd:
        for (int s = 0; s < L::SIMD; s++) {
#pragma HLS UNROLL
            sum += window[s];
        }
        return -(sum << (WEIGHT_BITS - 1));
    }

    // What leaves the stage for one channel: the accumulator itself, or its requantised value.
    ap_uint<OUT_BITS> finish(acc_t total, int p) {
#pragma HLS INLINE
        if (L::RAW) {
            return total.range(OUT_BITS - 1, 0);
        }
        const ap_uint<BIAS_BITS + 5> packed = bias_shift[p].read(out_pass);
        const ap_int<BIAS_BITS> bias = packed.range(BIAS_BITS - 1, 0);
        const shift_t shift = packed.range(BIAS_BITS + 4, BIAS_BITS);
        const acc_t biased = total + bias;
        return requantise<L::ACC_BITS>(biased, shift);
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
    advance_address:
        for (int p = 0; p < L::PE; p++) {
#pragma HLS UNROLL
            weight_address[p] = next_count(weight_address[p], end);
        }
        act_t rotated[L::SIMD];
    rotate_out:
        for (int i = 0; i < L::SIMD; i++) {
#pragma HLS UNROLL
            rotated[i] = window[i];
        }
    rotate_down:
        for (int i = 0; i < WINDOW - L::SIMD; i++) {
#pragma HLS UNROLL
            window[i] = window[i + L::SIMD];
        }
    rotate_in:
        for (int i = 0; i < L::SIMD; i++) {
#pragma HLS UNROLL
            window[WINDOW - L::SIMD + i] = rotated[i];
        }
    }

    void shift_window() {
#pragma HLS INLINE
    shift_down:
        for (int i = 0; i < TAPS - COLUMN; i++) {
#pragma HLS UNROLL
            window[i] = window[i + COLUMN];
        }
    shift_in:
        for (int i = 0; i < COLUMN; i++) {
#pragma HLS UNROLL
            window[TAPS - COLUMN + i] = column.range(i * ACT_BITS + ACT_BITS - 1, i * ACT_BITS);
        }
    }

    // Take one input word; the last word of a position completes a column.
    void fetch_word(in_t value) {
#pragma HLS INLINE
        constexpr int KEPT = (L::IN_CH - L::IN_WORD) * ACT_BITS;
        pixel = WORDS == 1 ? pixel_t(value) : pixel_t((pixel >> (L::IN_WORD * ACT_BITS)) | (pixel_t(value) << KEPT));
        const bool whole = word == WORDS - 1;
        word = next_count(word, whole);
        if (whole) {
            column = lines.push(x, pixel);
            column_valid = true;
            column_yields = x >= L::K - 1 && y >= L::K - 1;
            const bool end_of_row = x == last_x;
            fetching = !(end_of_row && y == last_y);
            x = next_count(x, end_of_row);
            y = end_of_row ? coord_t(y + 1) : y;
        }
    }
};

}  // namespace srcnn
