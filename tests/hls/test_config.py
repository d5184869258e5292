"""Hardware configurations: foldings, widths, the config id, the generated header."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls.design.boards import BOARDS, list_boards
from hls.design.load import folding_board, load_config, software_board
from hls.design.stage import legal_simd
from hls.generate.header import header_text
from model.base.errors import UserError
from model.graph.description import list_networks, load_network
from model.graph.kinds import Conv
from model.graph.network import Network


@pytest.mark.parametrize("board", list_boards())
@pytest.mark.parametrize("network", list_networks("upscaled"))
def test_every_board_folds_every_network(network, board):
    config = load_config(network, board)
    for stage in config.stages:
        # idle multipliers only where SIMD does not divide the taps, and fewer than one per step
        idle = stage.fold * stage.pe * stage.simd - stage.layer.macs_per_pixel
        assert 0 <= idle < stage.pe * stage.out_fold * stage.tap_fold
    assert sum(stage.dsp for stage in config.stages) == config.dsp <= config.budget["dsp"]


def test_software_computes_as_some_board_folds():
    """The default board's folding where there is one; else another's; where there is none the error names it."""
    known = [("srcnn915", None), ("abpn8m2", 2), ("abpn12m3", 2), ("abpn8m2", 4)]
    networks = [load_network(*one) for one in known]
    assert [folding_board(network) for network in networks] == ["pynq_z2", "pynq_z2", "kv260", "pynq_z2"]
    with pytest.raises(UserError, match="no folding for abpn8m2_x4"):
        load_config(networks[3], folding_board(networks[3]))


def test_kernels_in_software_take_the_folding_of_the_fewest_steps():
    steps = {
        board: sum(stage.fold for stage in load_config("srcnn915", board).stages) for board in ("pynq_z2", "kv260")
    }
    assert steps["kv260"] < steps["pynq_z2"]
    known = [("srcnn915", None), ("abpn8m2", 2), ("abpn12m3", 2), ("abpn8m2", 4)]
    boards = [software_board(load_network(*one)) for one in known]
    assert boards == ["kv260", "pynq_z2", "kv260", "pynq_z2"]


def test_packing_halves_the_multipliers():
    folding = {"conv1": (4, 27), "conv2": (8, 8), "conv3": (5, 4)}
    packed, single = (load_config("srcnn915", folding=folding, pack=pack) for pack in (True, False))
    assert [stage.dsp for stage in packed.stages] == [54, 32, 12]  # an odd channel keeps its multiplier
    assert [stage.dsp for stage in single.stages] == [108, 64, 20]
    assert packed.config_id == single.config_id  # the packets are the same


def test_more_dsps_than_the_board_has_are_refused():
    folding = {"conv1": (32, 17), "conv2": (8, 13), "conv3": (5, 8)}
    with pytest.raises(
        UserError,
        match="takes 348 DSPs .conv1 272, conv2 52, conv3 24., pynq_z2 has 220; "
        "the best that fits is conv1 16 x 17, conv2 8 x 13, conv3 5 x 8 .pe x simd., 212 DSPs",
    ):
        load_config("srcnn915", folding=folding)


def test_line_buffers_beyond_the_memory_are_refused_with_the_widest_that_fits():
    with pytest.raises(
        UserError,
        match="tile width 1920 takes .* BRAM36 .conv1 .*, pynq_z2 has 140 and 119 may be used; "
        "the widest tile that fits is 1016",
    ):
        load_config("srcnn955", tile_width=1920)
    with pytest.raises(
        UserError,
        match="takes 124 BRAM36 .conv1 4, conv2 114, conv3_sum 6., kv260 has 144 and 122 may be used; the widest tile "
        "that fits is 1528",
    ):
        load_config("srcnn955", "kv260", tile_width=1920)
    assert load_config("srcnn955", tile_width=1016).tile_width == load_config("srcnn955").tile_width == 1016


def test_more_luts_or_flip_flops_than_the_board_has_are_refused(tmp_path):
    for what in ("lut", "ff"):
        old = re.search(rf"^{what} = \d+$", (BOARDS / "pynq_z2.toml").read_text(), re.MULTILINE).group()
        with pytest.raises(
            UserError,
            match="takes .* (LUTs|flip-flops) .*conv1 .*, pynq_z2 has 14000 and 11900 may be used; the best that fits "
            "is conv1",
        ):
            load_config("srcnn915", board_with(tmp_path, old, f"{what} = 14000"))


def test_words_wider_than_the_kernels_take_are_refused():
    with pytest.raises(
        UserError, match="the weights of a PE of layer conv2 take a word of 6400 bits, the kernels' widest is 4096"
    ):
        load_config("srcnn955", folding={"conv1": (1, 1), "conv2": (1, 800), "conv3": (1, 1)})


@pytest.mark.parametrize(
    "size, message",
    [
        (
            {"tile_width": 0},
            "tile_width = 0, so that the line buffers would hold rows of 12; srcnn915 needs 12 pixels of halo and one "
            "of output",
        ),
        ({"tile_width": -3}, "the nearest legal value is 1$"),
        ({"tile_width": 70000}, "stay below 65536; the nearest legal value is 65523$"),
        ({"tile_height": 40000}, "stay below 32768; the nearest legal value is 32755$"),
        ({"tile_height": 0}, "tile_height = 0; .* the nearest legal value is 1$"),
    ],
)
def test_tiles_that_no_line_buffer_holds_are_refused(size, message):
    with pytest.raises(UserError, match=message):
        load_config("srcnn915", **size)


@given(st.integers(1, 3000))
def test_legal_simd_widths_take_the_fewest_products(taps):
    for simd in legal_simd(taps):
        steps = -(-taps // simd)
        assert steps * (simd - 1) < taps  # one less would take another step
    assert {-(-taps // simd) for simd in range(1, taps + 1)} == {-(-taps // simd) for simd in legal_simd(taps)}


def test_macs_of_the_default_network():
    network = load_network("srcnn915")
    assert network.macs_per_pixel == 8032
    assert network.halo == 6
    assert [layer.name for layer in network.layers] == ["conv1", "conv2", "conv3"]


def test_reconstruction_layer_scatters_and_the_others_are_not():
    config = load_config("srcnn915")
    assert [stage.scatter for stage in config.stages] == [False, False, True]


@given(taps=st.integers(1, 4000))
def test_accumulator_holds_the_worst_case(taps):
    """The extremes of the formats, summed, fit `acc_bits`, and one bit less would not do."""
    from model.graph.formats import BIAS_BITS, MAX_SHIFT
    from model.graph.kinds import Conv

    bits = Conv("x", 1, taps, 1, "none").acc_bits
    worst = taps * 255 * 128 + 2 ** (BIAS_BITS - 1) + 2 ** (MAX_SHIFT - 1)
    assert 2 ** (bits - 2) <= worst < 2 ** (bits - 1)


def test_config_id_depends_on_all_that_packets_depend_on():
    base = load_config("srcnn915")
    others = [
        load_config("srcnn935"),
        load_config("srcnn915", "kv260"),
        load_config("srcnn915", tile_width=64),
        load_config("srcnn915", tile_height=64),
        load_config("srcnn915", folding={"conv1": (8, 27), "conv2": (8, 8), "conv3": (5, 4)}),
    ]
    ids = {config.config_id for config in (base, *others)}
    assert len(ids) == 1 + len(others)
    assert load_config("srcnn915").config_id == base.config_id


@pytest.mark.parametrize(
    "folding, message",
    [
        (
            {"conv1": (7, 27), "conv2": (8, 8), "conv3": (5, 4)},
            "pe = 7 of layer conv1 does not divide 64; the nearest legal value is 8",
        ),
        (
            {"conv1": (4, 26), "conv2": (8, 8), "conv3": (5, 4)},
            "simd = 26 of layer conv1 takes no fewer steps than a smaller one for 81; the nearest legal value is 27",
        ),
        (
            {"conv1": (4, 27), "conv2": (8, 8), "conv3": (6, 4)},
            "pe = 6 of layer conv3 does not divide 25; the nearest legal value is 5",
        ),
        ({"conv1": (0, 27), "conv2": (8, 8), "conv3": (5, 4)}, "pe = 0 of layer conv1"),
    ],
)
def test_folding_that_does_not_divide_is_refused(folding, message):
    with pytest.raises(UserError, match=re.escape(message)):
        load_config("srcnn915", folding=folding)


def test_unknown_board_and_network_name_the_known_ones():
    with pytest.raises(UserError, match="pynq_z2"):
        load_config("srcnn915", "pynq_z9")
    with pytest.raises(UserError, match="srcnn955"):
        load_network("srcnn999")


def test_header_carries_the_configuration():
    config = load_config("srcnn915")
    text = header_text(config)
    assert f"CONFIG_ID = 0x{config.config_id:08X}u" in text
    assert "MAX_WIDTH = 1932" in text
    assert header_text(config) == text


def board_with(tmp_path, old, new):
    path = tmp_path / "board.toml"
    path.write_text((BOARDS / "pynq_z2.toml").read_text().replace(old, new, 1))
    return str(path)


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('part = "xc7z020clg400-1"', "", "lacks the key 'part'"),
        ('name = "pynq_z2"', 'name = "../z2"', "can't name a board"),
        ("tile_width = 1920", 'tile_width = "wide"', "'tile_width'"),
        ("tile_width = 1920", "tile_width = 70000", "65536"),
        ("tile_width = 1920", "tile_width = 0", "65536"),
        ("pe = 16, simd = 17", 'pe = "16", simd = 17', "pe = 16 of layer conv1"),
        ("pack = true", "pack = 2", "pack = 2; it is true"),
        ("bram36 = 140", "", "has bram36 = None in .budget."),
        ("lut = 53200", 'lut = "many"', "has lut = 'many' in .budget."),
        ("dsp = 220", "dsp = -1", "has dsp = -1 in .budget."),
        ("[folding.srcnn915]", '[folding.srcnn915]\ntile_width = "all"', "tile_width = all"),
        ("[folding.srcnn915]", "[folding.other]", "no folding for srcnn915"),
        ("clock_mhz = 150", "clock_mhz = ", "not valid TOML"),
    ],
)
def test_broken_board_files_are_refused(tmp_path, old, new, message):
    with pytest.raises(UserError, match=message):
        load_config("srcnn915", board_with(tmp_path, old, new))


def network_of(*layers):
    """A chain of (name, k, output channels)."""
    channels = [1, *(out_ch for _, _, out_ch in layers)]
    return Network(
        "own", tuple(Conv(name, k, in_ch, out_ch, "relu") for (name, k, out_ch), in_ch in zip(layers, channels))
    )


def test_processes_follow_from_the_layers():
    """A direct layer is one process, one that scatters two; streams and parameters follow, whatever the number of
    layers.
    """
    config = load_config(network_of(("head", 5, 16), ("tail", 3, 1)), folding={"head": (4, 5), "tail": (9, 16)})
    assert [process.name for process in config.processes] == ["parser", "head", "tail", "tail_sum", "packer"]
    flow = config.dataflow
    written = [name for joined in flow.joined for name in joined.streams[joined.reads :]]
    read = [name for joined in flow.joined for name in joined.streams[: joined.reads]]
    assert sorted(written) == sorted([*(stream.name for stream in flow.streams), "out"])
    assert sorted(read) == sorted([*(stream.name for stream in flow.streams), "in"])
    assert config.param_beats == sum(process.param_beats for process in config.processes)
    assert sum(process.shrink for process in config.processes) == 2 * config.network.halo == 6


@pytest.mark.parametrize(
    "names, message",
    [
        (("parser", "b"), "would be named parser"),
        (("a", "packer"), "would be named packer"),
        (("b_sum", "b"), "would be named b_sum"),
        (("srcnn_fifo", "b"), "can't be named srcnn_fifo"),
        (("hls_open_fifo", "b"), "can't be named hls_open_fifo"),
        (("b_stage", "b"), "would be named b_stage"),
        (("output", "b"), "can't be named output: it is a keyword"),
        (("a", "int"), "can't be named int: it is a keyword"),
    ],
)
def test_names_that_the_top_needs_are_refused(names, message):
    network = network_of((names[0], 1, 16), (names[1], 3, 1))
    with pytest.raises(UserError, match=message):
        load_config(network, folding=dict.fromkeys(names, (1, 1)))
