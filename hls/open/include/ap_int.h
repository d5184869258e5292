// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ap_int<N> and ap_uint<N> over clang's _BitInt(N): the types of Vitis HLS as the open route and the native
// build see them. Result widths, signs and values are those of AMD's headers (tests/open/test_ap_int.py compares
// them bit for bit). The storage is the _BitInt itself and every function is always inlined without debug info:
// native code is as fast as plain integers, and in the open route an operation carries the line of the kernel.
//
// Where AMD's headers silently fall back to 64-bit arithmetic (a concatenation in `+`, for example) this header
// refuses instead; docs/ap-int.md has it all. Strings and floating point are no part of a kernel.
#ifndef HLS_OPEN_AP_INT_H
#define HLS_OPEN_AP_INT_H

#if !defined(__clang__) || !defined(__BITINT_MAXWIDTH__)
#error "these models need clang with _BitInt; use AMD's ap_int.h with other compilers"
#endif

typedef long long ap_slong;
typedef unsigned long long ap_ulong;

#include "ap/base.h"
#include "ap/ref.h"
#include "ap/ops.h"

template <int W> struct ap_int : ap_int_base<W, true> {
    using Base = ap_int_base<W, true>;
    ap_int() = default;
    template <class T, hls_open_ap::enable<hls_open_ap::operand<T>::ok> = 0>
    HLS_OPEN_AP_INLINE constexpr ap_int(const T& x) : Base(x) {}
};

template <int W> struct ap_uint : ap_int_base<W, false> {
    using Base = ap_int_base<W, false>;
    ap_uint() = default;
    template <class T, hls_open_ap::enable<hls_open_ap::operand<T>::ok> = 0>
    HLS_OPEN_AP_INLINE constexpr ap_uint(const T& x) : Base(x) {}
};

#endif
