"""Project X-Ray's delays of cells: files of the Standard Delay Format (SDF, IEEE 1497), as far as they use it.

A file has cells; a cell's type says for which settings its numbers hold ("DSP48E1_AREG_1_PREG_0"), its instance where
("SLICEM/A6LUT"). Delays come as two triples, `(fast min::fast max)(slow min::slow max)`; set-up and hold times as one.
"""

from __future__ import annotations

import pathlib
import re
from typing import NamedTuple

import numpy as np

from model.base.errors import UserError

# The four columns of every delay.
CORNERS = ("fast_min", "fast_max", "slow_min", "slow_max")
FAST_MIN, FAST_MAX, SLOW_MIN, SLOW_MAX = range(4)

CHECKS = ("SETUP", "HOLD", "RECOVERY", "REMOVAL")
_TOKEN = re.compile(r'[()]|"[^"]*"|[^\s()]+')
_NANOSECONDS = {"1ns": 1.0, "1ps": 1e-3}


class Delay(NamedTuple):
    """An arc through a cell.

    Attributes
    ----------
    source, target : str
        Pins, in capitals.
    ns : numpy.ndarray
        float64 (4,), nanoseconds, in the order of `CORNERS`.
    """

    source: str
    target: str
    ns: np.ndarray


class Check(NamedTuple):
    """What a pin owes a clock.

    Attributes
    ----------
    kind : str
        Of `CHECKS`.
    pin, clock : str
        In capitals.
    ns : float
        The larger of the two values, nanoseconds; negative: the pin may change after (set-up) or before (hold) it.
    """

    kind: str
    pin: str
    clock: str
    ns: float


class SdfCell(NamedTuple):
    """Numbers of a cell type at an instance.

    Attributes
    ----------
    kind, instance : str
        As in the file, in capitals.
    delays : tuple of Delay
    checks : tuple of Check
    """

    kind: str
    instance: str
    delays: tuple[Delay, ...]
    checks: tuple[Check, ...]


def read_sdf(path: str | pathlib.Path) -> list[SdfCell]:
    """Return the cells of an SDF file.

    Raises
    ------
    UserError
        If the file is not there, or is none, or has a number that is none.
    """
    path = pathlib.Path(path)
    try:
        tree = _tree(path.read_text(encoding="utf-8", errors="replace"))
        (file,) = tree
        if file[0] != "DELAYFILE":
            raise ValueError("it does not begin with DELAYFILE")
        (unit,) = [item[1] for item in file[1:] if item[0] == "TIMESCALE"]
        return [_cell(item, _NANOSECONDS[unit]) for item in file[1:] if item[0] == "CELL"]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; take a whole copy of prjxray-db") from error
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no SDF file of Project X-Ray ({error}); take a whole copy of prjxray-db") from error


def _tree(text):
    """Nested lists of the tokens."""
    stack = [[]]
    for token in _TOKEN.findall(text):
        if token == "(":
            stack.append([])
        elif token == ")":
            if len(stack) == 1:
                raise ValueError("a bracket closes that none opened")
            inner = stack.pop()
            stack[-1].append(inner)
        else:
            stack[-1].append(token.strip('"'))
    if len(stack) != 1:
        raise ValueError("a bracket is not closed")
    return stack[0]


def _cell(item, scale):
    kind = instance = ""
    delays, checks = [], []
    for part in item[1:]:
        if part[0] == "CELLTYPE":
            kind = part[1].upper()
        elif part[0] == "INSTANCE":
            instance = part[1].upper()
        elif part[0] == "DELAY":
            for arc in (arc for block in part[1:] for arc in block[1:]):
                if arc[0] in ("IOPATH", "INTERCONNECT"):
                    fast, slow = (_pair(triple) for triple in arc[3:5])
                    delays.append(Delay(arc[1].upper(), arc[2].upper(), scale * np.array([*fast, *slow])))
        elif part[0] == "TIMINGCHECK":
            for check in part[1:]:
                edge, clock = check[2]
                if edge != "posedge":
                    raise ValueError(f"a check at the {edge} of {clock}")
                checks.append(Check(check[0], check[1].upper(), clock.upper(), scale * max(_pair(check[3]))))
    return SdfCell(kind, instance, tuple(delays), tuple(checks))


class SdfFiles:
    """The files of a database, each read when it is first asked for.

    Parameters
    ----------
    folder : path-like
        .../prjxray-db/zynq7/timings.
    """

    def __init__(self, folder: str | pathlib.Path) -> None:
        self.folder = pathlib.Path(folder)
        self._found: dict[str, list[SdfCell]] = {}

    def __getitem__(self, name: str) -> list[SdfCell]:
        """Return the cells of a file: "slicel"."""
        if name not in self._found:
            self._found[name] = read_sdf(self.folder / f"{name}.sdf")
        return self._found[name]

    def index(self, name: str) -> dict[tuple[str, str], SdfCell]:
        """Return the cells of a file by (type, instance); of two alike one with the numbers of both."""
        found: dict[tuple[str, str], SdfCell] = {}
        for cell in self[name]:
            old = found.get(cell[:2])
            delays, checks = ((), ()) if old is None else (old.delays, old.checks)
            found[cell[:2]] = cell._replace(delays=delays + cell.delays, checks=checks + cell.checks)
        return found


def _pair(triple):
    """A triple without the middle: (0.1::0.2)."""
    low, high = triple[0].split("::")
    return float(low), float(high)
