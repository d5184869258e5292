// The last K - 1 rows of a tile: one RAM word holds the K - 1 pixels above a position.
#pragma once
#include "ram.hpp"
#include "types.hpp"

namespace srcnn {

// PIXEL: bits of one position (all channels). A column holds K positions, the oldest row in the low bits.
// Before K - 1 rows have passed the upper rows are those of an earlier tile; no output is taken from them.
template <int K, int PIXEL, int WIDTH> struct line_buffer {
    typedef ap_uint<K * PIXEL> column_t;
    ram<ap_uint<(K - 1) * PIXEL>, WIDTH> rows;

    // Return the column that ends in `pixel` at x, and keep its lower K - 1 positions for the next row.
    column_t push(coord_t x, ap_uint<PIXEL> pixel) {
#pragma HLS INLINE
        rows.independent();  // x comes again only a row later, and a row is at least K positions long
        const column_t column = (column_t(pixel) << ((K - 1) * PIXEL)) | column_t(rows.read(x));
        rows.write(x, column >> PIXEL);
        return column;
    }
};

// A 1x1 filter looks at no other row.
template <int PIXEL, int WIDTH> struct line_buffer<1, PIXEL, WIDTH> {
    typedef ap_uint<PIXEL> column_t;
    column_t push(coord_t, ap_uint<PIXEL> pixel) {
#pragma HLS INLINE
        return pixel;
    }
};

}  // namespace srcnn
