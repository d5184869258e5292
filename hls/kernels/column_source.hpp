// Fetches a tile position by position: input words become pixels, pixels become columns of the window.
#pragma once
#include "conv_shape.hpp"
#include "line_buffer.hpp"
#include "stage_command.hpp"

namespace srcnn {

template <class L> struct column_source {
    typedef conv_shape<L> shape;
    typedef typename shape::in_t in_t;
    typedef typename shape::pixel_t pixel_t;

    line_buffer<L::K, L::IN_CH * ACT_BITS, L::MAX_W> lines;
    bool fetching = false;  // words of this tile are still to come
    bool valid = false;     // `column` waits to enter the window
    bool yields = false;    // a window that ends in it gives an output
    coord_t last_x = 0, last_y = 0, x = 0, y = 0;
    ap_uint<index_bits(shape::WORDS)> word = 0;
    pixel_t pixel = 0;
    typename shape::column_t column = 0;

    void start(const stage_command& command) {
#pragma HLS INLINE
        fetching = command.tile;
        last_x = command.last_x;
        last_y = command.last_y;
        x = y = 0;
    }

    // Take one input word; the last word of a position completes a column.
    void fetch(in_t value) {
#pragma HLS INLINE
        constexpr int KEPT = (L::IN_CH - L::IN_WORD) * ACT_BITS;
        pixel =
            shape::WORDS == 1 ? pixel_t(value) : pixel_t((pixel >> (L::IN_WORD * ACT_BITS)) | (pixel_t(value) << KEPT));
        const bool whole = word == shape::WORDS - 1;
        word = next_count(word, whole);
        if (whole) {
            column = lines.push(x, pixel);
            valid = true;
            yields = x >= L::K - 1 && y >= L::K - 1;
            const bool end_of_row = x == last_x;
            fetching = !(end_of_row && y == last_y);
            x = next_count(x, end_of_row);
            y = end_of_row ? coord_t(y + 1) : y;
        }
    }
};

}  // namespace srcnn
