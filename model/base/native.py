"""Compiles C++ for this machine's processor into a library for Python, once; it is found again."""

from __future__ import annotations

import importlib.util
import pathlib
import shutil
import sys
from collections.abc import Iterator, Sequence

from model.base.cache import built, digest, processor
from model.base.compiler import run_compiler
from model.base.errors import UserError
from model.base.paths import BUILD

# Nothing of the C++ library may be used: zig would compile its own first, which takes a minute.
FLAGS = ("-O3", "-std=c++17", "-shared", "-fPIC", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden", "-Wno-psabi")
NATIVE = ("-march=native",)


def compilers() -> Iterator[list[str]]:
    """Yield the commands of C++ compilers: the system's, then clang from PyPI."""
    yield from ([name] for name in ("g++", "clang++") if shutil.which(name))
    if importlib.util.find_spec("ziglang") is not None:
        yield [sys.executable, "-m", "ziglang", "cc", "-nostdinc++", "-fno-sanitize=all"]


def native_library(source: pathlib.Path, name: str, remedy: str, flags: Sequence[str] = NATIVE) -> pathlib.Path:
    """Return the path of the compiled library, by the first compiler that takes the code.

    Parameters
    ----------
    source : pathlib.Path
        A .cpp file; all that lies beside it decides, too.
    name : str
        Of the folder under `build/`; the library is lib<name>.so.
    remedy : str
        What to do where it cannot be had.
    flags : sequence of str
        For which processor (by default this one), and what else is asked for.

    Raises
    ------
    UserError
        If there is no compiler, or none takes the code.
    """
    refused = None
    for command in compilers():
        try:
            return _built([*command, *FLAGS, *flags], source, name, remedy)
        except UserError as error:
            refused = refused or error
    raise refused or UserError(
        f"no C++ compiler was found; install one (Debian: apt-get install g++, or pip install ziglang), or {remedy}"
    )


def _built(command, source, name, remedy):
    complaint = f"{command[0]} does not compile the code for this processor"
    library = f"lib{name}.so"

    def make(folder):
        run_compiler([*command, str(source), "-o", str(folder / library)], complaint, remedy)

    version = run_compiler([*command, "--version"], complaint, remedy)
    sources = sorted(path for path in source.parent.iterdir() if path.suffix in (".cpp", ".hpp"))
    return built(BUILD / name / f"library-{digest((command, version, processor()), sources)}", make) / library
