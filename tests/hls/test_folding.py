"""The folding search: the board files hold its proposals, small spaces are searched by hand, and its costs are
Yosys'.
"""

import dataclasses
import importlib.util
import itertools
import json
import re

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from hls.design.boards import list_boards, read_board
from hls.design.config import make_config
from hls.design.cost import DISTRIBUTED_DEPTH, LIMITS, MAX_WORD, PACKER, PARSER, Ram, adder_bits, total
from hls.design.cycles import limit_cycles_per_pixel, steady_cycles_per_pixel, tile_cycles
from hls.design.folding import candidates, fewest_dsps, fits, search
from hls.design.load import list_configs, load_config
from hls.design.stage import Stage, legal_simd
from hls.generate.verilog import KERNELS, OPEN
from hls.report import cost_fit
from hls.report.folding import main
from hls.report.occupancy import SHARES, draw, occupancy_rows
from hls.synth.resources import count
from hls.synth.yosys import run_yosys
from model.base.errors import UserError
from model.base.toml import tomllib
from model.graph.description import list_networks, load_network
from model.graph.kinds import Conv
from model.graph.network import Network

PLENTY = {
    "name": "b",
    "part": "p",
    "clock_mhz": 100,
    "tile_width": 64,
    "tile_height": 64,
    "pack": True,
    "budget": {"dsp": 1000, "bram36": 1000, "uram": 0, "lut": 10**6, "ff": 10**6},
}


def folding_of(config):
    return {stage.layer.name: (stage.pe, stage.simd) for stage in config.stages}


@pytest.mark.parametrize("board", list_boards())
@pytest.mark.parametrize("network", list_networks("upscaled"))
def test_board_files_hold_what_the_search_proposes(network, board):
    config, proposal = load_config(network, board), search(load_network(network), read_board(board))
    assert (folding_of(config), config.tile_width) == (folding_of(proposal), proposal.tile_width), (
        "make folding BOARD= NETWORK= shows the proposal"
    )
    assert steady_cycles_per_pixel(config) < limit_cycles_per_pixel(config) * 1.25


@pytest.mark.parametrize("board, cycles, dsps", [("pynq_z2", 20, 212), ("kv260", 4, 1008)])
def test_the_default_network_takes_what_was_found_by_hand(board, cycles, dsps):
    config = search(load_network("srcnn915"), read_board(board))
    assert (steady_cycles_per_pixel(config), config.dsp) <= (cycles, dsps)


def test_the_packer_behind_several_channels_counts():
    """A stage that is faster than the packer takes DSPs for nothing."""
    network = Network("wide", (Conv("a", 3, 1, 8, "relu"), Conv("b", 1, 8, 12, "relu")))
    config = search(network, read_board("pynq_z2"))
    packer = config.processes[-1]
    slowest = max(process.steady for process in config.processes[:-1])
    assert steady_cycles_per_pixel(config) == max(slowest, packer.steady)
    better = [
        make_config(network, read_board("pynq_z2"), {"a": (stage.pe, stage.simd), "b": (last.pe, last.simd)})
        for stage, _ in candidates(network.layers[0], 1926, True, 12)
        for last, _ in candidates(network.layers[1], 1924, True, 12)
    ]
    best = min((steady_cycles_per_pixel(c), c.dsp) for c in better if c.dsp <= 220 and fits(total(c.costs), c.budget))
    assert (steady_cycles_per_pixel(config), config.dsp) == best


def test_without_packing_a_pixel_takes_about_twice_the_cycles():
    config = search(load_network("srcnn915"), read_board("pynq_z2"), pack=False)
    assert config.dsp <= 220 and 8032 / 220 <= steady_cycles_per_pixel(config) <= 40


