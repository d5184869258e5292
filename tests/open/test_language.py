"""Odd but legal C++: every kernel does what g++ with AMD's types does, step by step, in the interpreter."""

import pytest

from tests.open.tools import need, need_reference

# name -> (declarations in front of the struct, members, body). The streams are in0 and out0 of 32 bits, `x` what was read.
KERNELS = {
    "struct_by_value": (
        "struct Pair { ap_uint<7> a; short b; }; static Pair twist(Pair p) { return {ap_uint<7>(p.b), short(p.a * 3)}; }",
        "",
        "Pair p = twist(twist({ap_uint<7>(x), short(x >> 7)})); write(p.a + 1000 * p.b);",
    ),
    "big_struct_by_value": (
        "struct Many { int v[6]; ap_uint<70> w; }; static Many grow(Many m, int k) { for (int& y : m.v) y += k; m.w += k; return m; }",
        "Many m = {{1, 2, 3, 4, 5, 6}, 7};",
        "m = grow(m, x.to_int() & 255); write(m.v[x & 3] ^ m.w);",
    ),
    "lambda_with_captures": (
        "",
        "int sum = 0;",
        "int k = x & 15; auto add = [&](int y) { sum += y * k; return sum; }; auto sub = [k, this](int y) { return sum - y - k; }; "
        "write(add(3) ^ sub(add(x & 7)));",
    ),
    "generic_lambda": (
        "",
        "",
        "auto twice = [](auto f, auto y) { return f(f(y)); }; write(twice([](int y) { return y * 3 + 1; }, int(x & 999)));",
    ),
    "template_value": (
        "template <int N, bool UP, class T> static T turn(T v) { if constexpr (UP) return v << N; else return v >> N; }",
        "",
        "write(turn<3, true>(x) ^ turn<5, false>(ap_int<9>(x)));",
    ),
    "variadic": (
        "template <class... T> static int total(T... v) { return (0 + ... + int(v)); }",
        "",
        "write(total(ap_uint<3>(x), ap_int<5>(x), char(x), short(x), true));",
    ),
    "enum_class": (
        "enum class Mode : unsigned char { idle, run = 4, stop };",
        "Mode mode = Mode::idle;",
        "switch (mode) { case Mode::idle: mode = x & 1 ? Mode::run : Mode::stop; break; case Mode::run: mode = Mode::idle; break; "
        "default: mode = Mode::run; } write(int(mode));",
    ),
    "switch_with_ranges": (
        "",
        "",
        "int y = x & 63, r = 0; switch (y) { case 0 ... 9: r = y; break; case 10 ... 31: r = -y; [[fallthrough]]; case 40: r += 5; break; default: r = 77; } write(r);",
    ),
    "switch_of_many": (
        "",
        "",
        "int r; switch (int(x & 15)) { case 0: r = 3; break; case 1: r = 1; break; case 2: r = 4; break; case 3: r = -1; break; case 4: r = 5; break; "
        "case 5: r = 9; break; case 6: r = 2; break; case 9: r = 6; break; default: r = 0; } write(r);",
    ),
    "bool_arithmetic": (
        "",
        "bool a = true, b = false;",
        "write(a + b * 2 - (x[0] == a) + (a ^ b) + !(x & 2)); a = x[3] & x[5]; b = x[1] | a;",
    ),
    "ternary_of_structs": (
        "struct P { int a; ap_int<11> b; };",
        "P p = {1, -2}, q = {3, 4};",
        "P r = x[0] ? p : q; (x[1] ? p : q) = P{int(x & 0xffff), ap_int<11>(x >> 3)}; write(r.a * 5 + r.b);",
    ),
    "reference_to_member": (
        "",
        "ap_uint<9> u[4] = {1, 2, 3, 4}; int n = 0;",
        "auto& v = u[x & 3]; int& m = n; v += 3; m ^= v; write(m + u[1]);",
    ),
    "pointer_to_element": (
        "",
        "short u[8] = {1, 2, 3};",
        "short* p = &u[x & 7]; *p += 5; const short* q = u + (x >> 3 & 3); write(*q + q[2]);",
    ),
    "range_for": (
        "",
        "ap_uint<5> u[5] = {1, 2, 3, 4, 5};",
        "int s = 0; for (auto& v : u) { s += v; v = s + x; } write(s);",
    ),
    "constexpr_function": (
        "constexpr int gcd(int a, int b) { return b ? gcd(b, a % b) : a; } template <int N> struct Square { static constexpr int value = N * N; };",
        "",
        "constexpr int g = gcd(84, 36); write(g * (x & 0xfff) + Square<7>::value);",
    ),
    "constexpr_table": (
        "struct Crc { unsigned v[16]; constexpr Crc() : v() { for (unsigned i = 0; i < 16; i++) { v[i] = i; for (int k = 0; k < 4; k++) "
        "v[i] = v[i] >> 1 ^ (v[i] & 1 ? 0xedb88320u : 0); } } }; static constexpr Crc crc_table;",
        "unsigned crc = ~0u;",
        "for (int k = 0; k < 8; k++) crc = crc_table.v[(crc ^ x.to_uint() >> 4 * k) & 15] ^ crc >> 4; write(crc);",
    ),
    "builtin_types": (
        "#include <stdint.h>",
        "uint8_t a = 250; int64_t b = 1; uint16_t c = 3;",
        "a += x & 15; b = b * 3 - a; c ^= b >> 7; write(b ^ c);",
    ),
    "int128": (
        "",
        "unsigned __int128 w = 1; __int128 v = -5;",
        "w = w * 0x123456789abcdefULL + x.to_uint(); v += (__int128)w >> 3; write((unsigned)(w >> 64) ^ (unsigned)(v >> 90));",
    ),
    "char_array": (
        "",
        'char text[9] = "Verilog!"; unsigned char n = 0;',
        "text[n & 7] ^= x.to_char(); n++; write(text[x & 7] * 3 + text[2]);",
    ),
    "string_literal": ("", "", 'write("0123456789abcdef"[x & 15] + x[5]);'),
    "bit_builtins": (
        "",
        "",
        "unsigned y = x.to_uint(); unsigned long long z = y * 0x100000001ULL; write(__builtin_popcount(y) + 64 * __builtin_clz(y | 1) + 4096 * __builtin_ctzll(z | 1ULL << 40) "
        "+ __builtin_parity(y) + __builtin_ffs(y));",
    ),
    "byte_swaps": (
        "",
        "",
        "unsigned y = x.to_uint(); write(__builtin_bswap32(y) ^ __builtin_bswap16(y) ^ (unsigned)__builtin_bswap64(y * 7ULL));",
    ),
    "rotations": (
        "",
        "",
        "unsigned y = x.to_uint(), n = y & 31; unsigned short s = y; write((y << n | y >> (32 - n & 31)) ^ (s << 5 | s >> 11));",
    ),
    "saturated_byte": (
        "",
        "unsigned char level = 7;",
        "int next = level + (int(x & 511) - 256); level = next < 0 ? 0 : next > 255 ? 255 : next; write(level);",
    ),
    "saturated_short": (
        "",
        "short level = 7;",
        "int next = level + (short)x.to_int(); level = next < -32768 ? -32768 : next > 32767 ? 32767 : next; write(level);",
    ),
    "saturated_unsigned": (
        "",
        "",
        "unsigned a = x.to_uint(), b = a * 77777; unsigned up = a + b < a ? ~0u : a + b, down = a < b ? 0 : a - b; write(up ^ down * 3);",
    ),
    "overflow_builtins": (
        "",
        "",
        "int a = x.to_int(), b = a << 9 | 5, r = 0; unsigned u = 0; signed char c = 0; bool o = __builtin_mul_overflow(a, b, &r); o ^= __builtin_sub_overflow(a, 77, &c); "
        "o ^= __builtin_mul_overflow((unsigned)a, 12345u, &u); write(o + r + 2 * u + c);",
    ),
    "division": (
        "",
        "int n = -1000000;",
        "int a = x.to_int(); n += a / 7; write(a / 10 * 3 + a % 1000 - (unsigned)a / 641u + (unsigned char)a % 11 + n / -13 + (long long)a * a / 1000000007LL);",
    ),
    "division_by_choice": (
        "",
        "",
        "int d = x[0] ? 3 : x[1] ? 10 : -7; write(x.to_int() / d + (x >> 3) % (x[2] ? 5u : 8u));",
    ),
    "division_of_ap": (
        "",
        "",
        "ap_int<70> w = ap_int<70>(x) * 123456789; ap_uint<11> v = x; write((w / 1000) ^ (w % 97) ^ (v / ap_int<5>(-3)) ^ (v % 10) ^ (ap_int<13>(x) / ap_uint<4>(9)));",
    ),
    "negative_modulo": ("", "int t = -7;", "t -= 3; t = t < -1000 ? 999 : t; write(((t % 5) + 5) % 5 + x % 60);"),
    "union_like": (
        "",
        "",
        "union { unsigned w; unsigned char b[4]; } u; u.w = x.to_uint(); write(u.b[0] + u.b[3] * 256 + u.b[x & 3]);",
    ),
    "memcpy": (
        "",
        "",
        "unsigned y = x.to_uint(); unsigned short h[2]; __builtin_memcpy(h, &y, 4); h[1] += h[0]; __builtin_memcpy(&y, h, 4); write(y);",
    ),
    "copied_arrays": (
        "struct A { ap_uint<6> v[4]; };",
        "A a = {{1, 2, 3, 4}}, b;",
        "b = a; a.v[x & 3] = x >> 2; write(b.v[x & 3] + a.v[3]);",
    ),
    "inherited": (
        "struct Base { int n = 5; int bump(int k) { return n += k; } }; struct Other { ap_uint<4> m = 3; };",
        "struct Inner : Base, Other { int z = 1; } i;",
        "i.z ^= i.bump(x & 7); i.m++; write(i.z + i.m);",
    ),
    "operators": (
        "struct V { ap_int<12> a, b; V operator+(const V& o) const { return {a + o.a, b - o.b}; } V& operator*=(int k) { a *= k; b *= k; return *this; } "
        "bool operator==(const V& o) const { return a == o.a && b == o.b; } };",
        "V v = {1, 2};",
        "V w = v + V{x, x >> 12}; w *= 3; write(w.a * 7 + w.b + (w == v)); v = w;",
    ),
    "goto_forward": (
        "",
        "",
        "int r = 1; if (x[0]) goto skip; r = x & 7; if (r > 3) goto skip; r += 100; skip: write(r);",
    ),
    "do_while": (
        "",
        "",
        "int r = 0, k = 0; do { r += x[k] ? k : -1; k++; } while (k < 9); while (k-- > 0) r ^= k << 2; write(r);",
    ),
    "break_and_continue": (
        "",
        "",
        "int r = 0; for (int k = 0; k < 12; k++) { if (!x[k]) continue; if (k > 7 && x[k + 9]) break; r += k * k; } write(r);",
    ),
    "early_exits": (
        "",
        "int n = 0;",
        "for (int k = 0; k < 6; k++) { if (x[2 * k]) { n += k; write(n); return; } } n--; write(n);",
    ),
    "comma_and_side_effects": (
        "",
        "int n = 3;",
        "int r = (n++, n * 2); r += n++ + (x[0] && n++ > 5) + (x[1] || n-- < 0); write(r);",
    ),
    "shadowing": ("", "int v = 1;", "int v = x; { int v = 3; this->v += v; } write(v + this->v);"),
    "nested_structs_in_arrays": (
        "struct Cell { ap_uint<3> kind; struct { short lo, hi; } span; };",
        "Cell cells[4] = {{1, {2, 3}}, {4, {5, 6}}};",
        "Cell& c = cells[x & 3]; c.span.hi = x; c.kind++; write(cells[2].span.hi + c.kind + cells[1].span.lo);",
    ),
    "unsigned_wrap": (
        "",
        "unsigned char n = 250; unsigned m = 0;",
        "n += 9; m -= x & 3; write(n + (m >> 28) + (unsigned short)(n * 300));",
    ),
    "shift_of_negative": (
        "",
        "",
        "int y = x.to_int(); write((y >> 3) + (y >> 31 & 5) + (short)(y >> 9) + ((long long)y << 7 >> 20));",
    ),
    "wide_compare": (
        "",
        "ap_uint<130> best = 0;",
        "ap_uint<130> v = ap_uint<130>(x) << 90 | x; if (v > best) best = v; write((best >> 88) + (v < best));",
    ),
    "min_max_template": (
        "template <class T> static const T& least(const T& a, const T& b) { return b < a ? b : a; }",
        "",
        "int a = x.to_int(), b = a * 5; write(least(a, b) ^ least(ap_int<9>(x), ap_int<9>(x >> 9)));",
    ),
    "static_member_function": (
        "",
        "static constexpr int weights[3] = {2, -3, 7}; static int weight(int i) { return weights[i % 3]; }",
        "write(weight(x & 15) + weight(1));",
    ),
    "local_matrix": (
        "",
        "",
        "int t[3][4]; for (int i = 0; i < 3; i++) for (int j = 0; j < 4; j++) t[i][j] = i * 10 + j + x; write(t[x & 1][x >> 1 & 3]);",
    ),
    "static_const_table": (
        "",
        "",
        "static const short t[8] = {-1, 200, -300, 4, 5, -6, 32767, -32768}; write(t[x & 7] * t[x >> 3 & 7]);",
    ),
    "multiply_high": (
        "",
        "",
        "unsigned long long a = x.to_uint() * 0x9e3779b97f4a7c15ULL; write((unsigned)((unsigned __int128)a * a >> 100));",
    ),
    "function_returning_reference": (
        "struct S { int a, b; int& pick(bool c) { return c ? a : b; } };",
        "S s = {1, 2};",
        "s.pick(x[0]) += 5; s.pick(x[1]) *= 3; s.a &= 0xfff; s.b &= 0xfff; write(s.a * 7 + s.b);",
    ),
    "crtp": (
        "template <class D> struct Twice { int twice(int v) { return 2 * static_cast<D*>(this)->once(v); } };",
        "struct D : Twice<D> { int k = 3; int once(int v) { return v * k++; } } d;",
        "write(d.twice(x & 255));",
    ),
    "overloaded_index": (
        "struct Ring { ap_uint<8> v[4] = {9, 8, 7, 6}; ap_uint<8>& operator[](int i) { return v[i & 3]; } };",
        "Ring r;",
        "r[x] = x >> 8; r[x + 1]++; write(r[0] + r[1] * 3 + r[2] * 5);",
    ),
    "bytes_of_a_struct": (
        "struct H { unsigned short a; unsigned char b, c; };",
        "",
        "H h = {(unsigned short)x.to_uint(), 3, (unsigned char)(x >> 16)}; unsigned char* p = (unsigned char*)&h; write(p[x & 3] + p[1]);",
    ),
    "swap": (
        "template <class T> static void swap_(T& a, T& b) { T t = a; a = b; b = t; }",
        "ap_int<9> a = 5, b = -7; int v[3] = {1, 2, 3};",
        "if (x[0]) swap_(a, b); swap_(v[x & 1], v[2]); a += x; write(a - b + v[1]);",
    ),
    "sorting_network": (
        "",
        "",
        "int v[6]; for (int i = 0; i < 6; i++) v[i] = (x >> 5 * i) & 31; for (int i = 0; i < 6; i++) for (int j = i + 1; j < 6; j++) if (v[j] < v[i]) { int t = v[i]; v[i] = v[j]; v[j] = t; } "
        "long long r = 0; for (int y : v) r = r * 32 + y; write(r);",
    ),
    "local_bit_field": (
        "",
        "",
        "struct { unsigned a : 5, b : 11; int c : 7; } f; f.a = x.to_uint(); f.b = x.to_uint() >> 5; f.c = x.to_int() >> 9; write(f.a + f.b * 3 + f.c);",
    ),
    "template_recursion": (
        "template <int N> static int horner(int v) { if constexpr (N == 0) return 1; else return horner<N - 1>(v) * v + N; }",
        "",
        "write(horner<5>(x & 31));",
    ),
    "array_parameters": (
        "static int dot(const int (&a)[4], const int* b) { int s = 0; for (int i = 0; i < 4; i++) s += a[i] * b[i]; return s; }",
        "int w[8] = {1, 2, 3, 4, 5, 6, 7, 8};",
        "int v[4] = {int(x & 7), int(x >> 3 & 7), 5, -1}; write(dot(v, w + 2)); w[x & 7]++;",
    ),
    "pointer_loops": (
        "",
        "short u[6] = {3, 1, 4, 1, 5, 9};",
        "int s = 0; for (short* p = u; p != u + 6; ++p) { s += *p; *p ^= s; } write(s + (&u[4] - u)); u[1] += x;",
    ),
    "structured_bindings": (
        "struct Q { int q; ap_uint<6> r; }; static Q split(int v) { return {v / 50, ap_uint<6>(v % 50)}; }",
        "",
        "auto [q, r] = split(x & 0xfffff); write(q * 64 + r);",
    ),
    "mutable_lambda": (
        "",
        "",
        "int n = x & 15; auto next = [n]() mutable { return n = n * 5 + 1 & 255; }; next(); next(); write(next() + n);",
    ),
    "computed_reset_values": (
        "static constexpr int power(int b, int n) { int r = 1; while (n--) r *= b; return r; }",
        "struct T { int v[5]; T() { for (int i = 0; i < 5; i++) v[i] = power(3, i) - i; } } t; int big = power(7, 5);",
        "big ^= t.v[x % 5]; t.v[2] += x & 3; write(big);",
    ),
    "mixed_signs": (
        "",
        "",
        "int a = x.to_int(); unsigned b = 77; write((a < (int)b) + 2 * (a > -5L) + 4 * ((unsigned)a < b) + 8 * (a == (int)b) + 16 * ((short)a > (char)a));",
    ),
    "goto_out_of_loops": (
        "",
        "",
        "int r = -1; for (int i = 0; i < 4; i++) for (int j = 0; j < 4; j++) if (x[i * 4 + j] && i != j) { r = i * 10 + j; goto out; } out: write(r);",
    ),
    "literals": ("", "", "write(0x1fU + 017 + 0b1011 + 'A' + L'b' + 1'000 + x.to_int() % 7);"),
    "hints": (
        "",
        "",
        "int v = x & 63; if (__builtin_expect(v > 70, 0)) __builtin_unreachable(); write(__builtin_abs(v - 40) + __builtin_clrsb(v) + (__builtin_constant_p(v) ? 1 : 2));",
    ),
    "member_pointers": (
        "struct M { int a, b, c; };",
        "M m = {1, 2, 3};",
        "int M::*p = x[0] ? &M::a : &M::c; m.*p += 4; int (M::*q) = &M::b; m.*q ^= 9; m.a &= 255; m.c &= 255; write(m.a + 256 * m.c + m.b);",
    ),
    "many_cases": (
        "",
        "",
        "int r = 0; switch (x.to_uint() & 127) { "
        + " ".join(f"case {(37 * i) % 128}: r = {i * i - 50}; break;" for i in range(40))
        + " default: r = -9; } write(r);",
    ),
    "state_machine": (
        "enum State { A, B, C, D };",
        "State s = A; unsigned char n = 0;",
        "switch (s) { case A: if (x[0]) s = B; break; case B: n++; s = x[1] ? C : A; break; case C: if (n > 2) { s = D; break; } [[fallthrough]]; case D: s = State((x & 3).to_int()); } write(s * 100 + n);",
    ),
    "accumulate_in_struct_of_arrays": (
        "",
        "struct { ap_int<20> sum[2]; ap_uint<4> count[2]; } acc = {{0, 0}, {0, 0}};",
        "int k = x & 1; acc.sum[k] += ap_int<12>(x >> 1); if (++acc.count[k] == 5) acc.sum[k] = 0; write(acc.sum[k] + acc.count[1 - k]);",
    ),
    "reverse_bits_by_hand": (
        "",
        "",
        "unsigned v = x.to_uint(); v = (v >> 1 & 0x55555555) | (v & 0x55555555) << 1; v = (v >> 2 & 0x33333333) | (v & 0x33333333) << 2; v = (v >> 4 & 0x0f0f0f0f) | (v & 0x0f0f0f0f) << 4; write(v);",
    ),
    "popcount_loop": (
        "",
        "",
        "unsigned v = x.to_uint(); int n = 0; for (int i = 0; i < 32; i++, v >>= 1) n += v & 1; write(n);",
    ),
    "gray_and_parity": (
        "",
        "ap_uint<12> n = 0;",
        "n++; ap_uint<12> g = n ^ (n >> 1); bool p = 0; for (int i = 0; i < 12; i++) p ^= g[i]; write(g + 4096 * p + (x & 1));",
    ),
    "limits_of_division": (
        "",
        "",
        "int v = x[0] ? (int)0x80000000 : x.to_int(); write((long long)v / 3 - v % 7 + v / 2147483647 + v / (int)0x80000000 + (unsigned)v / 0xfffffffbu);",
    ),
    "wide_division": (
        "",
        "",
        "ap_uint<100> w = (ap_uint<100>(x) << 68) | (ap_uint<100>(x) * 0x12345678); write((w / 1000000007) ^ (w % 10) ^ ap_uint<64>(x * 0x987654321ULL) / 12345);",
    ),
    "byte_histogram_in_registers": (
        "",
        "unsigned char bins[16] = {};",
        "bins[x & 15]++; bins[x >> 28]--; write(bins[3] + bins[x >> 4 & 15] * 64 + bins[x & 15] * 5);",
    ),
    "volatile": ("", "volatile int n = 0;", "write(n + x); n = x & 255;"),
    "assert_is_ignored": ("#include <assert.h>", "", "assert(x < 1ULL << 40); write(x);"),
    "priority_write": (
        "",
        "",
        "bool done = false; for (int k = 0; k < 6; k++) if (x[k] && !done) { done = true; out0.write(100 * k + 1); } if (!done) write(7);",
    ),
    "write_in_the_iteration_that_hits": (
        "",
        "ap_uint<3> at = 0;",
        "for (int k = 0; k < 8; k++) if (at == k) write(x + k); at += 3;",
    ),
}


