"""AMD's tools from Python: are they there, run one with its output in a log, and say in one sentence what went wrong."""

import os
import pathlib
import re
import shutil
import subprocess

from model.base.errors import UserError

_NOISE = re.compile(r"\s+")


def find_tools(names, what, source):
    """Return the paths of programs by name.

    Parameters
    ----------
    names : sequence of str
    what : str
        What to install, e.g. "AMD Vitis 2023.2 or newer".
    source : str
        What to source so that the programs are found.

    Raises
    ------
    UserError
        Which programs are missing, what to install and what to source.
    """
    found = {name: shutil.which(name) for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise UserError(f"{' and '.join(missing)} {'was' if len(missing) == 1 else 'were'} not found; install {what} and source its {source}, "
                        "then run it again")
    return found


def run_tool(command, folder, log, what):
    """Run a program with its output in a log.

    Parameters
    ----------
    command : list of str
    folder : pathlib.Path
        Where it runs.
    log : pathlib.Path
    what : str
        What it does, for the error.

    Raises
    ------
    UserError
        With the tool's first error line and the log's place.
    """
    with open(log, "wb") as file:
        code = subprocess.run(command, cwd=folder, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL).returncode
    if code:
        raise UserError(f"{what} failed: {first_error(log) or f'exit code {code}'}; the log is {os.path.relpath(log)}")


def first_error(log):
    """Return the first line of a log that tells of an error, without its repeated blanks, or None."""
    for line in pathlib.Path(log).read_text(errors="replace").splitlines():
        if re.match(r"\s*(ERROR|FATAL|FAIL|error)\b", line):
            return _NOISE.sub(" ", line).strip().rstrip(".;")
    return None


def check_path(path):
    """Raise `UserError` if a path has characters that AMD's tools split their command lines at."""
    if re.search(r"[^\w./+@~-]", str(path)):
        raise UserError(f"AMD's tools take no blanks or special characters in paths; move the checkout, or point SRCNN_BUILD away from {path}")
