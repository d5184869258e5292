// The kernels as a shared library for Python (hls/csim/accelerator.py): one object per accelerator, transfers in and
// out.
#include <stdint.h>

#include "srcnn_top.hpp"

using namespace srcnn;

namespace {

struct accelerator {
    srcnn_core core;
    hls::stream<beat_t> in, out;
};

}  // namespace

// The only symbols that leave the library: the kernels can be inlined into each other.
#pragma GCC visibility push(default)
extern "C" {

uint32_t srcnn_config_id() { return CONFIG_ID; }

void* srcnn_new() { return new accelerator(); }

void srcnn_delete(void* handle) { delete static_cast<accelerator*>(handle); }

// Send `count` beats; `keep` and `last` may be null for full beats that end with TLAST. With `clocked`, run cycle
// by cycle with bounded FIFOs and return the cycles; else run stage by stage, which is faster, and return 0.
uint64_t srcnn_send(void* handle, const uint64_t* data, const uint8_t* keep, const uint8_t* last, uint64_t count,
                    int clocked) {
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
        while (top.core.cycle(top.in, top.out)) {
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
#pragma GCC visibility pop
