"""Other programs: their versions, and running one with its output in a log."""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import re
import subprocess

from model.base.errors import UserError

# How AMD's tools, Yosys ("file:line: ERROR: ...") and nextpnr begin a line that tells of an error.
_ERROR = re.compile(r"\s*(ERROR|FATAL|FAIL|error)\b|.*: ERROR:")


def tool_version(package: str) -> str:
    """Return "<package> <version>" of a tool that pip installs.

    Raises
    ------
    UserError
        If it is not installed.
    """
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(f"the package {package} is not installed; run `make setup`") from error


def run_tool(
    command: list[str], folder: pathlib.Path, log: str, complaint: str, environment: dict[str, str] | None = None
) -> None:
    """Run a program in `folder` and keep what it says in a log there.

    Parameters
    ----------
    command : list of str
    folder : pathlib.Path
    log : str
        Name of the log.
    complaint : str
        Begins the error message, e.g. "Yosys does not synthesise conv1".
    environment : dict, optional
        Variables besides those of this process.

    Raises
    ------
    UserError
        With the log's first line that tells of an error, and its place.
    """
    log = pathlib.Path(folder) / log
    with open(log, "wb") as file:
        code = subprocess.run(
            command,
            cwd=folder,
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=os.environ | (environment or {}),
        ).returncode
    if code:
        raise UserError(f"{complaint}: {first_error(log) or _ending(log, code)}; the log is {log}")


def first_error(log: str | pathlib.Path) -> str | None:
    """Return the first line of a log that tells of an error, without its repeated blanks, or None."""
    for line in pathlib.Path(log).read_text(encoding="utf-8", errors="replace").splitlines():
        if _ERROR.match(line):
            return " ".join(line.split()).rstrip(".;")
    return None


def _ending(log, code):
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return (
        f"ended by signal {-code}"
        if code < 0
        else next((line.strip() for line in reversed(lines) if line.strip()), f"exit code {code}")
    )
