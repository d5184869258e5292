// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Binary operators with AMD's result types. Included by ap_int.h only.
#ifndef HLS_OPEN_AP_OPS_H
#define HLS_OPEN_AP_OPS_H

namespace hls_open_ap {

// Which pairs have operators of their own. Others (two single bits, a bit and an int) are plain C integers in
// AMD's headers too; those that AMD would silently cut to 64 bits are deleted below.
template <class A, class B> constexpr bool has_number = operand<A>::is == number || operand<B>::is == number;
template <class A, class B> constexpr bool any_concat = operand<A>::is == concat || operand<B>::is == concat;
template <class A, class B> constexpr bool both = operand<A>::ok && operand<B>::ok;
template <class A, class B> constexpr bool two_concats = operand<A>::is == concat && operand<B>::is == concat;
template <class A, class B> constexpr bool range_and_plain =
    (operand<A>::is == range && (operand<B>::is == range || operand<B>::is == builtin)) ||
    (operand<B>::is == range && operand<A>::is == builtin);
template <class A, class B> constexpr bool arithmetic =
    both<A, B> && (two_concats<A, B> || (!any_concat<A, B> && (has_number<A, B> || range_and_plain<A, B>)));
template <class A, class B> constexpr bool refused = both<A, B> && any_concat<A, B> && !two_concats<A, B>;
template <class A, class B> constexpr bool relational =
    both<A, B> && (has_number<A, B> || (operand<A>::is == range && operand<B>::is == range) ||
                   ((operand<A>::is == range || operand<A>::is == concat) && operand<B>::is == builtin));
template <class A, class B> constexpr bool relational_refused = both<A, B> && any_concat<A, B> && !relational<A, B>;
template <class A, class B> constexpr bool shifts =
    both<A, B> && operand<B>::is != concat &&
    (operand<A>::is == number || (operand<A>::is == range && operand<B>::is != bit) ||
     (operand<A>::is == bit && operand<B>::is == number) || (operand<A>::is == concat && operand<B>::is == builtin));
template <class A, class B> constexpr bool shift_refused = both<A, B> && !shifts<A, B> && any_concat<A, B>;

template <class A, class B> struct result {
    using L = operand<A>;
    using R = operand<B>;
    static constexpr int lw = L::width + (R::sign && !L::sign), rw = R::width + (L::sign && !R::sign);
    static constexpr bool sign = L::sign || R::sign;
    using mult = typename ap<L::width + R::width, sign>::type;
    using plus = typename ap<larger(lw, rw) + 1, sign>::type;
    using minus = typename ap<larger(lw, rw) + 1, true>::type;
    using logic = typename ap<larger(lw, rw), sign>::type;
    using div = typename ap<L::width + R::sign, sign>::type;
    using mod = typename ap<smaller(L::width, R::width + (!R::sign && L::sign)), L::sign>::type;
    using arg1 = typename ap<L::width, L::sign>::type;
    // Comparisons as in AMD's C model: exact if both have less than 32 bits, or if the signed side is the wider one.
    // Otherwise a negative number counts as a large unsigned one: of the same bits for == and !=, larger than
    // anything the other side can hold for the rest. (Compare numbers of one sign, and no rule is needed.)
    static constexpr bool exact = L::width < 32 && R::width < 32;
    static constexpr bool wide_sign =
        (L::sign && R::sign) || (L::sign && L::width > R::width) || (R::sign && R::width > L::width);
    static constexpr int wide = larger(L::width, R::width);
    // Of equal widths up to 64 bits, == compares 64 bits, each side extended by its own sign.
    static constexpr bool exact_equal = exact || (L::width == R::width && L::width < 64);
    using equal = raw<exact_equal ? larger(lw, rw) : wide, exact_equal ? sign : wide_sign>;
    using order = raw<exact ? larger(lw, rw) : wide + sign, exact ? sign : wide_sign>;
    // A division has the sign of its wider operand, as in AMD's C model.
    static constexpr bool divide_sign = L::width > R::width ? L::sign : R::width > L::width ? R::sign : sign;
    using divide = raw<wide + sign, divide_sign>;
    // A remainder is unsigned if its dividend is: a negative divisor counts as a large one.
    using modulo = raw<wide + sign, divide_sign && L::sign>;
};

template <int W, bool S> ap_int_base<W, S> base_of(const ap_int_base<W, S>&);
template <class T> using raw_of = typename decltype(base_of(*(const T*)0))::raw_t;

}  // namespace hls_open_ap

#define HLS_OPEN_AP_BINARY(OP, RTYPE)                                                   \
    template <class A, class B, hls_open_ap::enable<hls_open_ap::arithmetic<A, B>> = 0> \
    HLS_OPEN_AP_INLINE constexpr auto operator OP(const A& a, const B& b) {             \
        using R = typename hls_open_ap::result<A, B>::RTYPE;                            \
        using T = hls_open_ap::raw_of<R>;                                               \
        return R::from_raw((T)hls_open_ap::value(a) OP(T) hls_open_ap::value(b));       \
    }                                                                                   \
    template <class A, class B, hls_open_ap::enable<hls_open_ap::refused<A, B>> = 0>    \
    void operator OP(const A&, const B&) = delete; /* first: ap_uint<N> x = (a, b); */
