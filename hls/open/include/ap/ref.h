// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What x.range(hi, lo), x[i] and (a, b) return: references that can be read, assigned and concatenated.
// Included by ap_int.h only.
#ifndef HLS_OPEN_AP_REF_H
#define HLS_OPEN_AP_REF_H

// A range keeps the width of the number it was cut from, as AMD's does: its length is a run-time value.
template <int W, bool S> struct ap_range_ref {
    ap_int_base<W, S>* number;
    int hi, lo;

    HLS_OPEN_AP_INLINE constexpr ap_range_ref(ap_int_base<W, S>* n, int h, int l) : number(n), hi(h), lo(l) {}
    ap_range_ref(const ap_range_ref&) = default;
    HLS_OPEN_AP_INLINE constexpr hls_open_ap::bits<W> get_raw() const { return number->get_range(hi, lo); }
    template <class T> HLS_OPEN_AP_INLINE constexpr void set_raw(T x) { number->set_range(hi, lo, x); }
    HLS_OPEN_AP_INLINE constexpr ap_uint<W> get() const { return ap_uint<W>::from_raw(get_raw()); }
    template <int W2> HLS_OPEN_AP_INLINE constexpr void set(const ap_int_base<W2, false>& x) { set_raw(x.V); }
    HLS_OPEN_AP_INLINE constexpr int length() const { return hi >= lo ? hi - lo + 1 : lo - hi + 1; }
    HLS_OPEN_AP_INLINE constexpr operator ap_ulong() const { return (ap_ulong)get_raw(); }

    template <class T, hls_open_ap::enable<hls_open_ap::operand<T>::ok> = 0>
    HLS_OPEN_AP_INLINE constexpr ap_range_ref& operator=(const T& x) {
        set_raw(hls_open_ap::value(x));
        return *this;
    }
    HLS_OPEN_AP_INLINE constexpr ap_range_ref& operator=(const ap_range_ref& x) {
        set_raw(x.get_raw());
        return *this;
    }

    HLS_OPEN_AP_INLINE constexpr int to_int() const { return (int)get_raw(); }
    HLS_OPEN_AP_INLINE constexpr unsigned to_uint() const { return (unsigned)get_raw(); }
    HLS_OPEN_AP_INLINE constexpr long to_long() const { return (long)get_raw(); }
    HLS_OPEN_AP_INLINE constexpr unsigned long to_ulong() const { return (unsigned long)get_raw(); }
    HLS_OPEN_AP_INLINE constexpr ap_slong to_int64() const { return (ap_slong)get_raw(); }
    HLS_OPEN_AP_INLINE constexpr ap_ulong to_uint64() const { return (ap_ulong)get_raw(); }
    // AMD's range reductions skip the top bit; refusing them is better than either answer.
    bool and_reduce() const = delete;
    bool or_reduce() const = delete;
    bool xor_reduce() const = delete;
};

template <int W, bool S> struct ap_bit_ref {
    ap_int_base<W, S>* number;
    int index;

    HLS_OPEN_AP_INLINE constexpr ap_bit_ref(ap_int_base<W, S>* n, int i) : number(n), index(i) {}
    ap_bit_ref(const ap_bit_ref&) = default;
    HLS_OPEN_AP_INLINE constexpr hls_open_ap::bits<1> get_raw() const { return number->test(index); }
    template <class T> HLS_OPEN_AP_INLINE constexpr void set_raw(T x) { number->set_bit(index, x != 0); }
    HLS_OPEN_AP_INLINE constexpr bool get() const { return number->test(index); }
    template <int W2> HLS_OPEN_AP_INLINE constexpr void set(const ap_int_base<W2, false>& x) { set_raw(x.V); }
    HLS_OPEN_AP_INLINE constexpr bool to_bool() const { return get(); }
    HLS_OPEN_AP_INLINE constexpr int length() const { return 1; }
    HLS_OPEN_AP_INLINE constexpr operator bool() const { return get(); }
    HLS_OPEN_AP_INLINE constexpr bool operator~() const { return !get(); }

    template <class T, hls_open_ap::enable<hls_open_ap::operand<T>::ok> = 0>
    HLS_OPEN_AP_INLINE constexpr ap_bit_ref& operator=(const T& x) {
        set_raw(hls_open_ap::value(x));
        return *this;
    }
    HLS_OPEN_AP_INLINE constexpr ap_bit_ref& operator=(const ap_bit_ref& x) {
        set_raw(x.get_raw());
        return *this;
    }
};

