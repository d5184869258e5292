"""Every kernel in Verilog, alone, against the golden model (benches in benches/kernel_bench.py)."""

import json

import pytest

from hls.generate.verilog import build_rtl

KERNELS = ("parser", "conv1", "conv2", "conv3", "conv3_sum", "packer")


@pytest.mark.parametrize("test", ["words_in_words_out", "reset_in_the_middle"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_kernel(options, simulate, hardware, kernel, test):
    if options["rtl"] != "open":
        pytest.skip("Vitis HLS exports srcnn_top alone")
    streams = build_rtl(hardware).stages[kernel]["streams"]
    simulate(f"{kernel}_stage", "sim.benches.kernel_bench", test, SIM_KERNEL=kernel, SIM_STREAMS=json.dumps(streams))


def test_every_kernel_of_the_top_is_tested(hardware):
    assert set(build_rtl(hardware).stages) == set(KERNELS)
