// Puts the words of a position together: CHANNELS activations, WORD of them at a time, the first in the low bits.
#pragma once
#include "types.hpp"

namespace srcnn {

template <int CHANNELS, int WORD> struct gather {
    static constexpr int WORDS = CHANNELS / WORD;
    static_assert(CHANNELS % WORD == 0, "the word has to divide the channels");

    typedef ap_uint<WORD * ACT_BITS> in_t;
    typedef ap_uint<CHANNELS * ACT_BITS> pixel_t;

    ap_uint<index_bits(WORDS)> word = 0;
    pixel_t pixel = 0;

    // Take a word; true with the last one of a position, which is in `pixel` then.
    bool take(in_t value) {
#pragma HLS INLINE
        constexpr int KEPT = (CHANNELS - WORD) * ACT_BITS;
        pixel = WORDS == 1 ? pixel_t(value)
                           : pixel_t((pixel >> (WORDS == 1 ? 0 : WORD * ACT_BITS)) | (pixel_t(value) << KEPT));
        const bool whole = WORDS == 1 || word == WORDS - 1;
        word = next_count(word, whole);
        return whole;
    }
};

}  // namespace srcnn
