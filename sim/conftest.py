"""Options of `pytest sim/`, and the built simulations its tests share."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "sim")]


def pytest_addoption(parser):
    group = parser.getgroup("srcnn simulation")
    group.addoption("--rtl", choices=["open", "vitis"], default="open", help="Verilog of the open route, or exported by Vitis HLS")
    group.addoption("--network", default="srcnn915")
    group.addoption("--board", default="pynq_z2")
    group.addoption("--seed", type=int, default=1, help="of pictures, weights, gaps and backpressure")


def pytest_report_header(config):
    return f"rtl: {config.getoption('--rtl')}, {config.getoption('--network')} on {config.getoption('--board')}, seed {config.getoption('--seed')}"


@pytest.fixture(scope="session")
def hardware(request):
    """The hls.config.Config that is simulated."""
    from hls.config import load_config
    return load_config(request.config.getoption("--network"), request.config.getoption("--board"))


@pytest.fixture(scope="session")
def simulate(request, hardware):
    """Return run(top, bench, test): simulate `top` with a cocotb test of module `bench`; fails as the test does."""
    import runner
    waves = os.environ.get("WAVES") == "1"
    which = request.config.getoption("--rtl")

    def run(top, bench, test, **environment):
        if which == "vitis":
            if top != "srcnn_top":
                pytest.skip("Vitis HLS exports srcnn_top alone")
            files, missing = runner.vitis_sources(hardware)
            if missing:
                pytest.skip(missing)
        else:
            files = runner.open_sources(hardware)
        runner.run(hardware, files, top, bench, test, request.config.getoption("--seed"), waves, environment, which)

    return run
