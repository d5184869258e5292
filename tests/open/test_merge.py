"""The merge by arrival in C++: by a given order, and as Vitis HLS would take it. Its Verilog: `make prove`."""

import subprocess

import pytest

from tests.open.tools import need

PROGRAM = """
{define}
#include <merge.h>
#include <stdio.h>
int main() {{
    hls_open::merge<8> kernel;
    hls::stream<ap_uint<8> > a, b, c;
    hls::stream<ap_uint<2> > order;
    hls::stream<hls_open::merged<8> > out;
    for (int i = 0; i < 3; i++) {{
        a.write(i);
        b.write(10 + i);
    }}
    c.write(20);
    {run}
    while (!out.empty()) {{
        hls_open::merged<8> x = out.read();
        printf("%d:%d ", x.source.to_int(), x.word.to_int());
    }}
    return 0;
}}
"""
BY_ORDER = """
    const int from[] = {1, 1, 2, 0, 1, 0, 0};
    for (int source : from) {
        order.write(source);
        kernel.step(order, a, b, c, out);
    }
"""
BY_ARRIVAL = "for (int i = 0; i < 9; i++) kernel.step(a, b, c, out);"


@pytest.mark.parametrize(
    "define, run, words",
    [
        ("", BY_ORDER, "1:10 1:11 2:20 0:0 1:12 0:1 0:2"),
        ("#define __SYNTHESIS__", BY_ARRIVAL, "0:0 1:10 2:20 0:1 1:11 0:2 1:12"),
    ],
    ids=["by order", "by arrival"],
)
def test_words_and_their_sources(define, run, words, tmp_path):
    need("ziglang")
    from hls.open.check.reference import ALLOCATE, choose_compiler
    from hls.open.read.frontend import INCLUDE, LIBRARY

    source = tmp_path / "merge.cpp"
    source.write_text(ALLOCATE + PROGRAM.format(define=define, run=run))
    command = [
        *choose_compiler(None).command,
        f"-I{LIBRARY}",
        f"-I{INCLUDE}",
        str(source),
        "-o",
        str(tmp_path / "merge"),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    ran = subprocess.run([str(tmp_path / "merge")], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == words.split()
