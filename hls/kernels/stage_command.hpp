// What the parser tells a stage before its data: load parameters, or compute a tile.
#pragma once
#include "types.hpp"

namespace srcnn {

struct stage_command {
    bool tile;               // false: parameter words follow on the same stream
    coord_t last_x, last_y;  // of the tile's last position at the stage's input: its size, less one

    ctrl_t pack() const {
#pragma HLS INLINE
        ctrl_t word = 0;
        word[0] = tile;
        word.range(31, 16) = last_x;
        word.range(47, 32) = last_y;
        return word;
    }
    static stage_command unpack(ctrl_t word) {
#pragma HLS INLINE
        stage_command command;
        command.tile = word[0];
        command.last_x = word.range(31, 16);
        command.last_y = word.range(47, 32);
        return command;
    }
};

}  // namespace srcnn
