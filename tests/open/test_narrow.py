"""Operations are no wider than what is known of their values and needed of their results; nothing else changes."""

import random
import re

import pytest

from hls.open.dataflow.arithmetic import digits
from hls.open.dataflow.evaluate import run, topological
from hls.open.dataflow.graph import Graph
from hls.open.dataflow.passes.narrow import narrow
from hls.open.dataflow.step import Port, Register, Step
from hls.open.pipeline.schedule import schedule
from hls.open.pipeline.verilog import generate
from hls.open.route import lower_source
from tests.open.tools import need

FIR = """
#include <ap_int.h>
#include <hls_stream.h>
struct fir_stage {{
    ap_int<16> taps[3];
    void step(hls::stream<ap_int<16>>& in, hls::stream<ap_int<25>>& out) {{
        static constexpr int WEIGHTS[3] = {{ {weights} }};
        for (int i = 2; i > 0; i--) taps[i] = taps[i - 1];
        taps[0] = in.read();
        ap_int<25> sum = 0;
        for (int i = 0; i < 3; i++) sum += taps[i] * ap_int<9>(WEIGHTS[i]);
        out.write(sum);
    }}
}};
"""


def narrowed(graph, *outputs):
    """The outputs of a step that computes nothing else, narrowed, and its operations."""
    step = Step("test", graph)
    step.ports = [Port(f"out{i}", "out", x.width, graph.true, x) for i, x in enumerate(outputs)]
    narrow(step)
    found = [p.data for p in step.ports]
    return found, [n for n in topological(found) if n.op not in ("input", "literal", "slice", "zext", "sext", "concat")]


def test_passes_are_proved_on_random_steps():
    need("z3")
    from hls.open.prove.passes.steps import prove_steps

    assert prove_steps(range(1, 16)) == 30


def test_a_wrong_pass_is_caught():
    """A pass that adds without carries."""
    need("z3")
    from hls.open.prove.passes.rules import Unproved
    from hls.open.prove.passes.steps import prove_steps

    def wrong(step):
        for p in step.ports:
            if p.direction == "out" and p.data.op == "add":
                p.data = step.graph.or_(*p.data.args)

    with pytest.raises(Unproved, match="wrong"):
        prove_steps(range(1, 100), passes=(wrong,))


def test_only_needed_bits_are_added():
    g = Graph()
    a, b = g.input("a", 32), g.input("b", 32)
    _, operations = narrowed(g, g.slice(g.add(a, b), 0, 7))
    assert [(n.op, n.width) for n in operations] == [("add", 7)]


def test_known_bits_are_not_computed():
    """A sum of two bytes, one of them times 16, in a word."""
    g = Graph()
    low, high = g.zext(g.input("low", 8), 32), g.shl(g.zext(g.input("high", 8), 32), g.literal(4, 32))
    total = g.add(low, high)
    _, operations = narrowed(g, total, g.zext(g.slice(total, 0, 2), 8), g.compare("ult", total, g.literal(5000, 32)))
    assert [(n.op, n.width) for n in operations] == [("add", 9)], "the comparison is always true"


def test_a_step_keeps_its_registers_and_the_stages_of_its_outputs():
    need("ziglang", "llvmlite")
    step = lower_source(FIR.format(weights="77, -3, 91"), {"fir": "fir_stage"})["fir"]
    assert {r.name: r.width for r in step.registers} == {r.name: r.width for r in step.wide.registers}
    assert schedule(step).done["out", "out"] >= schedule(step.wide).done["out", "out"]


@pytest.mark.parametrize("weights, products", [("1, -3, 5", []), ("2, -128, 96", []), ("77, -3, 91", [8, 8])])
def test_products_with_few_digits_are_sums_and_the_others_have_their_own_width(weights, products):
    need("ziglang", "llvmlite")
    step = lower_source(FIR.format(weights=weights), {"fir": "fir_stage"})["fir"]
    found = [n for n in topological(step.outputs()) if n.op == "smul"]
    assert sorted(a.width for n in found for a in n.args if a.op == "literal") == products
    assert all(a.width <= 16 for n in found for a in n.args)
    assert len(re.findall(r" \* ", generate(step).text)) == len(products)


@pytest.mark.parametrize("number", [0, 1, -1, -3, 3, 7, 11, -128, 255, 0x5555, -0x7FFF])
def test_digits(number):
    found = digits(number)
    assert sum(digit << shift for shift, digit in found) == number
    shifts = [shift for shift, _ in found]
    assert all(b - a > 1 for a, b in zip(shifts, shifts[1:])), "no two neighbours: the fewest there are"


@pytest.mark.parametrize("seed", range(4))
def test_products_with_constants_keep_their_values(seed):
    rng, g = random.Random(seed), Graph()
    x = g.input("x", 11)
    for extend in (g.zext, g.sext):
        for constant in [rng.randint(-300, 300) for _ in range(10)]:
            wide = g.mul(extend(x, 24), g.literal(constant, 24))
            (narrow_one,), _ = narrowed(g, wide)
            for value in (0, 1, 1023, 1024, 2047, rng.getrandbits(11)):
                assert len(set(run([wide, narrow_one], {"x": value}))) == 1


def test_state_is_left_alone():
    """A register of which one bit is used still has all its bits."""
    g = Graph()
    step = Step("test", g)
    value = g.input("state_r", 8)
    step.registers = [Register("r", 8, value, g.add(value, g.literal(3, 8)))]
    step.ports = [Port("out", "out", 1, g.true, g.slice(value, 0, 1))]
    narrow(step)
    assert step.registers[0].next.op == "add" and step.registers[0].next.width == 8