def batch():
    """The kernels as the fuzzer's, all in one C++ file; the words that they write are 40 bits wide."""
    from sim.fuzz.random_cpp import Var
    from sim.fuzz.random_kernels import RandomKernel

    result = []
    for number, (name, (before, members, body)) in enumerate(KERNELS.items()):
        includes = before if "#" in before else ""
        text = (
            f"{includes}\nnamespace t_{name} {{\n{'' if includes else before}\nstruct struct_k{number} {{\n    {members}\n"
            "    void step(hls::stream<ap_uint<32>>& in0, hls::stream<ap_int<40>>& out0) {\n"
            "        auto write = [&](auto v) { out0.write(v); };\n"
            f"        ap_uint<32> x = in0.read();\n        {body}\n    }}\n}};\n}}\nusing t_{name}::struct_k{number};\n"
        )
        result.append(RandomKernel(f"k{number}", [], [Var("in0", 32, False)], [Var("out0", 40, True)], text))
    return result


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """[(name, kernel, rows of the reference, step or what was refused)]"""
    need("ziglang", "llvmlite", "xls")
    need_reference()
    from hls.open.errors import Refused
    from hls.open.lower.lower import lower_kernel
    from hls.open.read.debug_info import DebugInfo
    from hls.open.read.frontend import compile_cpp
    from hls.open.read.llvm_text import parse_module
    from hls.open.read.passes import optimise
    from sim.fuzz.compare.interpreted import reference
    from sim.fuzz.random_kernels import kernels_source

    folder = tmp_path_factory.mktemp("language")
    made = batch()
    rows = reference(made, folder)
    text = compile_cpp(kernels_source(made), {k.name: k.type for k in made}, directory=folder)
    module = parse_module(optimise(text))
    debug = DebugInfo(module.metadata)
    result = {}
    for name, kernel in zip(KERNELS, made):
        try:
            step = lower_kernel(module, debug, kernel.name)
        except Refused as refusal:
            step = refusal
        result[name] = kernel, rows[kernel.name], step
    return result


@pytest.mark.parametrize("name", KERNELS)
def test_as_gpp(kernels, name):
    from sim.fuzz.compare.interpreted import compare_interpreted

    kernel, rows, step = kernels[name]
    if isinstance(step, Exception):
        raise step
    assert len({row[-1] for row in rows}) > 1, "the kernel always writes the same"
    kernel.members = []
    compare_interpreted(kernel, step, rows)
