"""Compiles the C++ code for this machine's processor, once; the library is found again."""

from __future__ import annotations

import functools
import pathlib

from model.base.native import NATIVE, native_library

SOURCE = pathlib.Path(__file__).with_name("cpp") / "network.cpp"


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
        If there is no compiler, or none takes the code.
    """
    return native_library(SOURCE, "cpu", "use --backend golden, it gives the same bits", flags)
