"""What one cell takes: arcs from port to port, what its inputs owe its clock, and what has no number."""

from __future__ import annotations

import dataclasses
import re
from typing import NamedTuple

import numpy as np

_INDEX = re.compile(r"^(.*?)\[?(\d+)\]?$")


class Arc(NamedTuple):
    """A delay from an input, or a clock, to an output.

    Attributes
    ----------
    source, target : str
        Ports of the cell.
    ns : numpy.ndarray
        float64 (4,), see `hls.sta.delays.sdf.CORNERS`.
    """

    source: str
    target: str
    ns: np.ndarray


class Owed(NamedTuple):
    """Set-up and hold time of an input, nanoseconds; `hold` is None if the database has none."""

    pin: str
    clock: str
    setup: float
    hold: float | None


@dataclasses.dataclass
class CellTiming:
    """What the database says of one cell with its settings.

    Attributes
    ----------
    arcs : list of Arc
    owed : list of Owed
    unknown : list of str
        Kinds of arcs for which the database has no number: the path is not seen.
    borrowed : list of str
        Kinds of arcs whose number is that of a neighbour, which is named.
    """

    arcs: list[Arc] = dataclasses.field(default_factory=list)
    owed: list[Owed] = dataclasses.field(default_factory=list)
    unknown: list[str] = dataclasses.field(default_factory=list)
    borrowed: list[str] = dataclasses.field(default_factory=list)


def split_port(port: str) -> tuple[str, int | None]:
    """Return a port's name and index: ("DIADI", 7) of "DIADI[7]", ("RADR", 0) of "RADR0", ("CLK", None) of "CLK"."""
    found = _INDEX.match(port)
    return (found[1], int(found[2])) if found else (port, None)


def widest(delays: list[np.ndarray]) -> np.ndarray:
    """Return for every corner the smallest minimum and the largest maximum; float64 (4,)."""
    four = np.array(delays)
    low, high = four.min(axis=0), four.max(axis=0)
    return np.array([low[0], high[1], low[2], high[3]])
