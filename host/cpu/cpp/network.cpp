// A network of convolutions, additions and depth-to-space, row by row: each tensor keeps only the rows that somebody
// still reads, so that all of them stay in the cache. A row is made when one is asked for that reads it.
//
// How many rows a tensor has to keep, host/cpu/plan.py finds by asking in the same order.
#include <stdint.h>

#include "conv.hpp"

namespace {

enum kind_t { INPUT, CONV, ADD, SHUFFLE };

constexpr int MOST_TENSORS = 256;  // host/cpu/plan.py refuses more

}  // namespace

// What makes a tensor, and what is kept of it.
struct tensor_t {
    int32_t kind;
    int32_t given, earlier;                  // tensors that it is made of; -1: none
    int32_t crop;                            // of the earlier one, on each side
    int32_t channels, bytes, scale, shrink;  // bytes of a value; shrink: rows and columns fewer than the input, scaled
    int32_t kept;                            // rows
    int32_t factor;                          // SHUFFLE
    conv_t conv;
};

namespace {

struct state_t {
    uint8_t* rows;
    long row_bytes;
    int32_t width, made;
};

struct run_t {
    const tensor_t* tensors;
    int32_t count;
    const uint8_t* picture;
    long picture_row;
    uint8_t* out;
    long out_row;
    state_t state[MOST_TENSORS];
};

uint8_t* row_of(run_t& run, int t, int row) {
    if (t == run.count - 1 && run.tensors[t].kind == SHUFFLE) {
        return run.out + row * run.out_row;  // nobody reads it here, and not a byte too many is written
    }
    return run.state[t].rows + (row % run.tensors[t].kept) * run.state[t].row_bytes;
}

void ask(run_t& run, int t, int row);

void add_row(const tensor_t& t, const int16_t* residual, const uint8_t* earlier, int earlier_ch, uint8_t* out,
             int width) {
    for (int x = 0; x < width; x++) {
        for (int first = 0; first < t.channels; first += earlier_ch) {
            for (int c = 0; c < earlier_ch; c++) {
                const int sum = residual[x * t.channels + first + c] + earlier[x * earlier_ch + c];
                out[x * t.channels + first + c] = sum < 0 ? 0 : sum > 255 ? 255 : sum;
            }
        }
    }
}

// Every `stride`-th group of N bytes, side by side; a store may be of `STORE` bytes but for the last one.
template <int N, int STORE> void gather(const uint8_t* from, long stride, uint8_t* to, int count) {
    for (int x = 0; x < count - 1; x++) {
        __builtin_memcpy(to + (long)x * N, from + x * stride, STORE);
    }
    __builtin_memcpy(to + (count - 1L) * N, from + (count - 1) * stride, N);
}

void gather_bytes(const uint8_t* from, long stride, uint8_t* to, int count, int bytes) {
    switch (bytes) {
        case 2:
            return gather<2, 2>(from, stride, to, count);
        case 3:
            return gather<3, 4>(from, stride, to, count);
        case 4:
            return gather<4, 4>(from, stride, to, count);
    }
    for (int x = 0; x < count; x++) {
        __builtin_memcpy(to + (long)x * bytes, from + x * stride, bytes);
    }
}

// Make the next row of a tensor, or the next rows.
void make(run_t& run, int index) {
    const tensor_t& t = run.tensors[index];
    state_t& state = run.state[index];
    if (t.kind == INPUT) {
        __builtin_memcpy(row_of(run, index, state.made), run.picture + state.made * run.picture_row,
                         (long)state.width * t.channels);
        state.made++;
        return;
    }
    const tensor_t& given = run.tensors[t.given];
    if (t.kind == SHUFFLE) {
        const int row = state.made / t.factor;
        ask(run, t.given, row);
        const long bytes = (long)t.factor * t.channels;
        for (int i = 0; i < t.factor; i++) {
            gather_bytes(row_of(run, t.given, row) + i * bytes, given.channels, row_of(run, index, state.made + i),
                         run.state[t.given].width, bytes);
        }
        state.made += t.factor;
        return;
    }
    const int last = t.kind == CONV ? t.conv.k - 1 : 0;
    ask(run, t.given, state.made + last);
    const uint8_t* earlier = nullptr;
    if (t.earlier >= 0) {
        ask(run, t.earlier, state.made + t.crop);
        earlier = row_of(run, t.earlier, state.made + t.crop) + (long)t.crop * run.tensors[t.earlier].channels;
    }
    uint8_t* out = row_of(run, index, state.made);
    if (t.kind == CONV) {
        const uint8_t* rows[LARGEST_K];
        for (int i = 0; i <= last; i++) {
            rows[i] = row_of(run, t.given, state.made + i);
        }
        conv_row(t.conv, rows, earlier, out, state.width);
    } else {
        add_row(t, reinterpret_cast<const int16_t*>(row_of(run, t.given, state.made)), earlier,
                run.tensors[t.earlier].channels, out, state.width);
    }
    state.made++;
}

void ask(run_t& run, int t, int row) {
    while (run.state[t].made <= row) {
        make(run, t);
    }
}

// Lay the rows out for a picture of so many columns; return the bytes they take.
long prepare(run_t& run, int width, uint8_t* scratch) {
    long used = 0;
    for (int i = 0; i < run.count; i++) {
        const tensor_t& t = run.tensors[i];
        state_t& state = run.state[i];
        state.width = width * t.scale - t.shrink;
        // Vectors run over a row's end: eight positions and a vector at most.
        state.row_bytes = ((state.width + 8L) * t.channels * t.bytes + 127) / 64 * 64;
        state.rows = scratch + used;
        state.made = 0;
        used += state.row_bytes * t.kept;
    }
    return used;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

int32_t cpu_lanes() { return LANES_MOST; }

// What sums four products of bytes; empty: nothing that is worth it.
const char* cpu_vectors() { return VECTORS; }

// Return the bytes of scratch for a picture of so many columns, halo included.
int64_t cpu_scratch(const tensor_t* tensors, int32_t count, int32_t width) {
    run_t run;
    run.tensors = tensors, run.count = count;
    return prepare(run, width, nullptr);
}

// Compute a picture with its halo; its rows and the result's are so many bytes apart.
void cpu_run(const tensor_t* tensors, int32_t count, const uint8_t* picture, int64_t picture_row, int32_t height,
             int32_t width, uint8_t* out, int64_t out_row, uint8_t* scratch) {
    run_t run;
    run.tensors = tensors, run.count = count;
    run.picture = picture, run.picture_row = picture_row, run.out = out, run.out_row = out_row;
    prepare(run, width, scratch);
    const tensor_t& last = tensors[count - 1];
    const int rows = height * last.scale - last.shrink;
    for (int row = 0; row < rows; row++) {
        ask(run, count - 1, row);
        if (last.kind != SHUFFLE) {
            __builtin_memcpy(out + row * out_row, row_of(run, count - 1, row),
                             (long)run.state[count - 1].width * last.channels);
        }
    }
}
}