HLS_OPEN_AP_BINARY(*, mult)
HLS_OPEN_AP_BINARY(+, plus)
HLS_OPEN_AP_BINARY(-, minus)
HLS_OPEN_AP_BINARY(&, logic)
HLS_OPEN_AP_BINARY(|, logic)
HLS_OPEN_AP_BINARY(^, logic)
#undef HLS_OPEN_AP_BINARY

#define HLS_OPEN_AP_DIVIDE(OP, RTYPE, RULE)                                              \
    template <class A, class B, hls_open_ap::enable<hls_open_ap::arithmetic<A, B>> = 0>  \
    HLS_OPEN_AP_INLINE constexpr auto operator OP(const A& a, const B& b) {              \
        using R = hls_open_ap::result<A, B>;                                             \
        using T = typename R::RULE;                                                      \
        return R::RTYPE::from_raw((T)hls_open_ap::value(a) OP(T) hls_open_ap::value(b)); \
    }
HLS_OPEN_AP_DIVIDE(/, div, divide)
HLS_OPEN_AP_DIVIDE(%, mod, modulo)
#undef HLS_OPEN_AP_DIVIDE

#define HLS_OPEN_AP_RELATIONAL(OP, RULE)                                                        \
    template <class A, class B, hls_open_ap::enable<hls_open_ap::relational<A, B>> = 0>         \
    HLS_OPEN_AP_INLINE constexpr bool operator OP(const A& a, const B& b) {                     \
        using T = typename hls_open_ap::result<A, B>::RULE;                                     \
        return (T)hls_open_ap::value(a) OP(T) hls_open_ap::value(b);                            \
    }                                                                                           \
    template <class A, class B, hls_open_ap::enable<hls_open_ap::relational_refused<A, B>> = 0> \
    bool operator OP(const A&, const B&) = delete;
HLS_OPEN_AP_RELATIONAL(==, equal)
HLS_OPEN_AP_RELATIONAL(!=, equal)
HLS_OPEN_AP_RELATIONAL(<, order)
HLS_OPEN_AP_RELATIONAL(<=, order)
HLS_OPEN_AP_RELATIONAL(>, order)
HLS_OPEN_AP_RELATIONAL(>=, order)
#undef HLS_OPEN_AP_RELATIONAL

#define HLS_OPEN_AP_SHIFT(OP, LEFT)                                                                       \
    template <class A, class B, hls_open_ap::enable<hls_open_ap::shifts<A, B>> = 0>                       \
    HLS_OPEN_AP_INLINE constexpr auto operator OP(const A& a, const B& b) {                               \
        using L = hls_open_ap::operand<A>;                                                                \
        return hls_open_ap::result<A, B>::arg1::from_raw(                                                 \
            hls_open_ap::shift<L::width, L::sign, LEFT>(hls_open_ap::value(a), b));                       \
    }                                                                                                     \
    template <class A, class B, hls_open_ap::enable<hls_open_ap::shift_refused<A, B>> = 0>                \
    void operator OP(const A&, const B&) = delete;                                                        \
    template <int W, bool S, class B, hls_open_ap::enable<hls_open_ap::shifts<ap_int_base<W, S>, B>> = 0> \
    HLS_OPEN_AP_INLINE constexpr ap_int_base<W, S>& operator OP## = (ap_int_base<W, S> & a, const B& b) { \
        a.V = hls_open_ap::shift<W, S, LEFT>(a.V, b);                                                     \
        return a;                                                                                         \
    }
HLS_OPEN_AP_SHIFT(<<, true)
HLS_OPEN_AP_SHIFT(>>, false)
#undef HLS_OPEN_AP_SHIFT

#define HLS_OPEN_AP_ASSIGN(OP)                                                                                \
    template <int W, bool S, class B, hls_open_ap::enable<hls_open_ap::arithmetic<ap_int_base<W, S>, B>> = 0> \
    HLS_OPEN_AP_INLINE constexpr ap_int_base<W, S>& operator OP## = (ap_int_base<W, S> & a, const B& b) {     \
        a.V = hls_open_ap::wrap<W, S>((a OP b).V);                                                            \
        return a;                                                                                             \
    }
HLS_OPEN_AP_ASSIGN(*)
HLS_OPEN_AP_ASSIGN(+)
HLS_OPEN_AP_ASSIGN(-)
HLS_OPEN_AP_ASSIGN(/)
HLS_OPEN_AP_ASSIGN(%)
HLS_OPEN_AP_ASSIGN(&)
HLS_OPEN_AP_ASSIGN(|)
HLS_OPEN_AP_ASSIGN(^)
#undef HLS_OPEN_AP_ASSIGN

#endif
