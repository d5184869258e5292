"""Runs C++ compilers; what one says becomes one sentence."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from model.base.errors import UserError
from model.base.paths import BUILD


def run_compiler(command: Sequence[str], complaint: str, remedy: str) -> str:
    """Run a compiler or linker, zig's with its cache under `build/`; return what it printed.

    Parameters
    ----------
    command : sequence of str
    complaint, remedy : str
        What did not work, and what to do then.

    Raises
    ------
    UserError
        If it cannot be run, or fails: the complaint, its first error, the remedy.
    """
    cache = str(BUILD / "zig")
    environment = dict(os.environ, ZIG_GLOBAL_CACHE_DIR=cache, ZIG_LOCAL_CACHE_DIR=cache)
    try:
        result = subprocess.run(command, capture_output=True, text=True, env=environment)
    except OSError as error:
        raise UserError(f"{complaint}: {command[0]} cannot be run ({error.strerror}); {remedy}") from error
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if "error" in line] or result.stderr.splitlines()
        raise UserError(f"{complaint}: {lines[0] if lines else 'no message'}; {remedy}")
    return result.stdout
