"""Compiles the C++ code for this machine's processor, once; the library is found again."""

from __future__ import annotations

import functools
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator

from model.base.cache import built, digest, processor
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
    def make(folder):
        result = _run([*command, str(SOURCES / "network.cpp"), "-o", str(folder / LIBRARY)])
        if result.returncode:
            lines = [line for line in result.stderr.splitlines() if "error" in line] or result.stderr.splitlines()
            raise UserError(
                f"{command[0]} does not compile the code for this processor ({lines[0] if lines else 'no message'}); "
                f"use --backend golden, it gives the same bits"
            )

    sources = sorted(path for path in SOURCES.iterdir() if path.suffix in (".cpp", ".hpp"))
    recipe = command, _version(tuple(command)), processor()
    return built(BUILD / "cpu" / f"library-{digest(recipe, sources)}", make) / LIBRARY


@functools.cache
def _version(command):
    return _run([*command, "--version"]).stdout


def _run(command):
    cache = str(BUILD / "zig")
    environment = dict(os.environ, ZIG_GLOBAL_CACHE_DIR=cache, ZIG_LOCAL_CACHE_DIR=cache)
    try:
        return subprocess.run(command, capture_output=True, text=True, env=environment)
    except OSError as error:
        raise UserError(
            f"{command[0]} cannot be run ({error.strerror}); use --backend golden, it gives the same bits"
        ) from error
