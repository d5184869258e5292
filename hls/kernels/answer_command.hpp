// What the parser tells the packer, in the order of the packets: which answer to send, and how a tile ended. The size
// of a tile's output comes from the last stage (stage_command.hpp).
#pragma once
#include "types.hpp"

namespace srcnn {

constexpr int ANSWER_TILE = 0, ANSWER_TILE_END = 1, ANSWER_LOADED = 2, ANSWER_IDENTITY = 3, ANSWER_ERROR = 4;  // kinds

struct answer_command {
    ap_uint<3> kind;
    bool last;         // the transfer ended with this packet: so does the answer
    ap_uint<8> error;  // of ANSWER_ERROR; on ANSWER_TILE_END: an error answer follows the tile
    ap_uint<32> tag;

    answer_t pack() const {
#pragma HLS INLINE
        answer_t word = 0;
        word.range(2, 0) = kind;
        word[3] = last;
        word.range(11, 4) = error;
        word.range(43, 12) = tag;
        return word;
    }
    static answer_command unpack(answer_t word) {
#pragma HLS INLINE
        answer_command command;
        command.kind = word.range(2, 0);
        command.last = word[3];
        command.error = word.range(11, 4);
        command.tag = word.range(43, 12);
        return command;
    }
};

}  // namespace srcnn
