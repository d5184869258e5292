// What the parser tells the packer, in the order of the packets: which answer to send, and how a tile ended.
#pragma once
#include "types.hpp"

namespace srcnn {

constexpr int ANSWER_TILE = 0, ANSWER_TILE_END = 1, ANSWER_LOADED = 2, ANSWER_IDENTITY = 3, ANSWER_ERROR = 4;  // kinds

struct answer_command {
    ap_uint<3> kind;
    bool last;               // the transfer ended with this packet: so does the answer
    ap_uint<8> error;        // of ANSWER_ERROR; on ANSWER_TILE_END: an error answer follows the tile
    coord_t width, height;   // of the output of ANSWER_TILE
    ap_uint<32> tag;

    answer_t pack() const {
#pragma HLS INLINE
        answer_t word = 0;
        word.range(2, 0) = kind;
        word[3] = last;
        word.range(11, 4) = error;
        word.range(31, 16) = width;
        word.range(47, 32) = height;
        word.range(79, 48) = tag;
        return word;
    }
    static answer_command unpack(answer_t word) {
#pragma HLS INLINE
        answer_command command;
        command.kind = word.range(2, 0);
        command.last = word[3];
        command.error = word.range(11, 4);
        command.width = word.range(31, 16);
        command.height = word.range(47, 32);
        command.tag = word.range(79, 48);
        return command;
    }
};

}  // namespace srcnn
