// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ap_int_base<W, S>: storage, conversions and member functions. Included by ap_int.h only.
#ifndef HLS_OPEN_AP_BASE_H
#define HLS_OPEN_AP_BASE_H

#define HLS_OPEN_AP_INLINE __attribute__((always_inline, nodebug)) inline

template <int W> struct ap_int;
template <int W> struct ap_uint;
template <int W, bool S> struct ap_int_base;
template <int W, bool S> struct ap_range_ref;
template <int W, bool S> struct ap_bit_ref;
template <class A, class B> struct ap_concat_ref;

namespace hls_open_ap {

template <bool C, class T = int> struct enable_if {};
template <class T> struct enable_if<true, T> {
    using type = T;
};
template <bool C, class T = int> using enable = typename enable_if<C, T>::type;
template <bool C, class A, class B> struct choose {
    using type = A;
};
template <class A, class B> struct choose<false, A, B> {
    using type = B;
};
constexpr int larger(int a, int b) { return a > b ? a : b; }
constexpr int smaller(int a, int b) { return a < b ? a : b; }

// ap_int<1> holds -1 and 0. C has no signed _BitInt(1), so it is kept in two bits that are always equal.
template <int W, bool S> struct storage {
    using type = unsigned _BitInt(W);
};
template <int W> struct storage<W, true> {
    using type = signed _BitInt(W < 2 ? 2 : W);
};
template <int W, bool S> using raw = typename storage<W, S>::type;
template <int W> using bits = unsigned _BitInt(W);

template <int W, bool S, class T> HLS_OPEN_AP_INLINE constexpr raw<W, S> wrap(T x) {
    if constexpr (W == 1 && S)
        return (raw<1, true>)((raw<1, true>)((bits<2>)x << 1) >> 1);
    else
        return (raw<W, S>)x;
}

template <int W, bool S> struct ap {
    using type = ap_uint<W>;
};
template <int W> struct ap<W, true> {
    using type = ap_int<W>;
};

// What may stand beside an operator: its kind, width, sign and value.
enum kind { none, builtin, number, range, bit, concat };
struct no_operand {
    static constexpr bool ok = false;
    static constexpr kind is = none;
    static constexpr int width = 1;
    static constexpr bool sign = false;
};
template <int W, bool S, kind K> struct some_operand {
    static constexpr bool ok = true;
    static constexpr kind is = K;
    static constexpr int width = W;
    static constexpr bool sign = S;
    template <class T> HLS_OPEN_AP_INLINE static constexpr raw<W, S> value(const T& x) {
        if constexpr (K == builtin)
            return wrap<W, S>(x);
        else if constexpr (K == number)
            return x.V;
        else
            return x.get_raw();
    }
};
// An unscoped enumeration counts as the integer it promotes to, as everywhere in C++.
template <class T, bool = __is_enum(T) && __is_convertible_to(T, int)> struct enum_operand : no_operand {};
template <class T> struct enum_operand<T, true> : some_operand<8 * sizeof(+T()), (decltype(+T()))(-1) < 0, builtin> {};
template <class T> struct operand : enum_operand<T> {};
template <> struct operand<bool> : some_operand<1, false, builtin> {};
template <> struct operand<char> : some_operand<8, char(-1) < 0, builtin> {};
template <> struct operand<signed char> : some_operand<8, true, builtin> {};
template <> struct operand<unsigned char> : some_operand<8, false, builtin> {};
template <> struct operand<short> : some_operand<16, true, builtin> {};
template <> struct operand<unsigned short> : some_operand<16, false, builtin> {};
template <> struct operand<int> : some_operand<32, true, builtin> {};
template <> struct operand<unsigned> : some_operand<32, false, builtin> {};
template <> struct operand<long> : some_operand<8 * sizeof(long), true, builtin> {};
template <> struct operand<unsigned long> : some_operand<8 * sizeof(long), false, builtin> {};
template <> struct operand<long long> : some_operand<64, true, builtin> {};
template <> struct operand<unsigned long long> : some_operand<64, false, builtin> {};
template <int W, bool S> struct operand<ap_int_base<W, S>> : some_operand<W, S, number> {};
template <int W> struct operand<ap_int<W>> : some_operand<W, true, number> {};
template <int W> struct operand<ap_uint<W>> : some_operand<W, false, number> {};
template <int W, bool S> struct operand<ap_range_ref<W, S>> : some_operand<W, false, range> {};
template <int W, bool S> struct operand<ap_bit_ref<W, S>> : some_operand<1, false, bit> {};
template <class A, class B> struct operand<ap_concat_ref<A, B>>
    : some_operand<operand<A>::width + operand<B>::width, false, concat> {};
template <class T> struct operand<const T> : operand<T> {};
template <class T> HLS_OPEN_AP_INLINE constexpr auto value(const T& x) { return operand<T>::value(x); }

template <int W> HLS_OPEN_AP_INLINE constexpr bool parity(bits<W> x) {
    if constexpr (W == 1)
        return (bool)x;
    else
        return parity<(W + 1) / 2>((bits<(W + 1) / 2>)(x ^ (x >> ((W + 1) / 2))));
}

// The bits in reverse order.
template <int W> HLS_OPEN_AP_INLINE constexpr bits<W> backwards(bits<W> x) {
    if constexpr (W <= 64)
        return (bits<W>)(__builtin_bitreverse64((ap_ulong)x) >> (64 - W));
    else
        return (bits<W>)((bits<W>)__builtin_bitreverse64((ap_ulong)x) << (W - 64)) |
               (bits<W>)backwards<W - 64>((bits<W - 64>)(x >> 64));
}

// Zeros above the highest one.
template <int W> HLS_OPEN_AP_INLINE constexpr int leading_zeros(bits<W> x) {
    if constexpr (W <= 64)
        return x == 0 ? W : __builtin_clzll((ap_ulong)x) - (64 - W);
    else {
        constexpr int LOW = (W - 1) / 64 * 64;  // the highest word may be short
        return x >> LOW != 0 ? leading_zeros<W - LOW>((bits<W - LOW>)(x >> LOW))
                             : W - LOW + leading_zeros<LOW>((bits<LOW>)x);
    }
}

// AMD's shifts: an amount of W or more empties the value (or fills it with its sign), a negative one turns round.
template <int W, bool S, class T> HLS_OPEN_AP_INLINE constexpr raw<W, S> left(raw<W, S> v, T n) {
    return n >= W ? (raw<W, S>)0 : wrap<W, S>(v << n);
}
template <int W, bool S, class T> HLS_OPEN_AP_INLINE constexpr raw<W, S> right(raw<W, S> v, T n) {
    return n >= W ? (S && v < 0 ? (raw<W, S>)-1 : (raw<W, S>)0) : (raw<W, S>)(v >> n);
}
template <int W, bool S, bool LEFT, class T> HLS_OPEN_AP_INLINE constexpr raw<W, S> shift(raw<W, S> v, const T& by) {
    using O = operand<T>;
    if constexpr (O::is == builtin && !O::sign)
        return LEFT ? left<W, S>(v, by) : right<W, S>(v, by);
    else if constexpr (O::is == builtin)
        return (by >= 0) == LEFT ? left<W, S>(v, by >= 0 ? (ap_ulong)by : -(ap_ulong)by)
                                 : right<W, S>(v, by >= 0 ? (ap_ulong)by : -(ap_ulong)by);
    else if constexpr (!O::sign)
        return LEFT ? left<W, S>(v, (unsigned)value(by)) : right<W, S>(v, (unsigned)value(by));
    else {
        bool negative = value(by) < 0;
        unsigned n = (unsigned)(bits<O::width>)(negative ? -(bits<O::width>)value(by) : (bits<O::width>)value(by));
        return negative != LEFT ? left<W, S>(v, n) : right<W, S>(v, n);
    }
}

}  // namespace hls_open_ap

