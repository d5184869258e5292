"""host/run_pynq.py, as it is, on `srcnn_top` in Verilator (benches in board/bench.py, the board in board/board.py)."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from model.base.paths import ROOT
from model.graph.weights import weight_path

UPSCALE = 3
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


@pytest.fixture
def folder(photo, tmp_path, hardware, request):
    """A folder with `picture.png`, a part of the photo, and `golden.png`, what the script makes of it by the golden
    model.
    """
    width, height = getattr(request, "param", (16, 13))
    photo.crop((32, 32, 32 + width, 32 + height)).save(tmp_path / "picture.png")
    network = hardware.network.name
    if not weight_path(network, UPSCALE, quantised=True).is_file():
        pytest.skip(f"there are no weights of {network} x{UPSCALE}")
    command = [
        sys.executable,
        str(ROOT / "host" / "run_pynq.py"),
        str(tmp_path / "picture.png"),
        "-o",
        str(tmp_path / "golden.png"),
        "--network",
        network,
        "--upscale",
        str(UPSCALE),
        "--backend",
        "golden",
        "--quiet",
    ]
    subprocess.run(
        command, check=True, timeout=120, env={name: value for name, value in os.environ.items() if name != "BOARD"}
    )
    return tmp_path


@pytest.mark.parametrize("folder", [(32, 32)], indirect=True, ids=["96x96"])
@pytest.mark.parametrize("test", ["whole_picture"])
def test_script(simulate, folder, test):
    simulate("srcnn_top", "sim.board.bench", test, SIM_HOST=str(folder))


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
def test_host(simulate, folder, test):
    simulate("srcnn_top", "sim.board.bench", test, SIM_HOST=str(folder))


def test_kernel_that_never_fires(hardware, folder, options):
    """The test of the whole picture fails, in bounded time, on a kernel without answers."""
    from sim.run import runner

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
