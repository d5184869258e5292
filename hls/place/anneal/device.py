"""The sites of a 7-series device by tiles: where slices, DSPs, block RAMs are, and what a wire between them takes."""

from __future__ import annotations

import json
import pathlib
import re

import numpy as np

SUBS, CARRY = 17, 16  # places of a slice: four lanes of two LUTs and two flip-flops, and one carry
SLOTS = ("6LUT", "5LUT", "FF", "5FF")
BLOCKS = {"DSP48E1": "DSP48", "RAMBFIFO36E1": "RAMB36"}  # what may be moved: type of a site -> its name's start


class Device:
    """The sites: slices first, then blocks by class, then all others.

    Parameters
    ----------
    tilegrid : pathlib.Path
        Project X-Ray's, of the device.

    Attributes
    ----------
    slices, columns, rows : int
        Number of slices; of columns and rows of their names.
    x, y : ndarray of int16
        Tile of each site, as the grid counts: down.
    slice_x, slice_y : ndarray of int16
    grid : ndarray of int32, shape (columns, rows)
        Slice by its name, -1 if there is none.
    above, below : ndarray of int32
        Slice in which a carry chain goes on, and the other way; -1 if there is none in the next row of tiles.
    beside : ndarray of int32
        The slice nearest to a site.
    memory : ndarray of uint8
        Whether a slice can hold RAM and shift registers.
    class_begin : ndarray of int32
    movable : set of str
        Types of cells that may change places with others of their class.
    delays : ndarray of float32
        ns, by tiles across and along.
    """

    movable = {"DSP48E1_DSP48E1", "RAMB36E1_RAMB36E1"}

    def __init__(self, tilegrid: pathlib.Path) -> None:
        tiles = json.loads(tilegrid.read_text()).values()
        found = [
            (site, kind, tile["grid_x"], tile["grid_y"])
            for tile in tiles
            for site, kind in tile.get("sites", {}).items()
        ]
        slices = sorted((_numbers(s[0]), s) for s in found if s[1] in ("SLICEL", "SLICEM"))
        blocks = [[s for s in found if s[1] == kind] for kind in BLOCKS]
        others = [s for s in found if s[1] not in ("SLICEL", "SLICEM", *BLOCKS)]
        sites = [s for _, s in slices] + [s for block in blocks for s in block] + others
        names = [self._named(s) for s in sites]
        self.slices = len(slices)
        self._names, self._site = names, {name: i for i, name in enumerate(names)}
        self.x = np.array([s[2] for s in sites], np.int16)
        self.y = np.array([s[3] for s in sites], np.int16)
        numbers = np.array([n for n, _ in slices])
        self.slice_x, self.slice_y = numbers.T.astype(np.int16)
        self.columns, self.rows = map(int, numbers.max(0) + 1)
        self.grid = np.full((self.columns, self.rows), -1, np.int32)
        self.grid[numbers[:, 0], numbers[:, 1]] = np.arange(self.slices)
        self.memory = np.array([s[1] == "SLICEM" for _, s in slices], np.uint8)
        self.above = np.full(self.slices, -1, np.int32)
        for i, (x, y) in enumerate(numbers):
            if y + 1 < self.rows and (up := self.grid[x, y + 1]) >= 0 and self.y[up] == self.y[i] - 1:
                self.above[i] = up
        self.below = np.full(self.slices, -1, np.int32)
        goes_on = self.above >= 0
        self.below[self.above[goes_on]] = np.flatnonzero(goes_on)
        self.beside = np.arange(len(sites), dtype=np.int32)
        for i in range(self.slices, len(sites)):
            apart = np.abs(self.x[: self.slices] - self.x[i]) + 2 * np.abs(self.y[: self.slices] - self.y[i])
            self.beside[i] = apart.argmin()
        self.class_begin = np.cumsum([self.slices, *map(len, blocks)]).astype(np.int32)
        across = np.arange(int(self.x.max()) + 1)[:, None]
        along = np.arange(int(self.y.max()) + 1)[None, :]
        self.delays = wire_delay(across, along).astype(np.float32)

    @staticmethod
    def _named(site):
        name, kind = site[:2]
        return re.sub(r"^[A-Z0-9]+(?=_X)", BLOCKS[kind], name) if kind in BLOCKS else name

    def has(self, name: str) -> bool:
        """Return whether there is such a site."""
        return name in self._site

    def site(self, name: str) -> int:
        """Return the number of a site."""
        return self._site[name]

    def block_class(self, name: str) -> int | None:
        """Return which class of blocks a site is of, None if of none."""
        at = int(np.searchsorted(self.class_begin, self._site[name], side="right")) - 1
        return at if 0 <= at < len(self.class_begin) - 1 else None

    def sharing(self, site: int) -> np.ndarray:
        """Return the numbers of the block RAMs of which a site is half; none of other sites."""
        if not self._names[site].startswith("RAMB18"):
            return np.zeros(0, np.int64)
        begin, end = self.class_begin[-2:]
        here = (self.x[begin:end] == self.x[site]) & (self.y[begin:end] == self.y[site])
        return begin + np.flatnonzero(here)

    def sub(self, tail: str) -> int:
        """Return the number of a place within a slice: of "B5FF" 7; of a carry 16; 0 of anything else."""
        if tail == "CARRY4":
            return CARRY
        if tail[:1] in "ABCD" and tail[1:] in SLOTS:
            return "ABCD".index(tail[0]) * 4 + SLOTS.index(tail[1:])
        return 0

    def name(self, site: int, sub: int, tail: str) -> str:
        """Return the name of a place; `tail` is that of one of its kind."""
        if site < self.slices:
            tail = "CARRY4" if sub == CARRY else "ABCD"[sub // 4] + SLOTS[sub % 4]
        return f"{self._names[site]}/{tail}"


def wire_delay(across: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Return what a wire between two tiles takes, ns: nextpnr-xilinx's estimate."""
    near = 0.03 * np.minimum(across, 18) + 0.06 * np.minimum(along, 6)
    far = 0.01 * np.maximum(across - 18, 0) + 0.02 * np.maximum(along - 6, 0)
    return 1.5 * (0.3 + near + far)


def _numbers(name):
    return tuple(map(int, re.findall(r"\d+", name.partition("_")[2])))
