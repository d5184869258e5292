"""Compiles the C++ code for this machine's processor, once; the library is found again."""

from __future__ import annotations

import functools
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

from model.base.cache import built, digest, processor
from model.base.errors import UserError
from model.base.paths import BUILD

SOURCES = pathlib.Path(__file__).with_name("cpp")
# Nothing of the C++ library is used: zig would compile its own first, which takes a minute.
FLAGS = ("-O3", "-std=c++17", "-shared", "-fPIC", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden", "-Wno-psabi")
NATIVE = ("-march=native",)
LIBRARY = "libcpu.so"


def compiler() -> list[str]:
    """Return the command of a C++ compiler: the system's, or clang from PyPI. Raises UserError if there is none."""
    for name in ("g++", "clang++"):
        if shutil.which(name):
            return [name]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc", "-nostdinc++", "-fno-sanitize=all"]
    raise UserError(
        "no C++ compiler was found; install one (Debian: apt-get install g++, or pip install ziglang), or use "
        "--backend golden, it gives the same bits"
    )


@functools.cache
def library(flags: tuple[str, ...] = NATIVE) -> pathlib.Path:
    """Return the path of the compiled library.

    Parameters
    ----------
    flags : tuple of str
        For which processor; by default this one.

    Raises
    ------
    UserError
        If there is no compiler, or it does not take the code.
    """
    command = [*compiler(), *FLAGS, *flags]

    def make(folder):
        cache = str(BUILD / "zig")
        environment = dict(os.environ, ZIG_GLOBAL_CACHE_DIR=cache, ZIG_LOCAL_CACHE_DIR=cache)
        run = [*command, str(SOURCES / "network.cpp"), "-o", str(folder / LIBRARY)]
        result = subprocess.run(run, capture_output=True, text=True, env=environment)
        if result.returncode:
            lines = [line for line in result.stderr.splitlines() if "error" in line] or result.stderr.splitlines()
            raise UserError(
                f"{command[0]} does not compile the code for this processor ({lines[0] if lines else 'no message'}); "
                f"use --backend golden, it gives the same bits"
            )

    recipe = command, _version(tuple(command)), processor()
    return built(BUILD / "cpu" / f"library-{digest(recipe, sorted(SOURCES.iterdir()))}", make) / LIBRARY


@functools.cache
def _version(command):
    return subprocess.run([*command, "--version"], capture_output=True, text=True).stdout
