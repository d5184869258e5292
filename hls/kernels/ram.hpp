// A memory with one read and one write port: a block RAM, never registers.
//
// A kernel has one read site and one write site per ram in its step. What is written in one step may be read
// from the next step on in C++; in hardware the write lands up to two cycles after the step's read, so a kernel
// reads an address again three steps later at the earliest (a row later for line buffers, a packet for weights).
#pragma once
#include "types.hpp"
#ifdef SRCNN_OPEN_RTL
#include <srcnn_rtl.h>  // the open route turns these accesses into RAM ports
#endif

namespace srcnn {

template <class T, int DEPTH> struct ram {
    T data[DEPTH];

#ifdef SRCNN_OPEN_RTL
    T read(ap_uint<32> address) const {
        T value;
        srcnn_ram_read(this, address.to_uint(), &value);
        return value;
    }
    void write(ap_uint<32> address, T value) { srcnn_ram_write(this, address.to_uint(), &value); }
#else
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

}  // namespace srcnn
