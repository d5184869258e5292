"""What is refused: one sentence, the kernel's file and line, what to write instead; never a traceback."""

import random
import re

import pytest

from hls.open.errors import Refused
from tests.open.tools import need

HEAD = "#include <ap_int.h>\n#include <hls_stream.h>\n#include <ram.h>\n"
STREAMS = "hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out"
# name -> (declarations and members, body, words of the message); the line with /*!*/ is the one named.
KERNELS = {
    "read_nb": ("", "ap_uint<8> v; if (in.read_nb(v)) out.write(v); /*!*/", ["read_nb()", "waits for its inputs"]),
    "write_nb": (
        "",
        "ap_uint<8> v = in.read();\nif (!out.write_nb(v)) n++; /*!*/",
        ["write_nb()", "always room"],
        "int n = 0;",
    ),
    "empty": ("", "if (!in.empty()) out.write(in.read()); /*!*/", ["empty()", "decide from the state"]),
    "size": ("", "if (in.size() > 3) out.write(in.read()); /*!*/", ["size()", "waits for its inputs"]),
    "recursion": (
        "static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }",
        "out.write(fib(in.read().to_int())); /*~*/",
        ["fib'", "recursion", "loop with a constant bound"],
    ),
    "static_local": (
        "",
        "static int count = 0; count += 3; /*!*/\nout.write(in.read() + count);",
        ["'count'", "static", "member"],
    ),
    "global": ("int total = 0;", "total += in.read(); /*!*/\nout.write(total);", ["total'", "static", "member"]),
    "undefined": ("int elsewhere(int);", "out.write(elsewhere(in.read())); /*!*/", ["elsewhere'", "not defined"]),
    "virtual": (
        "struct Shape { virtual int area() { return 1; } }; struct Square : Shape { int area() override { return 4; } };",
        "out.write(in.read() + s.area());",
        ["virtual function", "template"],
        "Square s; /*!*/",
    ),
    "function_pointer": (
        "static int up(int x) { return x + 1; } static int down(int x) { return x - 1; }",
        "int (*f)(int) = n ? up : down; n = !n; /*!*/\nout.write(f(in.read().to_int()));",
        ["function pointer", "if or switch"],
        "bool n = false;",
    ),
    "function_pointer_member": (
        "static int up(int x) { return x + 1; }",
        "out.write(f(in.read().to_int()));",
        ["'f' is a pointer"],
        "int (*f)(int) = up; /*!*/",
    ),
    "writes_in_a_loop": (
        "",
        "ap_uint<8> v = in.read();\nfor (int i = 0; i < 4; i++) if (v[i]) out.write(i); /*!*/",
        ["'out'", "several iterations of a loop", "once after it"],
    ),
    "writes_twice": (
        "",
        "ap_uint<8> v = in.read(); out.write(v);\nif (v > 3) out.write(1); /*!*/",
        ["'out' is written twice", "conditions exclude"],
    ),
    "goto_loop": (
        "",
        "ap_uint<8> v = in.read();\nagain: v += 7;\nif (v > 9) goto again; /*~*/\nout.write(v);",
        ["loop", "constant bound"],
    ),
    "endless": ("", "for (;;) out.write(in.read()); /*~*/", ["loop"]),
    "new": (
        "",
        "int* p = new int[in.read().to_int()]; /*!*/\np[n & 3] = 7; keep(p); out.write(p[2]);",
        ["new", "members"],
        "int n = 0; void keep(int*);",
    ),
    "malloc": (
        "#include <stdlib.h>",
        "int* p = (int*)malloc(in.read()); /*!*/\n p[n] = 1; out.write(p[1]);",
        ["malloc", "members"],
        "int n = 0;",
    ),
    "printf": (
        "#include <stdio.h>",
        'ap_uint<8> v = in.read();\nprintf("%d", v.to_int()); /*!*/\nout.write(v);',
        ["printf", "HLS_OPEN_RTL"],
    ),
    "float": ("", "float f = in.read().to_int();\nout.write(int(f * 1.5f)); /*~*/", ["floating point", "integers"]),
    "double_member": ("", "d += 1; out.write(in.read());", ["floating point"], "double d = 0; /*!*/"),
    "pointer_member": ("", "out.write(in.read() + *p);", ["'p' is a pointer"], "ap_uint<8>* p = nullptr; /*!*/"),
    "reference_member": (
        "",
        "out.write(in.read() + p);",
        ["'p' is a pointer or a reference"],
        "ap_uint<8> v; ap_uint<8>& p = v; /*!*/",
    ),
    "bit_field": ("", "b.a++; out.write(in.read() + b.a);", ["bit field"], "struct { unsigned a : 3; } b = {0}; /*!*/"),
    "pointer_to_integer": ("", "out.write(in.read() + (unsigned char)(unsigned long)this); /*!*/", ["address"]),
    "divide": (
        "",
        "ap_uint<8> v = in.read(); out.write(v / n); n = v | 1; /*!*/",
        ["division", "several steps"],
        "ap_uint<8> n = 1;",
    ),
    "modulo": ("", "int v = in.read().to_int(); out.write(100 % (v | 1)); /*!*/", ["remainder", "several steps"]),
    "vector": (
        "typedef int v4 __attribute__((vector_size(16)));",
        "v4 a = {1, 2, 3, in.read().to_int()}; a *= a; int r[4]; __builtin_memcpy(r, &a, 16);\nout.write(r[n++ & 3]); /*~*/",
        ["vector"],
        "int n = 0;",
    ),
    "array_of_computed_size": (
        "",
        "int v = in.read().to_int();\nint a[v + 1]; a[v] = 3; keep(a); out.write(a[n & 3]); /*!*/",
        ["array of a computed size"],
        "int n = 0; void keep(int*);",
    ),
    "inline_assembler": (
        "",
        'int v = in.read().to_int(); asm volatile("nop" : "+r"(v)); /*!*/\nout.write(v);',
        ["assembler"],
    ),
    "atomic": (
        "",
        "ap_uint<8> v = in.read();\nout.write(__atomic_fetch_add(&n, v.to_int(), 5)); /*!*/",
        ["atomic"],
        "int n = 0;",
    ),
    "trap": (
        "",
        "ap_uint<8> v = in.read();\nif (v == 3) __builtin_trap(); /*!*/\nout.write(v);",
        ["trap", "HLS_OPEN_RTL"],
    ),
    "varargs": (
        "#include <stdarg.h>\nstatic int first(int n, ...) { va_list a; va_start(a, n); int r = va_arg(a, int); va_end(a); return r; }",
        "out.write(first(2, in.read().to_int(), 3)); /*~*/",
        ["variable number of arguments"],
    ),
    "unnamed_parameter": (
        "",
        "out.write(1);",
        ["name all of step's parameters"],
        "",
        "hls::stream<ap_uint<8>>&, hls::stream<ap_uint<8>>& out /*!*/",
    ),
    "plain_parameter": (
        "",
        "out.write(k);",
        ["'k' of step is no hls::stream"],
        "",
        "int k, hls::stream<ap_uint<8>>& out /*!*/",
    ),
    "unused_stream": ("", "out.write(1);", ["never uses its stream 'in'"]),
    "stream_array": (
        "",
        "out[n & 1].write(1); n++; /*~*/",
        ["stream"],
        "int n = 0;",
        "hls::stream<ap_uint<8>> (&out)[2]",
    ),
    "chosen_stream": (
        "",
        "(n ? in : in2).read(); n++; out.write(1); /*~*/",
        ["stream"],
        "int n = 0;",
        STREAMS + ", hls::stream<ap_uint<8>>& in2",
    ),
    "local_ram": (
        "",
        "hls_open::ram<ap_uint<8>, 16> r; out.write(r.read(in.read())); /*!*/",
        ["ram that is no member"],
    ),
}


