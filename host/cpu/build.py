"""Compiles the C++ code for this machine's processor, once; the library is found again."""

from __future__ import annotations

import functools
import importlib.util
import pathlib
import shutil
import sys
from collections.abc import Iterator

from model.base.cache import built, digest, processor
from model.base.compiler import run_compiler
from model.base.errors import UserError
from model.base.paths import BUILD

SOURCES = pathlib.Path(__file__).with_name("cpp")
# Nothing of the C++ library is used: zig would compile its own first, which takes a minute.
FLAGS = ("-O3", "-std=c++17", "-shared", "-fPIC", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden", "-Wno-psabi")
NATIVE = ("-march=native",)
LIBRARY = "libcpu.so"


def compilers() -> Iterator[list[str]]:
    """Yield the commands of C++ compilers: the system's, then clang from PyPI."""
    yield from ([name] for name in ("g++", "clang++") if shutil.which(name))
    if importlib.util.find_spec("ziglang") is not None:
        yield [sys.executable, "-m", "ziglang", "cc", "-nostdinc++", "-fno-sanitize=all"]


@functools.cache
def library(flags: tuple[str, ...] = NATIVE) -> pathlib.Path:
    """Return the path of the compiled library, by the first compiler that takes the code.

    Parameters
    ----------
    flags : tuple of str
        For which processor; by default this one.

    Raises
    ------
    UserError
        If there is no compiler, or none takes the code.
    """
    refused = None
    for command in compilers():
        try:
            return _built([*command, *FLAGS, *flags])
        except UserError as error:
            refused = refused or error
    raise refused or UserError(
        "no C++ compiler was found; install one (Debian: apt-get install g++, or pip install ziglang), or use "
        "--backend golden, it gives the same bits"
    )


def _built(command):
    complaint = f"{command[0]} does not compile the code for this processor"
    remedy = "use --backend golden, it gives the same bits"

    def make(folder):
        run_compiler([*command, str(SOURCES / "network.cpp"), "-o", str(folder / LIBRARY)], complaint, remedy)

    version = run_compiler([*command, "--version"], complaint, remedy)
    sources = sorted(path for path in SOURCES.iterdir() if path.suffix in (".cpp", ".hpp"))
    return built(BUILD / "cpu" / f"library-{digest((command, version, processor()), sources)}", make) / LIBRARY
