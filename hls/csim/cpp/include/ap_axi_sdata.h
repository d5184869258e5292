// The part of Vitis' ap_axi_sdata.h that the kernels use, for C simulation without Vitis (which brings its own).
#pragma once
#include <ap_int.h>

template <int D, int U, int TI, int TD> struct ap_axiu {
    ap_uint<D> data;
    ap_uint<(D + 7) / 8> keep, strb;
    ap_uint<1> last;
};
