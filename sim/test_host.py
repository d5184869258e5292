"""host/run_pynq.py, as it is, on `srcnn_top` in Verilator (benches in board/bench.py, the board in board/board.py)."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from hls.design.load import load_config
from model.base.paths import ROOT
from model.graph.weights import save_quant, weight_path
from model.integer.examples import random_model

VIDEO = {"network": "abpn8m2", "board": "pynq_z2", "upscale": 2}  # simulated beside the chosen network
# A kernel that takes everything and never answers.
MUTE_TOP = """\
module srcnn_top (
    input  wire        clk, input  wire rst,
    input  wire [63:0] s_axis_tdata, input  wire [7:0] s_axis_tkeep, input  wire s_axis_tlast, input  wire s_axis_tvalid, output wire s_axis_tready,
    output wire [63:0] m_axis_tdata, output wire [7:0] m_axis_tkeep, output wire m_axis_tlast, output wire m_axis_tvalid, input  wire m_axis_tready
);
    assign s_axis_tready = !rst;
    assign {m_axis_tdata, m_axis_tkeep, m_axis_tlast, m_axis_tvalid} = '0;
endmodule
"""


@pytest.fixture(scope="session")
def photo():
    """A photo, RGB, of scikit-image: the same on every machine, with data sets or without."""
    data = pytest.importorskip("skimage.data", reason="the photo is scikit-image's (make setup)")
    return Image.fromarray(data.astronaut()).crop((170, 60, 298, 188)).resize((96, 96), Image.Resampling.BICUBIC)


@pytest.fixture(params=["chosen", "video"])
def simulated(hardware, options, request):
    """(Config, options): what the command line chose, and a network whose results are larger than its tiles."""
    if request.param == "video":
        if options["rtl"] != "open":
            pytest.skip("networks for video are not exported by Vitis HLS")
        return load_config(*VIDEO.values()), options | VIDEO
    if any(str(options[name]).endswith(".toml") for name in ("network", "board")):
        pytest.skip("an overlay's manifest names a network of model/networks and a board of hls/boards")
    return hardware, options


@pytest.fixture
def folder(photo, tmp_path, simulated, request):
    """A folder with `picture.png`, a part of the photo, `weights.npz`, the committed ones or random ones, and
    `golden.png`, what the script makes of the picture by the golden model.
    """
    width, height = getattr(request, "param", (16, 13))
    photo.crop((32, 32, 32 + width, 32 + height)).save(tmp_path / "picture.png")
    config, options = simulated
    weights, committed = (
        tmp_path / "weights.npz",
        weight_path(config.network.name, options["upscale"], quantised=True),
    )
    if committed.is_file():
        shutil.copy(committed, weights)
    else:
        rng = np.random.default_rng(options["seed"])
        save_quant(random_model(config.network, rng, upscale=options["upscale"]), weights)
    command = [
        sys.executable,
        str(ROOT / "host" / "run_pynq.py"),
        str(tmp_path / "picture.png"),
        "-o",
        str(tmp_path / "golden.png"),
        "--weights",
        str(weights),
        "--backend",
        "golden",
        "--quiet",
    ]
    subprocess.run(
        command, check=True, timeout=120, env={name: value for name, value in os.environ.items() if name != "BOARD"}
    )
    return tmp_path


@pytest.fixture
def run_bench(simulate, simulated, folder):
    """Return run(test): one of the bench's tests on what is simulated."""
    config, options = simulated

    def run(test):
        if options["network"] != VIDEO["network"]:
            simulate("srcnn_top", "sim.board.bench", test, SIM_HOST=str(folder))
            return
        from sim.run import runner

        environment = {"SIM_HOST": str(folder)}
        files = runner.open_sources(config)
        runner.run(config, options, files, "srcnn_top", "sim.board.bench", test, False, environment)

    return run


@pytest.mark.parametrize("folder", [(32, 32)], indirect=True, ids=["32x32"])
@pytest.mark.parametrize("test", ["whole_picture"])
def test_script(run_bench, test):
    run_bench(test)


@pytest.mark.parametrize(
    "test",
    [
        "picture_in_tiles",
        "two_pictures",
        "wrong_config_id",
        "overlay_of_another_board",
        "overlay_of_another_network",
        "faults",
    ],
)
def test_host(run_bench, test):
    run_bench(test)


@pytest.mark.parametrize("simulated", ["chosen"], indirect=True)
def test_kernel_that_never_fires(simulated, folder):
    """The test of the whole picture fails, in bounded time, on a kernel without answers."""
    from sim.run import runner

    hardware, options = simulated

    (folder / "srcnn_top.sv").write_text(MUTE_TOP)
    with pytest.raises(
        AssertionError,
        match="the script ended with 2: .*the DMA did not finish in time.*send channel idle .*receive channel busy",
    ):
        runner.run(
            hardware,
            options | {"rtl": "open"},
            [folder / "srcnn_top.sv"],
            "srcnn_top",
            "sim.board.bench",
            "whole_picture",
            False,
            {"SIM_HOST": str(folder)},
        )


@pytest.mark.parametrize("simulated", ["video"], indirect=True)
@pytest.mark.parametrize("test", ["placed_picture", "placed_faults"])
def test_placed_design(simulated, folder, test):
    """The whole design that is placed for a Zynq-7000, with this project's DMA: from the script to the pixels."""
    from sim.benches import zynq
    from sim.run import runner

    config, options = simulated
    files, seed = zynq.simulated("srcnn", config), options["seed"]
    variables = {f"SIM_{name.upper()}": str(options[name]) for name in ("network", "board", "upscale")}
    again = f"pytest sim/test_host.py -k {test} --seed {seed}"
    variables["SIM_HOST"] = str(folder)
    runner.run_design("placed", files, "bench", "sim.board.placed", test, seed, again, False, variables)
