// One row of a convolution's output, from the k rows of its input that the window spans.
//
// A row of bytes holds a position's channels side by side, so what a window reads of a row is k * in_ch neighbours:
// they are taken four at a time, and the last four may reach beyond, where weights are 0.
#pragma once
#include "lanes.hpp"

constexpr int LARGEST_K = 64;                         // host/cpu/plan.py refuses larger filters
constexpr int MOST_GROUPS = REGISTERS == 32 ? 4 : 2;  // of channels that are summed at once

struct conv_t {
    int32_t k, in_ch, out_ch, lanes, groups, along;  // groups of so many lanes; along: 1, lanes are taps
    int32_t fours;                                   // of a row of the window; along: vectors of 32 bytes
    int32_t residual, prelu;                         // output: 9 bits, signed, or with a slope below 0
    int32_t anchor;                                  // channels of what is added to the residual; 0: nothing
    const int8_t* weight;                        // (group, row, four, lane, 4), or along: (channel, row, vector, 32)
    const int32_t *bias, *shift, *slope, *zero;  // per lane; the bias with half a unit but for a PReLU
};

// Add half, shift, saturate: the contract (model/integer/golden.py).
template <typename T> static inline T finished(const conv_t& c, T acc, T shift, T slope, T zero) {
    if (c.prelu) {
        shift += (acc < 0) & slope;
        acc += ((splat<sizeof(T) / 4>(1) << shift) >> 1);
        return clipped(clipped(acc >> shift, -255, 255) + zero, 0, 255);  // the zero could leave 32 bits
    }
    return clipped(acc >> shift, c.residual ? -256 : 0, 255);
}

// Store a position's channels from `lane` on. All lanes are written: what is too much, the next position overwrites,
// unless that was written by an earlier pass (`exact`).
template <int LANES> static inline void store(const conv_t& c, uint8_t* out, long at, int lane, bool exact,
                                              typename vectors<LANES>::sums v) {
    const int left = c.out_ch - lane;
    if (c.residual && !c.anchor) {
        typedef typename vectors<LANES>::words words;
        typedef typename vectors<LANES>::loose_words loose;
        const words made = __builtin_convertvector(v, words);
        if (exact && left < LANES) {
            __builtin_memcpy(out + 2 * (at + lane), &made, 2 * left);
        } else {
            *reinterpret_cast<loose*>(out + 2 * (at + lane)) = made;
        }
    } else {
        typedef typename vectors<LANES>::bytes bytes;
        typedef typename vectors<LANES>::loose_bytes loose;
        const bytes made = __builtin_convertvector(v, bytes);
        if (exact && left < LANES) {
            __builtin_memcpy(out + at + lane, &made, left);
        } else {
            *reinterpret_cast<loose*>(out + at + lane) = made;
        }
    }
}

// P positions from `at` on, G groups of channels from `group` on.
template <int LANES, int G, int P> static inline void positions(const conv_t& c, const uint8_t* const* rows,
                                                                const uint8_t* anchor, uint8_t* out, int at,
                                                                int group) {
    typedef typename vectors<LANES>::sums sums;
    sums acc[P][G];
    for (int g = 0; g < G; g++) {
        for (int p = 0; p < P; p++) {
            acc[p][g] = load<LANES>(c.bias + (group + g) * LANES);
        }
    }
    const long four_bytes = 4 * LANES, group_bytes = four_bytes * c.fours * c.k;
    const int8_t* weight = c.weight + group * group_bytes;
    for (int row = 0; row < c.k; row++) {
        const uint8_t* x = rows[row] + (long)at * c.in_ch;
        for (int i = 0; i < c.fours; i++, x += 4, weight += four_bytes) {
            sums w[G];
            for (int g = 0; g < G; g++) {
                w[g] = load<LANES>(weight + g * group_bytes);
            }
            for (int p = 0; p < P; p++) {
                const sums taps = four<LANES>(x + (long)p * c.in_ch);
                for (int g = 0; g < G; g++) {
                    acc[p][g] = dot4(acc[p][g], taps, w[g]);
                }
            }
        }
    }
    for (int p = 0; p < P; p++) {
        for (int g = 0; g < G; g++) {
            const int lane = (group + g) * LANES;
            sums v = finished(c, acc[p][g], load<LANES>(c.shift + lane), load<LANES>(c.slope + lane),
                              load<LANES>(c.zero + lane));
            if (c.anchor == 1) {
                v = clipped(v + splat<LANES>(anchor[at + p]), 0, 255);
            } else if (c.anchor) {
                const long from = (long)(at + p) * c.anchor + lane;
                const typename vectors<LANES>::loose_bytes* bytes =
                    reinterpret_cast<const typename vectors<LANES>::loose_bytes*>(anchor + from);
                v = clipped(v + __builtin_convertvector(*bytes, sums), 0, 255);
            }
            store<LANES>(c, out, (long)(at + p) * c.out_ch, lane, c.groups > MOST_GROUPS, v);
        }
    }
}