def test_products_of_luts_begin_where_the_dsps_end():
    """They make it faster, no DSP is left unused meanwhile, and a rate that is enough takes fewer LUTs."""
    network, board = load_network("abpn8m3", 2), read_board("pynq_z2")
    board = board | {"budget": board["budget"] | {"dsp": 212}}
    plain, fast = (search(network, board, 960, lut_products=lut_products) for lut_products in (False, True))
    assert not any(stage.lut_taps for stage in plain.stages) and any(stage.lut_taps for stage in fast.stages)
    frames = [tile_cycles(config, 540, 960) for config in (plain, fast)]
    assert frames[1] < frames[0] and fast.dsp == 212 and fits(total(fast.costs), board["budget"])
    enough = search(network, board, 960, lut_products=True, enough=frames[1] * 1.2)
    assert tile_cycles(enough, 540, 960) < frames[1] * 1.2 + 40 * 960
    assert total(enough.costs).lut < total(fast.costs).lut
    for stage in fast.stages:
        in_dsps = (stage.simd - stage.lut_taps) * -(-stage.pe // 2)
        assert stage.dsp == in_dsps and stage.fold == dataclasses.replace(stage, lut_taps=0).fold


def test_where_dsps_suffice_nothing_is_made_of_luts():
    network = small_network(3, 2, 4, 3)
    config = search(network, PLENTY, lut_products=True)
    assert not any(stage.lut_taps for stage in config.stages)
    assert steady_cycles_per_pixel(config) == steady_cycles_per_pixel(search(network, PLENTY))


@pytest.mark.parametrize("lut_taps", [-1, 26, 1.5, "all"])
def test_more_taps_in_luts_than_there_are_is_refused(lut_taps):
    folding = folding_of(load_config("abpn8m2", "pynq_z2", 2))
    with pytest.raises(
        UserError, match=rf"lut_taps = {lut_taps} of layer conv1 is no part of its simd; choose 0 to 25"
    ):
        load_config("abpn8m2", "pynq_z2", 2, folding=folding | {"conv1": (2, 25, lut_taps)})


def small_network(taps1, out1, out2, k3):
    layers = (
        Conv("conv1", taps1, 1, out1, "relu"),
        Conv("conv2", 1, out1, out2, "relu"),
        Conv("conv3", k3, out2, 1, "none"),
    )
    return Network("small", layers)


@settings(max_examples=20, deadline=None)
@given(
    k=st.sampled_from([3, 5]),
    out1=st.integers(1, 4),
    out2=st.integers(4, 6),
    dsp=st.integers(0, 60),
    scarce=st.sampled_from([None, "lut", "ff"]),
    share=st.floats(0.8, 1.0),
    pack=st.booleans(),
)
def test_no_other_folding_of_a_small_network_is_better(k, out1, out2, dsp, scarce, share, pack):
    """Everything is tried: cycles, then DSPs, block RAM, LUTs, flip-flops. A scarce resource is one that the best
    without it exceeds.
    """
    network = small_network(k, out1, out2, 3)
    board = PLENTY | {"pack": pack, "budget": PLENTY["budget"] | {"dsp": dsp}}
    without = search(network, board, tile_width=board["tile_width"])
    if scarce and without:
        board["budget"][scarce] = int(share * getattr(total(without.costs), scarce) / 0.85)
    shapes, options, keys = (
        make_config(network, board, dict.fromkeys(("conv1", "conv2", "conv3"), (1, 1))).stages,
        [],
        [],
    )
    for shape in shapes:
        folded = [
            dataclasses.replace(shape, pe=pe, simd=simd)
            for pe in range(1, shape.mac_out_ch + 1)
            if shape.mac_out_ch % pe == 0
            for simd in legal_simd(shape.mac_taps)
        ]
        options.append([(stage.fold, total(process.cost for process in stage.processes)) for stage in folded])
    for chosen in itertools.product(*options):
        used = total([PARSER, PACKER, *(cost for _, cost in chosen)])
        if used.dsp <= dsp and used.lut <= 0.85 * board["budget"]["lut"] and used.ff <= 0.85 * board["budget"]["ff"]:
            keys.append((max(fold for fold, _ in chosen), used.dsp, used.bram36, round(used.lut, 6), round(used.ff, 6)))
    proposal = search(network, board, tile_width=board["tile_width"])
    if not keys:
        assert proposal is None
    else:
        used = total(proposal.costs)
        assert (steady_cycles_per_pixel(proposal), used.dsp, used.bram36, round(used.lut, 6), round(used.ff, 6)) == min(
            keys
        )


@pytest.mark.parametrize("cycles, dsps", [(20, 212), (19, 234), (4, 1008), (3, 1359), (0, None)])
def test_one_cycle_less_would_take_more_dsps_than_the_boards_have(cycles, dsps):
    """Counted by hand for 9-1-5: 18 cycles take 32 x 9 (144 DSPs), 2 x 64 (64) and 25 x 2 (26)."""
    assert fewest_dsps(load_network("srcnn915"), cycles, True) == dsps


def test_every_product_slot_is_accounted_for(tmp_path):
    for board in list_boards():
        for config in list_configs(board):
            rows, network = occupancy_rows(config), config.network
            assert all(row[share] >= 0 for row in rows for share in SHARES)
            assert {row["upscale"] for row in rows} == {network.upscale}
            whole = rows[-1]
            assert whole["dsp"] == config.budget["dsp"]
            made = whole["products"] + whole["in_luts"]
            assert made == pytest.approx(network.macs_per_pixel * network.scale**2)
            assert bool(whole["in_luts"]) == any(stage.lut_taps for stage in config.stages)
            assert sum(whole[share] for share in SHARES) == 2 * config.budget["dsp"] * steady_cycles_per_pixel(config)
    draw([[config]], tmp_path / "one.svg")
    assert f"{config.stages[1].pe} x {config.stages[1].simd}" in (tmp_path / "one.svg").read_text()


def test_memory_decides_how_wide_a_tile_may_be():
    network, board = load_network("srcnn955"), read_board("pynq_z2")
    assert search(network, board, tile_width=1920) is None  # the line buffers alone take more than 85 % of 140 BRAM36
    widest = search(network, board)
    assert total(widest.costs).bram36 <= LIMITS["bram36"] * 140
    wider = make_config(network, board | {"tile_width": widest.tile_width + 1}, folding_of(widest))
    assert total(wider.costs).bram36 > LIMITS["bram36"] * 140


def test_a_part_too_small_for_anything_gets_no_proposal():
    assert search(load_network("srcnn915"), PLENTY | {"budget": PLENTY["budget"] | {"dsp": 2}}) is None


@given(simd=st.integers(1, 600))
def test_adders_of_a_tree_add_all_operands(simd):
    """n operands take n - 1 adders, of 17 bits at least and as many as the sum needs at most."""
    stage = Stage(Conv("x", 1, 600, 1, "relu"), 1, simd, 600, 1)
    assert 17 * (simd - 1) <= adder_bits(stage) <= (16 + simd.bit_length()) * (simd - 1)


def test_limits_of_the_model_are_those_of_the_sources():
    assert f"#define AP_INT_MAX_W {MAX_WORD}\n" in (KERNELS / "types.hpp").read_text()


def test_command_prints_lines_for_the_board_file():
    result = CliRunner().invoke(main, ["--board", "pynq_z2", "--network", "srcnn915"])
    assert result.exit_code == 0, result.output
    lines = re.search(r"^\[folding.*?(?=\n\n)", result.output, re.DOTALL | re.MULTILINE).group()
    assert (
        tomllib.loads(lines)["folding"]["srcnn915"]
        == tomllib.loads(open(read_board()["path"]).read())["folding"]["srcnn915"]
    )


def test_command_says_if_nothing_fits():
    result = CliRunner().invoke(main, ["--board", "pynq_z2", "--network", "srcnn955", "--tile-width", "1920"])
    assert result.exit_code == 2 and "no folding of srcnn955 fits pynq_z2 at tile width 1920" in result.output


FOLDED = [figure for figure in cost_fit.recorded() if figure["pe"] or figure["network"] == "srcnn915"]


@pytest.mark.parametrize(
    "figure", FOLDED, ids=lambda figure: f"{figure['network']}-{figure['board']}-{figure['stage']}"
)
def test_costs_are_those_of_yosys(figure):
    """DSPs and block RAMs exactly, LUTs and flip-flops to within a tenth and a bit, as `make synth` reported them."""
    model = cost_fit.modelled(figure)
    assert (model.dsp, model.bram36, model.uram) == (figure["dsp"], figure["bram36"], figure["uram"])
    assert model.lut == pytest.approx(figure["lut"], rel=0.12)
    assert model.ff == pytest.approx(figure["ff"], rel=0.12)


def test_costs_of_whole_networks_are_those_of_yosys():
    """All of a network to 5 %: that of a small stage may be off by more, and a skip's FIFO is another stage's there."""
    wholes = [row for row in cost_fit.compare(cost_fit.recorded()) if row["stage"] == "total"]
    assert {row["network"] for row in wholes} >= {"srcnn915", "abpn8m2", "abpn8m5", "abpn12m4"}
    for row in wholes:
        assert (row["dsp"], row["bram36"]) == (row["dsp Yosys"], row["bram36 Yosys"]), row
        assert abs(row["lut %"]) <= 5 and abs(row["ff %"]) <= 5, row


RAMS = [(193, 134), (96, 134), (17, 70), (40, 600), (29, 16), (64, 40)]


def test_rams_are_counted_as_yosys_maps_them(tmp_path):
    """The RAM of the library at several shapes, in one run of `synth_xilinx`."""
    if importlib.util.find_spec("pyosys") is None:  # not imported, see test_synth.py
        pytest.skip("needs the package pyosys (make setup)")
    lines = []
    for width, depth in RAMS:
        lines += [
            "design -reset",
            f"read_verilog -sv {OPEN / 'rtl' / 'hls_open_ram.sv'}",
            f"chparam -set WIDTH {width} -set DEPTH {depth} -set BITS {(depth - 1).bit_length()} hls_open_ram",
            "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top hls_open_ram -run begin:check",
            f"tee -q -o {tmp_path}/{width}x{depth}.json stat -json",
        ]
    run_yosys(lines, tmp_path, "Yosys does not synthesise RAMs")
    for width, depth in RAMS:
        used, model = (
            count(json.loads((tmp_path / f"{width}x{depth}.json").read_text())["design"]["num_cells_by_type"]),
            Ram("ram", 1, width, depth).cost,
        )
        assert model.bram36 == used["bram36"] and (used["bram36"] == 0) == (depth <= DISTRIBUTED_DEPTH), (width, depth)
        assert model.lut == pytest.approx(used["lut"], abs=10), (width, depth)


def test_the_cost_model_and_the_pipeliner_agree_on_rams():
    from hls.design import cost
    from hls.open.pipeline import fabric

    assert cost.DISTRIBUTED_DEPTH == fabric.SHALLOW_RAM
