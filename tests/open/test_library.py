"""The Verilog library checks its parameters: a wrong one stops simulation and synthesis."""

import importlib.util
import subprocess

import pytest

from hls.open.pipeline.netlist import RTL
from hls.open.verilator import SIMULATE, environment
from model.base.errors import UserError
from tests.open.tools import need

RIGHT = {
    "hls_open_fifo": [{}, {"DEPTH": 1, "ROOM": 1, "WIDTH": 1}, {"DEPTH": 4}],
    "hls_open_ram": [{}, {"DEPTH": 1, "BITS": 1}, {"DEPTH": 65, "BITS": 7}, {"WIDTH": 1}, {"FORWARD": 1}],
    "hls_open_multiply": [{}, {"A": 1, "B": 1, "P": 2}],
}
WRONG = [
    ("hls_open_fifo", {"DEPTH": 0}, "DEPTH has to be 1 or more"),
    ("hls_open_fifo", {"WIDTH": 0}, "WIDTH has to be 1 or more"),
    ("hls_open_fifo", {"DEPTH": 3}, "ROOM has to be 1 to DEPTH"),
    ("hls_open_fifo", {"ROOM": 0}, "ROOM has to be 1 to DEPTH"),
    ("hls_open_ram", {"WIDTH": 0}, "WIDTH has to be 1 or more"),
    ("hls_open_ram", {"BITS": 31}, "BITS has to be 1 to 30"),
    ("hls_open_ram", {"DEPTH": 17}, "DEPTH has to be 1 to what BITS of address reach"),
    ("hls_open_multiply", {"A": 0, "P": 8}, "A and B have to be 1 or more"),
    ("hls_open_multiply", {"P": 17}, "P has to be 1 to A + B"),
]


def file_of(module):
    return RTL / ("hls_open_arithmetic.sv" if module == "hls_open_multiply" else f"{module}.sv")


def verilate(module, parameters, folder):
    """Elaborate a module as simulations do; return what Verilator refuses, if it does."""
    need("verilator")
    command = [
        "verilator",
        "--cc",
        *SIMULATE,
        "--top-module",
        module,
        "--Mdir",
        str(folder),
        *(f"-G{name}={value}" for name, value in parameters.items()),
    ]
    ended = subprocess.run([*command, str(file_of(module))], env=environment(), capture_output=True, text=True)
    assert (ended.returncode != 0) == ("%Error" in ended.stderr)
    return ended.stderr if ended.returncode else ""


@pytest.mark.parametrize(
    "module, parameters", [(module, parameters) for module, sets in RIGHT.items() for parameters in sets]
)
def test_right_parameters_are_taken(module, parameters, tmp_path):
    assert verilate(module, parameters, tmp_path) == ""


@pytest.mark.parametrize("module, parameters, words", WRONG)
def test_a_wrong_parameter_stops_the_simulation(module, parameters, words, tmp_path):
    assert f"{module}: {words}" in verilate(module, parameters, tmp_path)


@pytest.mark.parametrize("module, parameters, words", WRONG[1::3])
def test_a_wrong_parameter_stops_the_synthesis(module, parameters, words, tmp_path):
    if importlib.util.find_spec("pyosys") is None:  # not imported: its libraries would stand before PyAV's
        pytest.skip("needs the package pyosys (make setup)")
    from hls.synth.yosys import run_yosys

    commands = [
        f"read_verilog -sv {file_of(module)}",
        f"chparam {' '.join(f'-set {name} {value}' for name, value in parameters.items())} {module}",
        f"hierarchy -check -top {module}",
    ]
    with pytest.raises(UserError, match=words):
        run_yosys(commands, tmp_path, "Yosys refuses")
