// What travels from stage to stage ahead of the data, one message for each packet: compute a tile, or load parameters.
//
// A message is a command and, for a load, the parameter words of all stages that are still to come; bit 64 marks its
// last word. Every stage keeps what is its own and passes the rest on, so that none has to know what is in front or
// behind: of a tile it passes on the size that it leaves, of a load the words that it does not need.
#pragma once
#include "types.hpp"

namespace srcnn {

struct stage_command {
    bool tile;               // false: parameter words follow
    coord_t last_x, last_y;  // of the tile's last position at the stage's input: its size, less one

    ctrl_t pack() const {
#pragma HLS INLINE
        ctrl_t word = 0;
        word[0] = tile;
        word.range(31, 16) = last_x;
        word.range(47, 32) = last_y;
        word[64] = tile;  // parameters follow a load, nothing a tile
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
    // The command for the next stage, which takes `scale` times as many rows and columns, less `shrink`.
    stage_command behind(int shrink, int scale) const {
#pragma HLS INLINE
        stage_command command;
        command.tile = tile;
        command.last_x = last_x * scale + (scale - 1 - shrink);
        command.last_y = last_y * scale + (scale - 1 - shrink);
        return command;
    }
};

}  // namespace srcnn
