"""A .bit to a timing report: decode, delays, arrivals; `build/reports/timing_open_<name>.json`, .txt and .svg."""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from hls.place.tools import find_database
from hls.readback.bitfile import frame_addresses, read_frames
from hls.readback.database import Database
from hls.readback.decode import decode
from hls.sta.analyse import Slacks, slacks
from hls.sta.common import Shared, refine
from hls.sta.delays.sdf import SdfFiles
from hls.sta.delays.tiles import TileTypes
from hls.sta.draw import draw
from hls.sta.model import Delays, Model, build
from hls.sta.report import area_rows, clock_row, gap_rows, group_rows, groups, path_rows, slowest, text, tightest_hold
from hls.sta.stock import Stock
from model.base.errors import UserError
from model.base.paths import BUILD, atomic_write
from model.base.report import write_report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hls.readback.netlist import Netlist

CLOCK_MHZ = 100.0  # that jitter is counted for where no other is asked for


def find_timings(database: pathlib.Path) -> pathlib.Path:
    """Return the folder of Project X-Ray's SDF files: `PRJXRAY_TIMINGS`, or the database's own.

    Raises
    ------
    UserError
        If they are not there.
    """
    named = os.environ.get("PRJXRAY_TIMINGS")
    folder = pathlib.Path(named) if named else database / "timings"
    if not (folder / "slicel.sdf").is_file():
        raise UserError(
            f"Project X-Ray's delays of cells were not found ({folder / 'slicel.sdf'} is missing); take prjxray-db "
            f"with its timings/*.sdf, or name the folder that holds them in PRJXRAY_TIMINGS"
        )
    return folder


def read_netlist(path: str | pathlib.Path, part: str) -> tuple[Netlist, Database]:
    """Return the netlist of a .bit, and the part's database.

    Raises
    ------
    UserError
        If the file, or the database, cannot be read, or the bitstream has routing faults.
    """
    path = pathlib.Path(path)
    database = Database(find_database(part), part)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; build the bitstream, or name another") from error
    netlist = decode(read_frames(data, frame_addresses(database.part_file), path.name), database)
    if netlist.faults:
        raise UserError(
            f"{path.name} has {len(netlist.faults)} fault{'s' * (len(netlist.faults) > 1)} ({netlist.faults[0].says}), "
            f"so that its paths mean nothing; build it again"
        )
    return netlist, database


class Timed:
    """A timed bitstream.

    Parameters
    ----------
    netlist : Netlist
    database : Database
    mhz : float
        What its clocks are to run at.
    progress : bool

    Attributes
    ----------
    model : Model
    clocks : list of Slacks
        The one with most endpoints first. The least slack of each kind of path, and every missed hold time, are exact
        (`hls.sta.common`).
    """

    def __init__(self, netlist: Netlist, database: Database, mhz: float, progress: bool = False) -> None:
        self._netlist, self._database, self._mhz, self._progress = netlist, database, mhz, progress
        types = TileTypes(database.root)
        self._delays = Delays(types, SdfFiles(find_timings(database.root)))
        self.model: Model = build(netlist, database, self._delays, self._bar)
        self.clocks: list[Slacks] = slacks(self.model, 1000 / mhz)
        for found in self.clocks:
            shared = Shared(self.model, types, found)
            for endpoints in groups(self.model, found).values():
                refine(self.model, found, shared, endpoints)
            refine(self.model, found, shared, np.arange(len(found.check)), setup=False)

    def _bar(self, items: Iterable, what: str) -> Iterable:
        return tqdm(items, what, unit=f" {what}", disable=not self._progress, dynamic_ncols=True)

    def stock_mhz(self) -> float | None:
        """Return the clock that it would fit as stock nextpnr-xilinx counts."""
        model = build(self._netlist, self._database, self._delays, self._bar, Stock)
        return clock_row(model, slacks(model, 1000 / self._mhz, jitter=False)[0])["fits_mhz"]

    def rows(self) -> list[dict]:
        """Return the report: clocks, kinds of paths, the slowest paths, the one nearest to its hold time, gaps."""
        rows = [clock_row(self.model, found) for found in self.clocks]
        first = self.clocks[0]
        rows += group_rows(self.model, first) + area_rows(self.model, first) + path_rows(slowest(self.model, first))
        tightest = tightest_hold(self.model, first)
        if tightest is not None:
            rows += [row | {"what": "hold path"} for row in path_rows([tightest])]
        return rows + gap_rows(self.model, self.clocks)


def fits_mhz(path: str | pathlib.Path, part: str) -> float | None:
    """Return the clock that a bitstream fits in the slow corner, or None where the delays of cells are not found.

    Raises
    ------
    UserError
        As `read_netlist`.
    """
    try:
        find_timings(find_database(part))
    except UserError:
        return None
    timed = Timed(*read_netlist(path, part), CLOCK_MHZ)
    return clock_row(timed.model, timed.clocks[0])["fits_mhz"]


def report(
    path: str | pathlib.Path, part: str, name: str, mhz: float, compare: bool = False, progress: bool = False
) -> tuple[list[dict], list[pathlib.Path]]:
    """Time a bitstream and write its report.

    Parameters
    ----------
    path : path-like
        .bit.
    part : str
        "xc7z020clg400-1".
    name : str
        Of the report.
    mhz : float
        What its clocks are to run at.
    compare : bool
        Also say what it would fit as nextpnr-xilinx counts: `stock_mhz` of the first row.
    progress : bool

    Returns
    -------
    rows : list of dict
    written : list of pathlib.Path
        JSON, text, picture.
    """
    with tqdm(bar_format="{desc}: {elapsed}", desc=f"decode {pathlib.Path(path).name}", disable=not progress) as bar:
        netlist, database = read_netlist(path, part)
        bar.refresh()
    timed = Timed(netlist, database, mhz, progress)
    rows = timed.rows()
    if compare:
        rows[0]["stock_mhz"] = timed.stock_mhz()
    rows = [{"design": name, "part": part, **row} for row in rows]
    title = f"{name} on {part}: fits {rows[0]['fits_mhz']} MHz in the slow corner (modelled, Project X-Ray's delays)"
    base = BUILD / "reports" / f"timing_open_{name}"
    written = [write_report(base.name, rows), base.with_suffix(".txt"), base.with_suffix(".svg")]
    with atomic_write(written[1]) as temporary:
        temporary.write_text(text(title, rows))
    if len(timed.clocks[0].check):
        draw(timed.model, timed.clocks[0], title, written[2])
    return rows, written