def place(name):
    """A kernel's row, filled up."""
    before, body, words, *more = KERNELS[name]
    members, streams = [*more, "", STREAMS][:2] if len(more) < 2 else more
    return before, body, words, members, streams or STREAMS


def source():
    parts = [HEAD]
    for name in KERNELS:
        before, body, _, members, streams = place(name)
        includes = "\n".join(x for x in before.splitlines() if x.startswith("#"))
        rest = "\n".join(x for x in before.splitlines() if not x.startswith("#"))
        parts.append(
            f"{includes}\nnamespace n_{name} {{\n{rest}\nstruct K {{\n{members}\nvoid step({streams}) {{\n{body}\n}}\n}};\n}}"
        )
    return "\n".join(parts)


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """{name: what lowering said}, and the lines of the C++ file."""
    need("ziglang", "llvmlite")
    from hls.open.lower.lower import lower_kernel
    from hls.open.read.debug_info import DebugInfo
    from hls.open.read.frontend import compile_cpp
    from hls.open.read.llvm_text import parse_module
    from hls.open.read.passes import optimise

    folder = tmp_path_factory.mktemp("refusals")
    ir = compile_cpp(source(), {name: f"n_{name}::K" for name in KERNELS}, directory=folder)
    module = parse_module(optimise(ir))
    debug = DebugInfo(module.metadata)
    said = {}
    for name in KERNELS:
        try:
            lower_kernel(module, debug, name)
            said[name] = None
        except Refused as refusal:
            said[name] = refusal
    return said, (folder / "kernels.cpp").read_text().split("#line 1\n", 1)[1].splitlines()


