// How the stages of a dataflow run: for ever in hardware; in software until their inputs are used up, or clock by
// clock.
#pragma once
#include "types.hpp"
#ifdef HLS_OPEN_RTL
#include <dataflow.h>
#endif

namespace srcnn {

#ifdef HLS_OPEN_RTL
using hls_open::run;  // the open route reads the dataflow from it
#else
// Run a stage: for ever in hardware, until its inputs are used up in software.
template <class Stage, class... Streams> void run(Stage& stage, Streams&... streams) {
#ifdef __SYNTHESIS__
#pragma HLS INLINE
free_run:
    while (true) {
#pragma HLS PIPELINE II=1 style=frp  // a stage that waits for input still gives out what it has
        stage.step(streams...);
    }
#else
    while (stage.ready(streams...)) {
        stage.step(streams...);
    }
#endif
}
#endif

#ifndef __SYNTHESIS__
// One clock cycle of a stage: it steps if its inputs are there and all its FIFOs have room.
template <class Stage, class... Streams> bool clock(bool room, Stage& stage, Streams&... streams) {
    const bool go = room && stage.ready(streams...);
    if (go) {
        stage.step(streams...);
    }
    return go;
}
#endif

}  // namespace srcnn
