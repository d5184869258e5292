// The kernels as a shared library for Python (hls/csim/accelerator.py): one object per accelerator, transfers in and out.
#include <stdint.h>

#include "srcnn_top.hpp"

using namespace srcnn;

namespace {

// One clock cycle of a stage: it steps if its inputs are there and all its FIFOs have room.
template <class Stage, class... Streams> bool clock(bool room, Stage& stage, Streams&... streams) {
    const bool go = room && stage.ready(streams...);
    if (go) {
        stage.step(streams...);
    }
    return go;
}

struct accelerator {
    srcnn_core core;
    hls::stream<beat_t> in, out;

    // All stages at once, with the FIFO depths of the hardware; false if none could step. From the back to the
    // front, so that a stage sees what was in its FIFO when the cycle began (a FIFO frees its place a cycle later
    // than some real ones do, and passes data on a cycle earlier).
    bool cycle() {
        srcnn_core& c = core;
        bool any = clock(true, c.packer, c.answers, c.result, out);
        any |= clock(c.result.size() < RESULT_DEPTH, c.sum, c.ctrl3, c.products, c.result);
        any |= clock(c.products.size() < PRODUCTS_DEPTH, c.conv3, c.ctrl2, c.features2, c.products);
        any |= clock(c.features2.size() < FEATURES2_DEPTH, c.conv2, c.ctrl1, c.features1, c.features2);
        any |= clock(c.features1.size() < FEATURES1_DEPTH, c.conv1, c.ctrl0, c.pixels, c.features1);
        const bool room = c.pixels.size() < PIXEL_DEPTH && c.answers.size() < ANSWER_DEPTH && c.ctrl0.size() < CTRL_DEPTH &&
                          c.ctrl1.size() < CTRL_DEPTH && c.ctrl2.size() < CTRL_DEPTH && c.ctrl3.size() < CTRL_DEPTH;
        any |= clock(room, c.parser, in, c.pixels, c.ctrl0, c.ctrl1, c.ctrl2, c.ctrl3, c.answers);
        return any;
    }
};

}  // namespace

extern "C" {

uint32_t srcnn_config_id() { return CONFIG_ID; }

void* srcnn_new() { return new accelerator(); }

void srcnn_delete(void* handle) { delete static_cast<accelerator*>(handle); }

// Send `count` beats; `keep` and `last` may be null for full beats that end with TLAST. With `clocked`, run cycle
// by cycle with bounded FIFOs and return the cycles; else run stage by stage, which is faster, and return 0.
uint64_t srcnn_send(void* handle, const uint64_t* data, const uint8_t* keep, const uint8_t* last, uint64_t count, int clocked) {
    accelerator& top = *static_cast<accelerator*>(handle);
    for (uint64_t i = 0; i < count; i++) {
        beat_t beat;
        beat.data = data[i];
        beat.keep = keep ? keep[i] : 0xFF;
        beat.strb = beat.keep;
        beat.last = last ? last[i] != 0 : i + 1 == count;
        top.in.write(beat);
    }
    uint64_t cycles = 0;
    if (clocked) {
        while (top.cycle()) {
            cycles++;
        }
    } else {
        top.core.run(top.in, top.out);
    }
    return cycles;
}

// Take up to `room` beats that have come out; return how many. `last` may be null.
uint64_t srcnn_receive(void* handle, uint64_t* data, uint8_t* last, uint64_t room) {
    accelerator& top = *static_cast<accelerator*>(handle);
    uint64_t count = 0;
    while (count < room && !top.out.empty()) {
        const beat_t beat = top.out.read();
        data[count] = beat.data.to_uint64();
        if (last) {
            last[count] = beat.last.to_uint();
        }
        count++;
    }
    return count;
}

}  // extern "C"
