// One tensor for two readers: every word goes both ways. It knows no tiles and takes no commands.
#pragma once
#include "types.hpp"

namespace srcnn {

template <class L> struct fork_stage {
    typedef ap_uint<L::BITS> in_t;
    typedef ap_uint<L::BITS> out_t;

    bool ready(hls::stream<in_t>& in, hls::stream<out_t>&, hls::stream<out_t>&) const { return !in.empty(); }

    void step(hls::stream<in_t>& in, hls::stream<out_t>& first, hls::stream<out_t>& second) {
#pragma HLS INLINE
        const in_t word = in.read();
        first.write(word);
        second.write(word);
    }
};

}  // namespace srcnn
