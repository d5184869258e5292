"""The designs that are placed for a Zynq-7000 (hls/place), from the processor's ports to the answer."""

import os
import pathlib

import pytest

from hls.design.load import load_config

DESCRIPTIONS = pathlib.Path(__file__).resolve().parent.parent / "tests" / "descriptions"
SMALL = {"network": str(DESCRIPTIONS / "all_kinds.toml"), "board": str(DESCRIPTIONS / "small_board.toml"), "upscale": 2}


@pytest.mark.parametrize("name", ["register", "loop", "srcnn"])
def test_design(options, hardware, name):
    """A PS7 as a bench drives it; what is placed is simulated, top and all. `srcnn` has a small network, or
    with SIM_WHOLE=1 the one that is chosen.
    """
    if name == "srcnn" and "SIM_WHOLE" not in os.environ:
        options = {**options, **SMALL}
        hardware = load_config(*(SMALL[key] for key in ("network", "board", "upscale")))
    from sim.benches.zynq import simulated
    from sim.run import runner

    again = f"pytest sim/test_zynq.py -k {name} --seed {options['seed']}"
    extra = {f"SIM_{key.upper()}": str(options[key]) for key in ("network", "board", "upscale")}
    test = "registers" if name == "register" else name
    waves = os.environ.get("WAVES") == "1"
    files = simulated(name, hardware)
    runner.run_design(
        f"zynq-{name}", files, "bench", "sim.benches.zynq_bench", test, options["seed"], again, waves, extra
    )