@pytest.mark.parametrize("name", KERNELS)
def test_one_sentence_with_the_line(refused, name):
    said, lines = refused
    refusal = said[name]
    assert refusal is not None, "nothing was refused"
    for word in place(name)[2]:
        assert word in refusal.what, str(refusal)
    assert "\n" not in refusal.what and "_Z" not in refusal.what, refusal.what
    assert refusal.where.startswith(("/", "pytest")) or not refusal.where or "kernels.cpp" in refusal.where
    start = next(i for i, x in enumerate(lines) if x == f"namespace n_{name} {{")
    end = next(i for i in range(start, len(lines)) if lines[i] == "}" and lines[i - 1] == "};")
    marked = [i + 1 for i in range(start, end) if "/*!*/" in lines[i]]
    around = range(start + 1, end + 2)
    line = int(re.search(r"kernels\.cpp:(\d+)$", refusal.where).group(1)) if refusal.where else None
    if marked:
        assert line == marked[0], f"{refusal} instead of line {marked[0]}: {lines[marked[0] - 1]}"
    else:
        assert line in around or (name == "unused_stream" and line is None), str(refusal)


# What clang refuses: (the header, words of the message); the line with /*!*/ is the one named.
ERRORS = {
    "syntax": (
        "struct K { int n = 0;\nvoid step(hls::stream<ap_uint<8>>& out) { out.write(n) /*!*/\n} };",
        ["expected ';'"],
    ),
    "float": (
        "struct K { void step(hls::stream<ap_uint<8>>& out) {\nap_uint<8> x = 1.5; out.write(x); /*!*/\n} };",
        ["no floating point"],
    ),
    "concatenation": (
        "struct K { ap_uint<8> a, b; void step(hls::stream<ap_uint<8>>& out) {\nout.write((a, b) + a); /*!*/\n} };",
        ["deleted"],
    ),
    "assertion_in_our_header": (
        "struct K { ap_int<8> a = 0; void step(hls::stream<ap_uint<8>>& out) {\nout.write(a.xor_reduce()); /*!*/\n} };",
        ["wrong parity", "convert to ap_uint"],
    ),
    "library": ("#include <vector> /*!*/\nstruct K {};", ["no C++ standard library", "-I"]),
    "exception": (
        "struct K { void step(hls::stream<ap_uint<8>>& out) {\nthrow 3; /*!*/\n} };",
        ["hardware can't throw"],
    ),
    "no_step": ("struct K { int n; };", ["K has no step"]),
    "static_step": ("struct K { static void step(hls::stream<ap_uint<8>>& out) { out.write(1); } };", ["not static"]),
    "step_with_result": (
        "struct K { bool step(hls::stream<ap_uint<8>>& out) { out.write(1); return 1; } };",
        ["without result"],
    ),
    "private_step": ("class K { void step(hls::stream<ap_uint<8>>& out) { out.write(1); } };", ["not public"]),
    "two_steps": (
        "struct K { void step(int); void step(hls::stream<ap_uint<8>>& out) { out.write(1); } };",
        ["one step"],
    ),
    "no_default_constructor": (
        "struct K { int n; K(int m) : n(m) {} void step(hls::stream<ap_uint<8>>& out) { out.write(n); } };",
        ["without arguments", "reset values"],
    ),
    "abstract": (
        "struct K { virtual int f() = 0; void step(hls::stream<ap_uint<8>>& out) { out.write(f()); } };",
        ["virtual functions"],
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_the_first_error_of_clang_in_one_sentence(name, tmp_path):
    need("ziglang")
    from hls.open.read.frontend import compile_cpp

    text, words = ERRORS[name]
    header = tmp_path / "kernel.hpp"
    header.write_text(HEAD.replace("<ram.h>", "<stdint.h>") + text + "\n")
    with pytest.raises(Refused) as refusal:
        compile_cpp(f'#include "{header}"', {"k": "K"}, directory=tmp_path)
    for word in words:
        assert word in refusal.value.what, str(refusal.value)
    assert "\n" not in str(refusal.value)
    marked = [i + 1 for i, line in enumerate(header.read_text().splitlines()) if "/*!*/" in line]
    assert refusal.value.where == f"{header}:{marked[0]}" if marked else refusal.value.where == "k=K"


DAMAGED = """struct K {
    enum State { A, B, C } s = A;
    int v[4] = {1, 2, 3, 4}; ap_uint<9> n = 0;
    static constexpr short table[5] = {3, -1, 4, -1, 5};
    void step(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out) {
        int x = in.read().to_int(), r; bool over = __builtin_mul_overflow(x << 20, v[x & 3], &r);
        switch (s) { case A: s = over ? B : C; break; case B: v[x >> 2 & 3] = r / 7; [[fallthrough]]; default: s = A; n++; }
        if (n > 3) out.write(table[x % 5] + (r > 127 ? 127 : r < -128 ? -128 : r) + v[1]);
    }
};"""


def test_damaged_ir_is_refused_or_taken_but_never_a_traceback(tmp_path):
    """Words of single lines of LLVM's IR are left out, doubled or replaced."""
    need("ziglang", "llvmlite")
    from hls.open.lower.lower import lower_kernel
    from hls.open.read.debug_info import DebugInfo
    from hls.open.read.frontend import compile_cpp
    from hls.open.read.llvm_text import parse_module
    from hls.open.read.passes import optimise

    text = optimise(compile_cpp(HEAD + DAMAGED, {"k": "K"}, directory=tmp_path))
    lines = text.splitlines()
    inside = [i for i, line in enumerate(lines) if line.startswith("  ") and "#dbg" not in line]
    rng, refused = random.Random(2), 0
    strange = [
        "float",
        "<4 x i32>",
        "undef",
        "zeroinitializer",
        "@nothing",
        "%nothing",
        "asm",
        "ptr",
        "i128",
        "(",
        "-1",
    ]
    for _ in range(250):
        at = rng.choice(inside)
        words = re.findall(r"[%@]?[\w.]+|\W", lines[at])
        j = rng.randrange(len(words))
        words[j] = rng.choice(["", rng.choice(words), rng.choice(strange)])
        damaged = "".join(words if rng.random() < 0.8 else words[:j])
        try:
            module = parse_module("\n".join([*lines[:at], damaged, *lines[at + 1 :]]))
            lower_kernel(module, DebugInfo(module.metadata), "k")
        except Refused as refusal:
            refused += 1
            assert "\n" not in str(refusal), damaged
    assert 80 < refused < 240


def test_versions_that_do_not_fit_are_said():
    need("llvmlite")
    from hls.open.read.passes import optimise

    with pytest.raises(Refused, match="llvmlite can't read what clang wrote .*make setup"):
        optimise("define void @f() {\n  nonsense i32 1\n}\n")
