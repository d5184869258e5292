// The parameters of a convolution stage: RAMs beside the multipliers that use them, and the way there.
//
// Parameters go from PE to PE through a register in each PE, from which it writes its RAMs: no word has to reach all
// PEs at once, which lie all over the device. For the same reason each PE counts the address of its weights for itself.
#pragma once
#include "conv_shape.hpp"
#include "ram.hpp"

namespace srcnn {

template <class L> struct parameters {
    typedef conv_shape<L> shape;
    typedef typename shape::fold_t fold_t;
    typedef typename shape::taps_t taps_t;
    typedef typename shape::bias_shift_t bias_shift_t;
    typedef ap_uint<index_bits(L::PE)> pe_t;
    typedef ap_uint<index_bits(shape::WEIGHT_BEATS)> piece_t;

    // A parameter word on its way through the PEs, and where it belongs.
    struct parcel {
        bool valid = false, here = false;  // here: it belongs to the PE that holds it
        bool bias = false;
        pe_t pe = 0;
        piece_t piece = 0;
        fold_t address = 0;
        param_t word = 0;
    };

    // A RAM for each 64-bit piece of a PE's weights.
    ram<param_t, shape::FOLD> weights[L::PE][shape::WEIGHT_BEATS];
    ram<bias_shift_t, shape::OUT_FOLD> bias_shift[L::PE];
    fold_t weight_address[L::PE] = {};  // of the step to come
    parcel parcels[L::PE];
    // Where the next word belongs.
    bool load_bias = false;
    fold_t load_address = 0;
    pe_t load_pe = 0;
    piece_t load_piece = 0;

    void start() {
#pragma HLS INLINE
        load_address = 0;
    }

    // Send a word on its way. Weights come by fold step, PE and 64-bit piece, then bias and shift by output channel;
    // true with the last word.
    bool load(param_t word) {
#pragma HLS INLINE
        parcels[0].valid = true;
        parcels[0].here = load_pe == 0;
        parcels[0].bias = load_bias;
        parcels[0].pe = load_pe;
        parcels[0].piece = load_piece;
        parcels[0].address = load_address;
        parcels[0].word = word;
        const bool whole = load_bias || load_piece == shape::WEIGHT_BEATS - 1;
        const bool last_pe = whole && load_pe == L::PE - 1;
        const bool last =
            last_pe && (load_bias ? load_address == shape::OUT_FOLD - 1 : load_address == shape::FOLD - 1);
        const bool end = last && (load_bias || L::RAW);
        load_piece = next_count(load_piece, whole);
        load_pe = whole ? next_count(load_pe, last_pe) : load_pe;
        load_address = last_pe ? next_count(load_address, last) : load_address;
        load_bias = last ? !end : load_bias;
        return end;
    }

    // Every PE writes the word it holds, if that is its own, and takes the one of the PE before it: one step of the
    // way.
    void deliver() {
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable=weights complete dim=0
#pragma HLS ARRAY_PARTITION variable=bias_shift complete dim=1
#pragma HLS ARRAY_PARTITION variable=parcels complete
    deliver_pe:
        for (int p = L::PE - 1; p >= 0; p--) {
#pragma HLS UNROLL
            const parcel held = parcels[p];
        deliver_piece:
            for (int i = 0; i < shape::WEIGHT_BEATS; i++) {
#pragma HLS UNROLL
                weights[p][i].independent();  // `settle` sees to it
                if (held.here && !held.bias && held.piece == i) {
                    weights[p][i].write(held.address, held.word);
                }
            }
            bias_shift[p].independent();
            if (held.here && held.bias && !L::RAW) {
                const bias_shift_t packed = (held.word.range(finisher<L>::LAST, 32), held.word.range(BIAS_BITS - 1, 0));
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

    // As many steps as there are PEs, so that the last word arrives; true while they last. With the next command, a
    // column's first word, and its entry, the first weight is read no sooner than four steps after the last was
    // written: three would do (ram.h).
    bool settle() {
#pragma HLS INLINE
        const bool last_pe = load_pe == L::PE - 1;
        load_pe = next_count(load_pe, last_pe);
        return !last_pe;
    }

    // The weights of every PE for this step.
    void read_weights(taps_t (&taps)[L::PE]) const {
#pragma HLS INLINE
    read_pe:
        for (int p = 0; p < L::PE; p++) {
#pragma HLS UNROLL
            ap_uint<shape::WEIGHT_BEATS * 64> word = 0;
        read_pieces:
            for (int i = 0; i < shape::WEIGHT_BEATS; i++) {
#pragma HLS UNROLL
                word.range(i * 64 + 63, i * 64) = weights[p][i].read(weight_address[p]);
            }
            taps[p] = word.range(shape::SIMD_BITS - 1, 0);
        }
    }

    void next_weights(bool last_of_position) {
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable=weight_address complete
    advance_address:
        for (int p = 0; p < L::PE; p++) {
#pragma HLS UNROLL
            weight_address[p] = next_count(weight_address[p], last_of_position);
        }
    }
};

}  // namespace srcnn
