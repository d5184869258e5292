"""Compiles the kernels for C simulation, with AMD's types (g++) or natively (`_BitInt`, clang from PyPI).

Outputs lie in `build/csim/<config>-<hash>/`, where the hash covers everything that goes in: an up-to-date
build is found again, never overwritten.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from hls.csim.ap_types import ap_types_dir
from hls.generate.cpp import sources as generated
from hls.generate.cpp import write_sources
from model.base.cache import built, digest, processor
from model.base.compiler import run_compiler
from model.base.errors import UserError
from model.base.paths import BUILD, ROOT

if TYPE_CHECKING:
    from hls.design.config import Config

KERNELS = ROOT / "hls" / "kernels"
CSIM = ROOT / "hls" / "csim" / "cpp"
OPEN_TYPES = ROOT / "hls" / "open" / "include"
OPEN_LIBRARY = ROOT / "hls" / "open" / "lib"
# The loops over PE are hardware: unrolled, their constant bit slices cost almost nothing. Those over SIMD say
# themselves that they are to be vectorised (lanes.h).
# clang 22's SLP vectoriser miscompiles sums of odd widths (seen with 21-bit accumulators), so it is off.
NATIVE = [
    "-O3",
    "-march=native",
    "-fno-slp-vectorize",
    "-mllvm",
    "-unroll-threshold=20000",
    "-mllvm",
    "-unroll-full-max-count=2000",
    "-fvisibility=hidden",
    "-fvisibility-inlines-hidden",
    "-mprefer-vector-width=512",
]
REMEDY = "correct the source and run it again"
WARNINGS = ["-Wall", "-Wextra", "-Wno-unknown-pragmas", "-Wno-unused-label"]


def _gxx():
    if shutil.which("g++") is None:
        raise UserError("g++ was not found; install it (Debian: apt-get install g++) and run it again")
    return ["g++"]


def compiler(types: str) -> list[str]:
    """Return the command that compiles kernel sources with "amd" or "native" types into an object file."""
    if types == "amd":
        # C++14 is what Vitis HLS compiles by default. AMD's types leave their storage uninitialised by design.
        return [
            *_gxx(),
            "-c",
            "-std=c++14",
            "-O2",
            "-fPIC",
            *WARNINGS,
            "-Wno-uninitialized",
            "-Wno-maybe-uninitialized",
            "-isystem",
            str(ap_types_dir()),
            "-I",
            str(CSIM / "include"),
        ]
    if importlib.util.find_spec("ziglang") is None:
        raise UserError("the package ziglang (clang) is not installed; run `make setup`")
    # -nostdinc++: the kernels need no C++ library, and zig would compile its own first, which takes a minute.
    return [
        sys.executable,
        "-m",
        "ziglang",
        "c++",
        "-c",
        "-std=c++17",
        *NATIVE,
        "-fPIC",
        "-fno-sanitize=all",
        "-nostdinc++",
        *WARNINGS,
        "-Wno-pass-failed",  # a loop of a few lanes is not worth vectors
        "-I",
        str(OPEN_TYPES),
    ]


@functools.cache
def build(
    config: Config,
    types: str,
    output: str,
    sources: tuple[str | pathlib.Path, ...],
    plain_sources: tuple[pathlib.Path, ...] = (),
    link_flags: tuple[str, ...] = (),
) -> pathlib.Path:
    """Compile one program or library.

    Parameters
    ----------
    config : Config
    types : str
        "amd" or "native".
    output : str
        File to make.
    sources, plain_sources : tuple of path-like
        Sources that use the HLS types, absolute or generated ones by name, and plain C++ sources.
    link_flags : tuple of str

    Returns
    -------
    pathlib.Path

    Raises
    ------
    UserError
        If a compiler is missing or the sources do not compile.
    """
    command = compiler(types)
    recipe = (
        command,
        output,
        sources,
        plain_sources,
        link_flags,
        generated(config),
        _compiler_version(types),
        processor(),
    )
    files = [
        path
        for folder in (KERNELS, CSIM, OPEN_TYPES, OPEN_LIBRARY)
        for path in [*sorted(folder.rglob("*.*pp")), *sorted(folder.rglob("*.h"))]
    ]

    def make(folder):
        write_sources(config, folder)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            objects = []
            for source in (*(folder / source for source in sources), *plain_sources):
                how = (
                    command + ["-I", str(KERNELS), "-I", str(OPEN_LIBRARY), "-I", str(folder)]
                    if source not in plain_sources
                    else [*_gxx(), "-c", "-O2", "-fPIC"]
                )
                objects.append(str(pathlib.Path(temporary) / f"{source.stem}.o"))
                command_line = [*how, str(source), "-o", objects[-1]]
                run_compiler(command_line, f"{source.name} did not compile for {config.name}", REMEDY)
            run_compiler([*_gxx(), *link_flags, *objects, "-o", str(folder / output)], f"{output} did not link", REMEDY)

    return (
        built(
            BUILD
            / "csim"
            / f"{config.name}-{types}-{digest(recipe, [*files, pathlib.Path(__file__).resolve()], ROOT)}",
            make,
        )
        / output
    )


@functools.cache
def _compiler_version(types):
    gxx = subprocess.run([*_gxx(), "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    return gxx if types == "amd" else f"{gxx}, ziglang {importlib.metadata.version('ziglang')}"


def library(config: Config) -> pathlib.Path:
    """Return the path of the kernels as a shared library, compiled natively."""
    return build(config, "native", "libsrcnn.so", (CSIM / "library.cpp",), link_flags=("-shared",))


def testbench(config: Config, types: str) -> pathlib.Path:
    """Return the path of the csim testbench."""
    return build(config, types, "testbench", (CSIM / "testbench.cpp", "srcnn_top.cpp"), (CSIM / "vectors.cpp",))
