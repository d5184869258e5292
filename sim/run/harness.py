"""A compiled bench for `srcnn_top`: beats in, beats out, at more than ten times cocotb's speed (frame.cpp).

The programs lie in `build/sim/frame-<config>-<hash>/`; the hash covers the Verilog and the bench.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hls.open.verilator import SIMULATE, environment
from model.base.cache import built, digest
from model.base.errors import UserError
from model.base.paths import BUILD

if TYPE_CHECKING:
    from hls.design.config import Config

BENCH = pathlib.Path(__file__).resolve().parent / "frame.cpp"
# As `pytest sim/` builds it, but for the public ports.
VERILATE = ["--cc", "-O3", *SIMULATE, "--top-module", "srcnn_top"]
COMPILE = ["g++", "-c", "-w", "-std=gnu++17", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0", "-DVM_TIMING=0"]
RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
STUCK = 3  # frame.cpp's exit code when no beat moves any more


@dataclasses.dataclass(frozen=True)
class Run:
    """What came out of a simulation.

    Attributes
    ----------
    data, keep, last, cycle : ndarray of uint64
        Of each output beat; `cycle` is when it left.
    cycles : int
        Simulated, after reset.
    seconds : float
        Wall time of those.
    complete : bool
        False if nothing moved any more before all expected beats had come.
    """

    data: np.ndarray
    keep: np.ndarray
    last: np.ndarray
    cycle: np.ndarray
    cycles: int
    seconds: float
    complete: bool


def rows_of(words: np.ndarray) -> np.ndarray:
    """Return a transfer as (data, keep, last) rows: full beats, TLAST on the last one."""
    rows = np.zeros((len(words), 3), np.uint64)
    rows[:, 0], rows[:, 1], rows[-1, 2] = words, 0xFF, 1
    return rows


def build_harness(config: Config, files: Sequence[pathlib.Path], optimise: str = "-O3") -> pathlib.Path:
    """Compile the bench with a design.

    Parameters
    ----------
    config : Config
    files : sequence of pathlib.Path
        Verilog with `srcnn_top` in it.
    optimise : str
        g++'s; "-O1" compiles in a third of the time of "-O3" and runs a fifth slower.

    Returns
    -------
    pathlib.Path
        The program.

    Raises
    ------
    UserError
        If a tool is missing or refuses the design.
    """
    if shutil.which("g++") is None:
        raise UserError("g++ was not found; install it (Debian: apt-get install g++) and run it again")

    def make(folder):
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            os.replace(_compile(pathlib.Path(temporary), files, optimise), folder / "frame")

    recipe = VERILATE, COMPILE, optimise
    return built(BUILD / "sim" / f"frame-{config.name}-{digest(recipe, [BENCH, *files])}", make) / "frame"


def _compile(folder, files, optimise):
    """Two translation units, the loop's code and the rest: faster than many with precompiled headers."""
    variables = environment()
    include = pathlib.Path(shutil.which("verilator", path=variables["PATH"])).resolve().parent.parent / "include"
    _call(["verilator", *VERILATE, "--Mdir", str(folder), *map(str, files)], variables)
    parts = sorted(folder.glob("Vsrcnn_top*.cpp"))
    units = {
        "fast": [part for part in parts if "Slow" not in part.name] + [BENCH],
        "slow": [part for part in parts if "Slow" in part.name] + [include / name for name in RUNTIME],
    }
    for (name, sources), level in zip(units.items(), (optimise, "-O1")):
        unit = folder / f"{name}.cc"
        unit.write_text("".join(f'#include "{source}"\n' for source in sources))
        _call(
            [
                *COMPILE,
                level,
                "-I",
                str(folder),
                "-I",
                str(include),
                "-I",
                str(include / "vltstd"),
                str(unit),
                "-o",
                str(folder / f"{name}.o"),
            ],
            variables,
        )
    program = folder / "frame"
    _call(["g++", "-pthread", str(folder / "fast.o"), str(folder / "slow.o"), "-o", str(program)], variables)
    return program


def _call(command, variables):
    result = subprocess.run(command, env=variables, capture_output=True, text=True)
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if "rror" in line] or result.stderr.splitlines()
        raise UserError(
            f"{command[0]} refuses the simulation: {lines[0] if lines else 'no message'}; correct the Verilog or the "
            f"bench and run it again"
        )


def simulate(
    program: pathlib.Path,
    rows: np.ndarray,
    expected: int,
    patience: int,
    seed: int = 1,
    idle: float = 0.0,
    backpressure: float = 0.0,
    progress: Callable | None = None,
) -> Run:
    """Run a design until `expected` beats have come out, and a little longer for any that should not come.

    Parameters
    ----------
    program : pathlib.Path
        Of `build_harness`.
    rows : ndarray of uint64, shape (beats, 3)
        data, keep and last; one or more transfers.
    expected : int
        Output beats.
    patience : int
        Cycles without a beat after which the run ends.
    seed : int
        Of the registers' first values, the gaps and the backpressure.
    idle, backpressure : float
        Share of cycles in which nothing is offered, and in which nothing is taken.
    progress : callable, optional
        Called now and then with (cycles, beats in, beats out).

    Returns
    -------
    Run
    """
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        given, taken = pathlib.Path(folder, "input"), pathlib.Path(folder, "output")
        np.ascontiguousarray(rows, np.uint64).tofile(given)
        command = [str(program), str(given), str(taken), *map(str, (expected, idle, backpressure, seed, patience))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            words = ["done", "0", "0"]
            for line in process.stdout:
                words = line.split()
                if words[0] == "progress" and progress is not None:
                    progress(*map(int, words[1:]))
        if process.returncode not in (0, STUCK):
            raise UserError(
                f"the simulation ended with exit code {process.returncode}; please report it with the picture and the "
                f"seed"
            )
        beats = np.fromfile(taken, np.uint64).reshape(-1, 4)
    return Run(*beats.T, cycles=int(words[1]), seconds=float(words[2]), complete=process.returncode == 0)
