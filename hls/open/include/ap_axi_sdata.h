// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// hls::axis and ap_axiu for 64-bit AXI4-Streams: data, keep and last, as in Vitis HLS. The other side channels have
// no bits here; assigning to them is allowed and does nothing. Works with this ap_int.h and with AMD's.
#ifndef HLS_OPEN_AP_AXI_SDATA_H
#define HLS_OPEN_AP_AXI_SDATA_H

#include <ap_int.h>

namespace hls {

// A side channel of width zero.
struct no_signal {
    no_signal() = default;
    template <class T> no_signal(const T&) {}
    template <class T> no_signal& operator=(const T&) { return *this; }
};

template <class T, int USER = 0, int ID = 0, int DEST = 0> struct axis;

template <int D> struct axis<ap_uint<D>, 0, 0, 0> {
    static constexpr int width = D;
    ap_uint<D> data;
    ap_uint<(D + 7) / 8> keep;
    ap_uint<1> last;
    no_signal strb, user, id, dest;

    ap_uint<D> get_data() const { return data; }
    void set_data(const ap_uint<D>& x) { data = x; }
    ap_uint<(D + 7) / 8> get_keep() const { return keep; }
    void set_keep(const ap_uint<(D + 7) / 8>& x) { keep = x; }
    bool get_last() const { return last == 1; }
    void set_last(bool x) { last = x; }
    void keep_all() { keep = -1; }
};

}  // namespace hls

template <int D, int USER = 0, int ID = 0, int DEST = 0> using ap_axiu = hls::axis<ap_uint<D>, USER, ID, DEST>;

#endif
