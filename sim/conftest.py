"""Options of `pytest sim/`, and the built simulations its tests share."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def pytest_addoption(parser):
    group = parser.getgroup("srcnn simulation")
    group.addoption(
        "--rtl", choices=["open", "vitis"], default="open", help="Verilog of the open route, or exported by Vitis HLS"
    )
    group.addoption("--network", default="srcnn915")
    group.addoption("--upscale", type=int, default=3, help="factor of a network that is for one")
    group.addoption("--board", default="pynq_z2")
    group.addoption("--seed", type=int, default=1, help="of pictures, weights, gaps and backpressure")


def pytest_report_header(config):
    return (
        f"rtl: {config.getoption('--rtl')}, {config.getoption('--network')} on {config.getoption('--board')}, seed "
        f"{config.getoption('--seed')}"
    )


@pytest.fixture(scope="session")
def hardware(request):
    """The hls.design.config.Config that is simulated."""
    from hls.design.load import load_config

    chosen = (request.config.getoption(f"--{name}") for name in ("network", "board", "upscale"))
    return load_config(*chosen)


@pytest.fixture(scope="session")
def options(request):
    """network, board, upscale, seed and rtl as given; descriptions by absolute path, since simulations run in folders
    of their own.
    """
    values = {name: request.config.getoption(f"--{name}") for name in ("network", "board", "upscale", "seed", "rtl")}
    return {name: os.path.abspath(value) if str(value).endswith(".toml") else value for name, value in values.items()}


@pytest.fixture(scope="session")
def simulate(options, hardware):
    """Return run(top, bench, test): simulate `top` with a cocotb test of module `bench`; fails as the test does."""
    from sim.run import runner

    waves = os.environ.get("WAVES") == "1"

    def run(top, bench, test, **environment):
        if options["rtl"] == "vitis":
            if top != "srcnn_top":
                pytest.skip("Vitis HLS exports srcnn_top alone")
            files, missing = runner.vitis_sources(hardware)
            if missing:
                pytest.skip(missing)
        else:
            files = runner.open_sources(hardware)
        runner.run(hardware, options, files, top, bench, test, waves, environment)

    return run
