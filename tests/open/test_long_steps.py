"""Long steps: time and size in proportion to a loop's length, and no limit of Python's recursion."""

import time

import pytest

from hls.open.dataflow.passes.feedback import longest_feedback
from hls.open.pipeline.fabric import SERIES7_1
from hls.open.pipeline.verilog import generate
from hls.open.route import lower_source
from tests.open.tools import need

SOURCE = """
#include <ap_int.h>
#include <hls_stream.h>
struct long_stage {{
    ap_uint<32> state = 1;
    void step(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<32>>& out) {{
        ap_uint<32> x = in.read() ^ state;
        for (int i = 0; i < {length}; i++) {{ {body} }}
        state += 3;
        out.write(x);
    }}
}};
"""
# Each loop asks for other slices of what the round before it made; before, every such slice was a copy of all rounds.
BODIES = {
    "xor and shift": "x = (x << 3) ^ (x >> 5);",
    "xorshift": "x ^= x << 13; x ^= x >> 17; x ^= x << 5;",
    "crc": "if (x[0]) x = (x >> 1) ^ 0xedb88320u; else x = x >> 1;",
    "sums": "x = (x + state) ^ (x >> 1);",
    "bytes": "x = (x & 0xff00) | ((x >> 16) ^ (x << 24));",
}


def build(length, body, folder):
    step = lower_source(SOURCE.format(length=length, body=body), {"long": "long_stage"}, directory=folder)["long"]
    return step, generate(step)


@pytest.mark.parametrize("body", BODIES)
def test_nodes_and_text_grow_with_the_length(body, tmp_path):
    need("ziglang", "llvmlite")
    sizes = []
    for length in (40, 80, 120):
        step, stage = build(length, BODIES[body], tmp_path)
        sizes.append((len(step.graph), len(stage.text)))
    for a, b, c in zip(*sizes):
        assert c - b <= 1.15 * (b - a) + 100, "more per round of a longer loop"


@pytest.mark.parametrize("body", ["xor and shift"])
def test_3000_rounds_take_less_than_a_minute(body, tmp_path):
    need("ziglang", "llvmlite")
    start = time.process_time()
    step, stage = build(3000, BODIES[body], tmp_path)
    longest_feedback(step, SERIES7_1.delay)
    assert stage.depth > 100
    assert time.process_time() - start < 60
