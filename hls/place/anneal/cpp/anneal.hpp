// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What anneal.cpp works on: arrays of Python's, in the order of problem.py's ctypes structure.
#pragma once
#include <stdint.h>

inline void* operator new(__SIZE_TYPE__, void* place) noexcept { return place; }

// A slice has four lanes of two LUTs and two flip-flops, and one carry.
enum { L6 = 0, L5 = 1, FF = 2, FF2 = 3, CARRY = 16, SUBS = 17 };
enum { TO_FF = 2 };  // from a LUT to the flip-flop that it drives within its lane: L6 to FF, L5 to FF2
enum { CONSTANT = -1, UNDRIVEN = -2 };  // drivers of nets that are no cell of the placement
enum Kind { LUT = 0, FLIP_FLOP = 1, CHAIN = 2, BLOCK = 3 };

struct Box {
    int16_t left, right, low, high;
    int16_t lefts, rights, lows, highs;  // pins on each edge
};

struct Statistics {
    int64_t accepted;
    double wire, delay;
};

struct Problem {
    // sites: slices first, then blocks by class
    int32_t sites, slices, columns, rows, delay_rows, cells, nets, pins;
    int32_t atoms, chains, blocks, memories, epoch, size;  // size: of all this, in bytes
    const int16_t *x, *y;                                  // of a site, tiles
    const int16_t *slice_x, *slice_y;                      // of a slice, by its name
    const int32_t *grid, *above, *below,
        *beside;            // slice by name's place; the slice that a carry goes on in, -1 if there is none
    const uint8_t* memory;  // a slice can hold RAM and shift registers
    uint8_t* needs_memory;
    int32_t *occupant, *block_at;  // cell, -1 if there is none
    // cells
    const uint8_t *kind, *rigid;
    int32_t *site, *sub;
    const int32_t* mate;  // the flip-flop that a LUT drives and shares a lane with, and back
    const uint8_t *inputs, *outputs, *ram, *srl, *only_carry, *carry_outs, *latch;
    const int32_t *input, *output, *data_in, *wclk, *write_msb, *data, *clock, *control, *carry_in;
    const int32_t *atom, *chain_begin, *chain_cell, *chain_of, *block, *block_class, *class_begin, *memory_cell;
    const int32_t *cell_begin, *cell_pin;
    // nets: the first pin drives
    const int32_t *net_begin, *pin_cell, *pin_net, *driver, *users;
    const float* net_weight;            // of its wire; 0: it does not count
    const uint8_t *timed, *carry_lane;  // of a carry's output: the lane that it comes out of
    const uint8_t* direct;              // of a pin: a carry's input from the one below, which takes nothing
    Box *box, *new_box;
    uint8_t* whole;
    int32_t *net_epoch, *net_list, *pin_epoch, *pin_list;
    // delays, ns
    const float* delays;  // by tiles across and along
    float same_lane, same_site;
    float *delay, *new_delay, *weight;
    const int32_t *order, *arc_begin, *arc_pin;
    const float *arc_delay, *launch, *setup;
    float *arrival, *tail;
};