// (a, b): a above b. Each side is kept by reference, so that (a, b) = x writes both; a range counts with its
// own length, and the parts above it are zero.
template <class A, class B> struct ap_concat_ref {
    static constexpr int WA = hls_open_ap::operand<A>::width, WB = hls_open_ap::operand<B>::width;
    using bits_t = hls_open_ap::bits<WA + WB>;
    A& a;
    B& b;

    HLS_OPEN_AP_INLINE constexpr ap_concat_ref(A& x, B& y) : a(x), b(y) {}
    ap_concat_ref(const ap_concat_ref&) = default;
    HLS_OPEN_AP_INLINE constexpr int length() const { return a.length() + b.length(); }
    HLS_OPEN_AP_INLINE constexpr bits_t get_raw() const {
        return (bits_t)((bits_t)(hls_open_ap::bits<WA>)hls_open_ap::value(a) << b.length()) |
               (bits_t)(hls_open_ap::bits<WB>)hls_open_ap::value(b);
    }
    HLS_OPEN_AP_INLINE constexpr ap_uint<WA + WB> get() const { return ap_uint<WA + WB>::from_raw(get_raw()); }
    HLS_OPEN_AP_INLINE constexpr operator ap_ulong() const { return (ap_ulong)get_raw(); }
    template <class T> HLS_OPEN_AP_INLINE constexpr void set_raw(T x) {
        bits_t v = (bits_t)x;
        put(a, (bits_t)(v >> b.length()));
        put(b, v);
    }
    template <int W2> HLS_OPEN_AP_INLINE constexpr void set(const ap_int_base<W2, false>& x) { set_raw(x.V); }
    template <class T, hls_open_ap::enable<hls_open_ap::operand<T>::ok> = 0>
    HLS_OPEN_AP_INLINE constexpr ap_concat_ref& operator=(const T& x) {
        set_raw(hls_open_ap::value(x));
        return *this;
    }
    HLS_OPEN_AP_INLINE constexpr ap_concat_ref& operator=(const ap_concat_ref& x) {
        set_raw(x.get_raw());
        return *this;
    }

private:
    template <int W, bool S, class T> HLS_OPEN_AP_INLINE static constexpr void put(ap_int_base<W, S>& to, T x) {
        to.V = hls_open_ap::wrap<W, S>(x);
    }
    template <int W, bool S, class T> HLS_OPEN_AP_INLINE static constexpr void put(ap_bit_ref<W, S>& to, T x) {
        to.set_raw((hls_open_ap::bits<1>)x);
    }
    template <class R, class T> HLS_OPEN_AP_INLINE static constexpr void put(R& to, T x) { to.set_raw(x); }
};

namespace hls_open_ap {
// What a concatenation keeps: the base class of a number, the reference objects themselves.
template <class T> struct part {
    using type = T;
};
template <int W> struct part<ap_int<W>> {
    using type = ap_int_base<W, true>;
};
template <int W> struct part<ap_uint<W>> {
    using type = ap_int_base<W, false>;
};
template <class A, class B> constexpr bool concatenates = operand<A>::is > builtin&& operand<B>::is > builtin;
}  // namespace hls_open_ap

template <class A, class B, hls_open_ap::enable<hls_open_ap::concatenates<A, B>> = 0>
HLS_OPEN_AP_INLINE constexpr auto operator,(const A& a, const B& b) {
    using PA = typename hls_open_ap::part<A>::type;
    using PB = typename hls_open_ap::part<B>::type;
    return ap_concat_ref<PA, PB>(const_cast<PA&>(static_cast<const PA&>(a)),
                                 const_cast<PB&>(static_cast<const PB&>(b)));
}
// A built-in integer in a concatenation counts with its full width: (x, (unsigned char)1).
template <class A, class B,
          hls_open_ap::enable<(hls_open_ap::operand<A>::is > hls_open_ap::builtin &&
                               hls_open_ap::operand<B>::is == hls_open_ap::builtin)> = 0>
HLS_OPEN_AP_INLINE constexpr auto operator,(const A& a, B b) {
    constexpr int wa = hls_open_ap::operand<A>::width, wb = hls_open_ap::operand<B>::width;
    using R = hls_open_ap::bits<wa + wb>;
    return ap_int_base<wa + wb, false>::from_raw((R)((R)(hls_open_ap::bits<wa>)hls_open_ap::value(a) << wb) |
                                                 (R)(hls_open_ap::bits<wb>)hls_open_ap::value(b));
}
template <class A, class B,
          hls_open_ap::enable<(hls_open_ap::operand<A>::is == hls_open_ap::builtin &&
                               hls_open_ap::operand<B>::is > hls_open_ap::builtin)> = 0>
HLS_OPEN_AP_INLINE constexpr auto operator,(A a, const B& b) {
    constexpr int wa = hls_open_ap::operand<A>::width, wb = hls_open_ap::operand<B>::width;
    using R = hls_open_ap::bits<wa + wb>;
    return ap_int_base<wa + wb, false>::from_raw((R)((R)(hls_open_ap::bits<wa>)hls_open_ap::value(a) << b.length()) |
                                                 (R)(hls_open_ap::bits<wb>)hls_open_ap::value(b));
}

#endif
