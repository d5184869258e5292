// SPDX-License-Identifier: Apache-2.0
// hls_open::ram: a memory with one read and one write port, a block RAM or LUTs, never registers. For this compiler,
// for Vitis HLS, and for C simulation with either's types.
//
// A kernel has one read site and one write site per ram in its step. What is written in one step may be read
// from the next step on in C++; in hardware the write lands up to two cycles after the step's read, so a kernel
// reads an address again three steps later at the earliest (a row later for line buffers, a packet for weights).
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
    T data[DEPTH];

#ifdef HLS_OPEN_RTL
    T read(ap_uint<32> address) const {
        T value;
        hls_open_ram_read(this, address.to_uint(), &value);
        return value;
    }
    void write(ap_uint<32> address, T value) { hls_open_ram_write(this, address.to_uint(), &value); }
#else
#ifndef __SYNTHESIS__
    ram() { __builtin_memset((void*)data, 0, sizeof data); }  // as in hardware, which a reset leaves alone
#endif
    T read(ap_uint<32> address) const {
#pragma HLS INLINE
        return data[address.to_uint()];
    }
    void write(ap_uint<32> address, T value) {
#pragma HLS INLINE
        data[address.to_uint()] = value;
    }
#endif
};

}  // namespace hls_open

#endif
