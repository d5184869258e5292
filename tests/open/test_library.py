"""The Verilog library checks its parameters: a wrong one stops simulation and synthesis."""

import importlib.util
import pathlib
import subprocess

import pytest

from hls.open.pipeline.netlist import RTL
from hls.open.verilator import SIMULATE, environment
from model.base.errors import UserError
from tests.open.tools import need

QUEUE, SIDE_BY_SIDE = (pathlib.Path(__file__).with_name(f"fifo_queue.{kind}") for kind in ("cpp", "sv"))
RIGHT = {
    "hls_open_fifo": [{}, {"DEPTH": 1, "ROOM": 1, "WIDTH": 1}, {"DEPTH": 4}],
    "hls_open_deep_fifo": [{}, {"DEPTH": 2, "ROOM": 2, "WIDTH": 1}, {"DEPTH": 4}],
    "hls_open_ram": [{}, {"DEPTH": 1, "BITS": 1}, {"DEPTH": 65, "BITS": 7}, {"WIDTH": 1}, {"FORWARD": 1}],
    "hls_open_multiply": [{}, {"A": 1, "B": 1, "P": 2}],
}
WRONG = [
    ("hls_open_fifo", {"DEPTH": 0}, "DEPTH has to be 1 or more"),
    ("hls_open_fifo", {"WIDTH": 0}, "WIDTH has to be 1 or more"),
    ("hls_open_fifo", {"DEPTH": 3}, "ROOM has to be 1 to DEPTH"),
    ("hls_open_fifo", {"ROOM": 0}, "ROOM has to be 1 to DEPTH"),
    ("hls_open_deep_fifo", {"DEPTH": 1, "ROOM": 1}, "DEPTH has to be 2 or more"),
    ("hls_open_deep_fifo", {"WIDTH": 0}, "WIDTH has to be 1 or more"),
    ("hls_open_deep_fifo", {"DEPTH": 3}, "ROOM has to be 1 to DEPTH"),
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


@pytest.fixture(scope="module")
def queue(tmp_path_factory):
    """FIFOs and the queues that they are held against, compiled."""
    need("verilator")
    folder = tmp_path_factory.mktemp("queue")
    command = ["verilator", "--cc", "--exe", "--build", *SIMULATE, "--top-module", "fifo_queue", "--Mdir", str(folder)]
    command += ["-MAKEFLAGS", "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O0", "-o", "queue", str(QUEUE), str(SIDE_BY_SIDE)]
    command += [str(file_of(module)) for module in ("hls_open_fifo", "hls_open_deep_fifo")]
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return folder / "queue"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fifo_is_a_queue(queue, seed):
    """Random writers, readers and resets: every word, when it is offered, and what is said of room."""
    ended = subprocess.run([str(queue), str(seed), "200000", "1", "2", "2"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for line in ended.stdout.splitlines():
        full, empty = map(int, line.split())
        assert full > 1000 and empty > 1000, f"seed {seed}: full in {full} cycles, empty in {empty}"


def test_a_fifo_that_is_a_cycle_slower_is_no_such_queue(queue):
    ended = subprocess.run([str(queue), "1", "1000", "1", "2", "1"], capture_output=True, text=True)
    assert ended.returncode == 1 and "FIFO 2" in ended.stdout and "offered 0, expected 1" in ended.stdout