template <int LANES, int G> static void pass(const conv_t& c, const uint8_t* const* rows, const uint8_t* anchor,
                                             uint8_t* out, int width, int group) {
    constexpr int P = REGISTERS == 32 ? (G == 1 ? 12 : G == 2 ? 8 : 6) : (G == 1 ? 6 : 4);
    int at = 0;
    for (; at + P <= width; at += P) {
        positions<LANES, G, P>(c, rows, anchor, out, at, group);
    }
    for (; at < width; at++) {
        positions<LANES, G, 1>(c, rows, anchor, out, at, group);
    }
}

// Lanes are channels: every sum of a position has its own, and all of them read the same bytes.
template <int LANES>
static void across(const conv_t& c, const uint8_t* const* rows, const uint8_t* anchor, uint8_t* out, int width) {
    for (int group = 0; group < c.groups; group += MOST_GROUPS) {
        const int left = c.groups - group;
        if (left == 1) {
            pass<LANES, 1>(c, rows, anchor, out, width, group);
        } else if (left == 2 || MOST_GROUPS == 2) {
            pass<LANES, 2>(c, rows, anchor, out, width, group);
        } else if (left == 3) {
            pass<LANES, 3>(c, rows, anchor, out, width, group);
        } else {
            pass<LANES, MOST_GROUPS>(c, rows, anchor, out, width, group);
        }
    }
}

// Lanes are taps, for layers of few channels that have many: 32 bytes of a window's row at once; eight positions' sums
// over the lanes are made together.
static void along(const conv_t& c, const uint8_t* const* rows, uint8_t* out, int width) {
    for (int channel = 0; channel < c.out_ch; channel++) {
        const int8_t* weight = c.weight + (long)channel * c.k * c.fours * 32;
        const sums8 shift = splat<8>(c.shift[channel]), slope = splat<8>(c.slope[channel]);
        const sums8 bias = splat<8>(c.bias[channel]), zero = splat<8>(c.zero[channel]);
        for (int at = 0; at < width; at += 8) {  // beyond the row's end: input and output have room for it
            sums8 acc[8] = {};
            for (int row = 0; row < c.k; row++) {
                const uint8_t* x = rows[row] + (long)at * c.in_ch;
                for (int i = 0; i < c.fours; i++) {
                    const sums8 w = load<8>(weight + (row * c.fours + i) * 32L);
                    for (int p = 0; p < 8; p++) {
                        acc[p] = dot4(acc[p], load<8>(x + (long)p * c.in_ch + i * 32), w);
                    }
                }
            }
            const sums8 v = finished(c, bias + sums_of(acc), shift, slope, zero);
            for (int p = 0; p < 8 && at + p < width; p++) {
                const long to = (long)(at + p) * c.out_ch + channel;
                if (c.residual) {
                    reinterpret_cast<int16_t*>(out)[to] = (int16_t)v[p];
                } else {
                    out[to] = (uint8_t)v[p];
                }
            }
        }
    }
}

static void conv_row(const conv_t& c, const uint8_t* const* rows, const uint8_t* anchor, uint8_t* out, int width) {
    if (c.along) {
        along(c, rows, out, width);
    } else if (c.lanes == 8) {
        across<8>(c, rows, anchor, out, width);
    } else {
        across<16>(c, rows, anchor, out, width);
    }
}
