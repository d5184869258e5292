"""Every command for hardware takes a network for one factor, and says in one sentence what is missing or not folded."""

import pytest
from click.testing import CliRunner

from bitstreams import build as bitstream
from hls.csim import __main__ as csim
from hls.design.boards import read_board
from hls.generate import cpp, verilog
from hls.report import folding
from hls.synth import __main__ as synth
from hls.synth import timing
from hls.vendor import vitis
from model.base.toml import tomllib

COMMANDS = {
    "cpp": cpp.main,
    "csim": csim.main,
    "verilog": verilog.main,
    "synth": synth.main,
    "timing": timing.main,
    "vitis": vitis.main,
    "bitstream": bitstream.main,
}


@pytest.mark.parametrize("name", [*COMMANDS, "folding"])
@pytest.mark.parametrize(
    "factor, words",
    [
        ([], "the layers of abpn8m2 depend on the upscale; name it: 2, 3, 4 (--upscale, UPSCALE=)"),
        (["--upscale", "5"], "'5' is not one of '2', '3', '4'"),
    ],
)
def test_a_network_for_one_factor_needs_it(name, factor, words):
    done = CliRunner().invoke((COMMANDS | {"folding": folding.main})[name], ["--network", "abpn8m2", *factor])
    assert done.exit_code == 2 and words in done.output, done.output


@pytest.mark.parametrize("name", COMMANDS)
def test_a_factor_that_is_not_folded_is_said(name):
    done = CliRunner().invoke(COMMANDS[name], ["--network", "abpn8m2", "--upscale", "3", "--board", "pynq_z2"])
    assert done.exit_code == 2 and done.output.count("\n") == 1, done.output
    known = ", ".join(sorted(read_board("pynq_z2")["folding"]))
    assert f"has no folding for abpn8m2_x3; it folds {known}; add" in done.output and "abpn8m5_x3" in known


def test_the_generated_top_is_the_one_of_the_factor(tmp_path):
    done = CliRunner().invoke(cpp.main, ["--network", "abpn12m3", "--upscale", "2", "--board", "kv260"])
    assert done.exit_code == 0 and done.output.strip().endswith("/abpn12m3_x2-kv260")


@pytest.mark.parametrize("network, upscale, board", [("abpn8m2", 2, "pynq_z2"), ("abpn12m3", 2, "kv260")])
def test_proposals_for_video_leave_what_is_reserved_and_are_the_board_files(network, upscale, board):
    done = CliRunner().invoke(folding.main, ["--network", network, "--upscale", str(upscale), "--board", board])
    assert done.exit_code == 0, done.output
    lines = done.output[done.output.index("[folding") :].split("\n\n")[0]
    label = f"{network}_x{upscale}"
    assert tomllib.loads(lines)["folding"][label] == read_board(board)["folding"][label]
