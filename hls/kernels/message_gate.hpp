// What a stage does with the messages on its control stream: whose the next word is, and what goes on to the next
// stage.
#pragma once
#include "stage_command.hpp"

namespace srcnn {

// SHRINK: rows and columns that the next stage takes fewer than this one. That is what this one's output has fewer than
// its input, unless the next one reads something else.
template <int SHRINK> struct message_gate {
    bool loading = false;  // the next word is a parameter of this stage
    bool passing = false;  // the next word is a parameter of a stage behind this one

    // True if the next word is a command.
    bool idle() const {
#pragma HLS INLINE
        return !loading && !passing;
    }

    // A word has been read, and `end` says that it is the stage's last parameter. Pass on what the stages behind have
    // to know: the size of a tile, less what is lost here; that a load goes on behind this stage; parameters that are
    // not its own.
    void pass(ctrl_t message, bool end, hls::stream<ctrl_t>& next) {
#pragma HLS INLINE
        const bool command = idle(), more = !message[64];
        const stage_command tile = stage_command::unpack(message);
        const ctrl_t size = tile.behind(SHRINK, 1).pack();
        if ((command && tile.tile) || passing || (end && more)) {
            next.write(passing ? message : command ? size : ctrl_t(0));
        }
        passing = (passing || end) && more;
        loading = command ? !tile.tile : loading && !end;
    }
};

// The same for a stage without parameters: a load goes on as it came. The next stage takes SCALE times the rows and
// columns, less SHRINK.
template <int SHRINK, int SCALE> struct passing_gate {
    bool passing = false;  // the next word is a parameter of a stage behind this one

    void pass(ctrl_t message, hls::stream<ctrl_t>& next) {
#pragma HLS INLINE
        const stage_command tile = stage_command::unpack(message);
        const ctrl_t size = tile.behind(SHRINK, SCALE).pack();
        next.write(!passing && tile.tile ? size : message);
        passing = !message[64];
    }
};

}  // namespace srcnn