template <int W, bool S> struct ap_int_base {
    static_assert(W >= 1 && W <= 4096, "ap_int and ap_uint take 1 to 4096 bits");
    using raw_t = hls_open_ap::raw<W, S>;
    using bits_t = hls_open_ap::bits<W>;
    static constexpr int width = W;
    raw_t V;

    ap_int_base() = default;
    template <class T, hls_open_ap::enable<hls_open_ap::operand<T>::ok> = 0>
    HLS_OPEN_AP_INLINE constexpr ap_int_base(const T& x) : V(hls_open_ap::wrap<W, S>(hls_open_ap::value(x))) {}
    ap_int_base(float) = delete;  // a kernel has no floating point: convert in the testbench
    ap_int_base(double) = delete;
    ap_int_base(const char*) = delete;
    template <class T> HLS_OPEN_AP_INLINE static constexpr typename hls_open_ap::ap<W, S>::type from_raw(T x) {
        typename hls_open_ap::ap<W, S>::type r{};
        r.V = hls_open_ap::wrap<W, S>(x);
        return r;
    }

    // The one implicit conversion, 64 bits wide as AMD's: what `if (x)`, `a[x]` and `int i = x` use.
    using native = typename hls_open_ap::choose<S, ap_slong, ap_ulong>::type;
    HLS_OPEN_AP_INLINE constexpr operator native() const { return (native)V; }
    HLS_OPEN_AP_INLINE constexpr bool to_bool() const {
        static_assert(W <= 64, "AMD's C model looks at the lowest 64 bits only: write x != 0");
        return V != 0;
    }
    HLS_OPEN_AP_INLINE constexpr char to_char() const { return (char)V; }
    HLS_OPEN_AP_INLINE constexpr signed char to_schar() const { return (signed char)V; }
    HLS_OPEN_AP_INLINE constexpr unsigned char to_uchar() const { return (unsigned char)V; }
    HLS_OPEN_AP_INLINE constexpr short to_short() const { return (short)V; }
    HLS_OPEN_AP_INLINE constexpr unsigned short to_ushort() const { return (unsigned short)V; }
    HLS_OPEN_AP_INLINE constexpr int to_int() const { return (int)V; }
    HLS_OPEN_AP_INLINE constexpr unsigned to_uint() const { return (unsigned)V; }
    HLS_OPEN_AP_INLINE constexpr long to_long() const { return (long)V; }
    HLS_OPEN_AP_INLINE constexpr unsigned long to_ulong() const { return (unsigned long)V; }
    HLS_OPEN_AP_INLINE constexpr ap_slong to_int64() const { return (ap_slong)V; }
    HLS_OPEN_AP_INLINE constexpr ap_ulong to_uint64() const { return (ap_ulong)V; }

    HLS_OPEN_AP_INLINE constexpr int length() const { return W; }
    HLS_OPEN_AP_INLINE constexpr bool iszero() const { return V == 0; }
    HLS_OPEN_AP_INLINE constexpr bool is_zero() const { return V == 0; }
    HLS_OPEN_AP_INLINE constexpr bool sign() const { return S && V < 0; }

    // Single bits.
    HLS_OPEN_AP_INLINE constexpr bool test(int i) const { return ((bits_t)V >> i & 1) != 0; }
    HLS_OPEN_AP_INLINE constexpr bool get_bit(int i) const { return test(i); }
    HLS_OPEN_AP_INLINE constexpr void set(int i) { set_bit(i, true); }
    HLS_OPEN_AP_INLINE constexpr void set(int i, bool v) { set_bit(i, v); }
    HLS_OPEN_AP_INLINE constexpr void clear(int i) { set_bit(i, false); }
    HLS_OPEN_AP_INLINE constexpr void invert(int i) { set_bit(i, !test(i)); }
    HLS_OPEN_AP_INLINE constexpr void set_bit(int i, bool v) {
        V = hls_open_ap::wrap<W, S>(((bits_t)V & (bits_t) ~((bits_t)1 << i)) | (bits_t)((bits_t)v << i));
    }
    HLS_OPEN_AP_INLINE constexpr void b_not() { V = hls_open_ap::wrap<W, S>(~V); }

    HLS_OPEN_AP_INLINE constexpr ap_int_base& lrotate(int n) {  // 0 <= n < W
        static_assert(!S, "AMD's rotation of an ap_int shifts its sign in: convert to ap_uint first");
        if (n != 0)
            V = hls_open_ap::wrap<W, S>((bits_t)((bits_t)V << n) | (bits_t)V >> (W - n));
        return *this;
    }
    HLS_OPEN_AP_INLINE constexpr ap_int_base& rrotate(int n) {
        static_assert(!S, "AMD's rotation of an ap_int shifts its sign in: convert to ap_uint first");
        if (n != 0)
            V = hls_open_ap::wrap<W, S>((bits_t)V >> n | (bits_t)((bits_t)V << (W - n)));
        return *this;
    }
    HLS_OPEN_AP_INLINE constexpr ap_int_base& reverse() {
        V = hls_open_ap::wrap<W, S>(hls_open_ap::backwards<W>((bits_t)V));
        return *this;
    }
    HLS_OPEN_AP_INLINE constexpr int countLeadingZeros() const { return hls_open_ap::leading_zeros<W>((bits_t)V); }

    // The number as a whole.
    HLS_OPEN_AP_INLINE constexpr ap_int_base& get() { return *this; }
    template <int W2> HLS_OPEN_AP_INLINE constexpr void set(const ap_int_base<W2, false>& x) {
        V = hls_open_ap::wrap<W, S>(x.V);
    }
    HLS_OPEN_AP_INLINE constexpr ap_int_base read() const { return *this; }
    HLS_OPEN_AP_INLINE constexpr void write(const ap_int_base& x) { V = x.V; }

    // Bits lo to hi as an unsigned number, and written back. With hi < lo they come in reverse order, bit lo lowest,
    // as in AMD's: which of both it is costs nothing where the bounds are constants or hi is lo plus a constant.
    HLS_OPEN_AP_INLINE static constexpr bits_t mask(int hi, int lo) { return (bits_t) ~(bits_t)0 >> (W - 1 - hi + lo); }
    HLS_OPEN_AP_INLINE constexpr bits_t get_range(int hi, int lo) const {
        if (hi >= lo)
            return (bits_t)V >> lo & mask(hi, lo);
        return hls_open_ap::backwards<W>((bits_t)V) >> (W - 1 - lo) & mask(lo, hi);
    }
    template <class T> HLS_OPEN_AP_INLINE constexpr void set_range(int hi, int lo, T x) {
        if (hi >= lo)
            V = hls_open_ap::wrap<W, S>(replaced((bits_t)V, mask(hi, lo), lo, (bits_t)x));
        else
            V = hls_open_ap::wrap<W, S>(hls_open_ap::backwards<W>(
                replaced(hls_open_ap::backwards<W>((bits_t)V), mask(lo, hi), W - 1 - lo, (bits_t)x)));
    }
    HLS_OPEN_AP_INLINE static constexpr bits_t replaced(bits_t v, bits_t m, int lo, bits_t x) {
        return (v & (bits_t) ~(bits_t)(m << lo)) | (bits_t)((x & m) << lo);
    }
    using range_t = ap_range_ref<W, S>;
    HLS_OPEN_AP_INLINE constexpr range_t range(int hi, int lo) const {
        return {const_cast<ap_int_base*>(this), hi, lo};
    }
    HLS_OPEN_AP_INLINE constexpr range_t range() const { return range(W - 1, 0); }
    HLS_OPEN_AP_INLINE constexpr range_t operator()(int hi, int lo) const { return range(hi, lo); }
    HLS_OPEN_AP_INLINE constexpr ap_bit_ref<W, S> bit(int i) { return {this, i}; }
    HLS_OPEN_AP_INLINE constexpr ap_bit_ref<W, S> operator[](int i) { return {this, i}; }
    HLS_OPEN_AP_INLINE constexpr bool bit(int i) const { return test(i); }
    HLS_OPEN_AP_INLINE constexpr bool operator[](int i) const { return test(i); }

    HLS_OPEN_AP_INLINE constexpr bool and_reduce() const { return (bits_t)V == (bits_t) ~(bits_t)0; }
    HLS_OPEN_AP_INLINE constexpr bool or_reduce() const { return V != 0; }
    HLS_OPEN_AP_INLINE constexpr bool nor_reduce() const { return !or_reduce(); }
    HLS_OPEN_AP_INLINE constexpr bool nand_reduce() const {
        static_assert(W <= 64, "AMD's C model is wrong beyond 64 bits: write !x.and_reduce()");
        return !and_reduce();
    }
    HLS_OPEN_AP_INLINE constexpr bool xnor_reduce() const { return !xor_reduce(); }
    HLS_OPEN_AP_INLINE constexpr bool xor_reduce() const {
        static_assert(!S, "AMD's C model gives the wrong parity for negative numbers: convert to ap_uint first");
        return hls_open_ap::parity<W>((bits_t)V);
    }

    template <int W2, bool S2> HLS_OPEN_AP_INLINE constexpr ap_concat_ref<ap_int_base, ap_int_base<W2, S2>> concat(
        const ap_int_base<W2, S2>& x) const {
        return {const_cast<ap_int_base&>(*this), const_cast<ap_int_base<W2, S2>&>(x)};
    }

    // Unary.
    HLS_OPEN_AP_INLINE constexpr bool operator!() const { return V == 0; }
    HLS_OPEN_AP_INLINE constexpr typename hls_open_ap::ap<W, S>::type operator+() const { return from_raw(V); }
    HLS_OPEN_AP_INLINE constexpr typename hls_open_ap::ap<W, S>::type operator~() const { return from_raw(~V); }
    HLS_OPEN_AP_INLINE constexpr auto operator-() const {  // AMD: 0 - x with a one-bit zero
        constexpr int w = hls_open_ap::larger(1 + S, W) + 1;
        return ap_int_base<w, true>::from_raw(-(hls_open_ap::raw<w, true>)V);
    }
    HLS_OPEN_AP_INLINE constexpr ap_int_base& operator++() {
        V = hls_open_ap::wrap<W, S>((bits_t)V + (bits_t)1);
        return *this;
    }
    HLS_OPEN_AP_INLINE constexpr ap_int_base& operator--() {
        V = hls_open_ap::wrap<W, S>((bits_t)V - (bits_t)1);
        return *this;
    }
    HLS_OPEN_AP_INLINE constexpr typename hls_open_ap::ap<W, S>::type operator++(int) {
        auto old = from_raw(V);
        ++*this;
        return old;
    }
    HLS_OPEN_AP_INLINE constexpr typename hls_open_ap::ap<W, S>::type operator--(int) {
        auto old = from_raw(V);
        --*this;
        return old;
    }
};

#endif
