// Fetches an earlier tensor for an addition: of its positions those inside the crop wait for their residual, the others
// are dropped as they come.
#pragma once
#include "gather.hpp"
#include "stage_command.hpp"

namespace srcnn {

template <class L> struct skip_source {
    typedef gather<L::CHANNELS, L::SKIP_WORD> words;
    typedef typename words::in_t in_t;
    typedef typename words::pixel_t pixel_t;

    words position;
    bool fetching = false;                         // words of this tile are still to come
    bool valid = false;                            // the position inside the crop that waits is whole
    coord_t last_x = 0, last_y = 0, x = 0, y = 0;  // of the residual, and of the next position here

    // `command`: the size of the residual.
    void start(const stage_command& command) {
#pragma HLS INLINE
        fetching = command.tile;
        last_x = command.last_x;
        last_y = command.last_y;
        x = y = 0;
    }

    void fetch(in_t value) {
#pragma HLS INLINE
        if (position.take(value)) {
            valid = inside(x, last_x) && inside(y, last_y);
            const bool end_of_row = x == last_x + 2 * L::CROP;
            fetching = !(end_of_row && y == last_y + 2 * L::CROP);
            x = next_count(x, end_of_row);
            y = end_of_row ? coord_t(y + 1) : y;
        }
    }

    static bool inside(coord_t at, coord_t last) {
#pragma HLS INLINE
        return at >= L::CROP && at <= last + L::CROP;
    }
};

}  // namespace srcnn
