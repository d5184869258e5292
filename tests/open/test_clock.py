"""Clocks that no pipeline meets are refused with what would be met; what is doubtful is said."""

from dataclasses import replace

import pytest

from hls.open.errors import Refused
from hls.open.pipeline.clock import check_clock
from hls.open.pipeline.fabric import SERIES7_1, ULTRASCALE_PLUS_2
from hls.open.pipeline.timing import Timing
from hls.open.pipeline.verilog import generate


def feedback(levels, width=8):
    """A step whose state feeds back through `levels` additions in a row, with something between them."""
    from hls.open.dataflow.graph import Graph
    from hls.open.dataflow.step import Port, Register, Step

    g = Graph()
    state, x = g.input("state_s", width), g.input("in_x", width)
    value = state
    for i in range(levels):
        value = g.xor_(g.add(value, x), g.literal(i + 1, width))
    step = Step("loop", g, [Register("s", width, state, value)], streams=("x", "y"))
    step.ports = [Port("x", "in", width, g.true, x), Port("y", "out", width, g.true, state)]
    return step


def at(mhz, step, fabric=SERIES7_1):
    return check_clock(generate(step, Timing(fabric, fabric.budget(mhz))))


@pytest.mark.parametrize("fabric, most", [(SERIES7_1, 757), (ULTRASCALE_PLUS_2, 1612)])
def test_a_register_and_a_lut_are_the_limit(fabric, most):
    assert fabric.budget(most) is not None
    with pytest.raises(Refused, match=f"which is {most} MHz"):
        fabric.budget(most + 1)


def test_period_and_budget_are_inverse():
    for mhz in (10, 75, 150, 333, 700):
        assert SERIES7_1.period(SERIES7_1.budget(mhz)) == pytest.approx(1e6 / mhz, abs=2)


def test_feedback_that_is_short_enough_is_no_matter():
    assert at(150, feedback(1)) == ""


def test_feedback_above_the_period_is_said_with_the_clock_it_reaches():
    note = at(150, feedback(6))
    stage = generate(feedback(6), Timing(SERIES7_1, SERIES7_1.budget(150)))
    reached = 1e6 / (stage.longest_ps + SERIES7_1.register)
    assert reached < 150 and f"{int(reached)} MHz by the model" in note and "s -> add8" in note


def test_hopeless_feedback_is_refused():
    with pytest.raises(Refused, match=r"'loop' takes [\d,]+ ps, s -> add8.*where 150 MHz is asked for.*step earlier"):
        at(150, feedback(20))


def test_one_operation_longer_than_the_period_is_refused():
    with pytest.raises(Refused, match=r"can't run at 400 MHz: its 'add' of 64 bits .* 3,812 ps.*262 MHz"):
        at(400, feedback(1, 64))


def test_the_command_says_so(tmp_path):
    from click.testing import CliRunner

    from hls.open.__main__ import main
    from tests.open.tools import need

    need("ziglang", "llvmlite")
    header = tmp_path / "k.hpp"
    header.write_text(
        "#include <ap_int.h>\n#include <hls_stream.h>\nstruct K { ap_uint<32> s = 1;\n"
        "void step(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<32>>& out) { s += in.read(); out.write(s); } };\n"
    )
    result = CliRunner().invoke(main, ["build", str(header), "k=K", "-o", str(tmp_path / "out"), "--clock", "1000"])
    assert result.exit_code == 2 and "1,320 ps" in result.output and not (tmp_path / "out" / "k.sv").exists()


def test_what_the_project_builds_is_accepted():
    """The longest path of its parser is 1.96 periods by the model: 12,455 ps at 150 MHz."""
    step = feedback(1)
    stage = generate(step, Timing())
    assert check_clock(replace(stage, longest_ps=12455)) != ""
