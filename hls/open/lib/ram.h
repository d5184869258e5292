// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// hls_open::ram: a memory with one read and one write port, a block RAM or LUTs, never registers. For this compiler,
// for Vitis HLS, and for C simulation with either's types.
//
// A step reads a ram once at most and writes it once at most. What was written is there for whatever is read later, in
// the same step or the next one, in hardware as in C++. Where what is written depends on what was read there (a
// histogram), that takes a comparison of addresses, and the logic between has to fit into one clock cycle.
//
// Who knows that no step reads a word that it wrote itself or that one of the two steps before it wrote (a line buffer
// reads it a row later) says so with `independent()`, once, anywhere in the step: then the logic may take two cycles,
// and nothing is compared. The simulated Verilog holds the kernel to it. Vitis HLS is told that no step depends on
// another one's writes at all, and its pipelines may be deeper: there it has to be true for as many steps as one takes.
//
// All words are 0 at the start, and a reset leaves them as they are: a kernel that relies on what is in a ram after a
// reset writes it first.
#ifndef HLS_OPEN_RAM_H
#define HLS_OPEN_RAM_H

#include <ap_int.h>
#ifdef HLS_OPEN_RTL
#include <hls_open_rtl.h>
#endif

namespace hls_open {

// By this base, and by nothing else, the compiler knows a ram.
template <class T, int DEPTH> struct ram_marker {};

template <class T, int DEPTH> struct ram : ram_marker<T, DEPTH> {
#ifdef HLS_OPEN_RTL
    ram() = default;
    ram(const ram&) = delete;  // hardware has no copy of a memory
    ram& operator=(const ram&) = delete;
    T read(ap_uint<32> address) const {
        T value;
        hls_open_ram_read(this, address.to_uint(), &value);
        return value;
    }
    void write(ap_uint<32> address, T value) { hls_open_ram_write(this, address.to_uint(), &value); }
    void independent() const { hls_open_ram_independent(this); }
#else
#ifndef __SYNTHESIS__
    ram() {
        __builtin_memset((void*)data, 0, sizeof data);  // as in hardware, which a reset leaves alone
#ifdef HLS_OPEN_CHECK
        hls_open_check::add_ram(this, sizeof *this);
#endif
    }
#endif
    T read(ap_uint<32> address) const {
#pragma HLS INLINE
        return data[address.to_uint()];
    }
    void write(ap_uint<32> address, T value) {
#pragma HLS INLINE
        data[address.to_uint()] = value;
    }
    void independent() const {
#pragma HLS INLINE
#pragma HLS DEPENDENCE variable=data type=inter direction=RAW dependent=false
    }
#endif

private:
    T data[DEPTH];
};

}  // namespace hls_open

#endif
