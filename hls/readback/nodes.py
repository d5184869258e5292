"""Which wires of which tiles are one node (one piece of metal).

Project X-Ray says it in `tileconn.json`, pair by pair of neighbouring tiles. Where that file is not there, the same is
read from the device database of nextpnr-xilinx (`<part>.bin`), which was made from it, or from another list of the
nodes: of that file only the nodes are read, and it knows nothing of any design.
"""

from __future__ import annotations

import json
import mmap
import pathlib
import struct
from typing import TYPE_CHECKING, Protocol

import numpy as np

from model.base.cache import built, digest
from model.base.errors import UserError
from model.base.paths import BUILD

if TYPE_CHECKING:
    from hls.readback.database import Database


class Nodes(Protocol):
    """Numbers of nodes and their wires, as (number of tile, number of wire)."""

    source: str

    def of(self, tile: int, wire: int) -> int:
        """Return the node of a wire."""

    def members(self, node: int) -> list[tuple[int, int]]:
        """Return the wires of a node."""


def open_nodes(database: Database, chipdb: str | pathlib.Path | None = None) -> Nodes:
    """Return the nodes of a part, from `tileconn.json` or else from nextpnr-xilinx's database.

    Raises
    ------
    UserError
        If neither is there.
    """
    path = database.device_folder / "tileconn.json"
    if path.is_file():
        return TileConnections.of_file(database, path)
    if chipdb is None:
        from hls.place.tools import find_chipdb

        chipdb = find_chipdb(database.part)
    return ChipNodes(database, chipdb)


LOCAL = 1 << 13  # more wires than any tile has


class ChipNodes:
    """Nodes as nextpnr-xilinx's database has them, mapped and not loaded.

    The file is a tree of records of 32-bit words whose pointers count words from where they stand; its wires have the
    numbers of their names' alphabetical order, with those of sites behind them.
    """

    def __init__(self, database: Database, path: str | pathlib.Path) -> None:
        self.source = pathlib.Path(path).name
        with open(path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._words = np.frombuffer(self._map, np.int32, len(self._map) // 4)
        root = self._follow(0)
        version, self.width, _, tiles, _, nodes = (int(self._words[root + 2 + k]) for k in range(6))
        if version != 1 or tiles != len(database.order):
            raise UserError(
                f"{path} is not of {database.part}, or of a version that is not known ({version}, {tiles} tiles); set "
                f"CHIPDB to the file of the part"
            )
        types, places, self._nodes = (self._follow(root + 8 + k) for k in range(3))
        self.count = nodes
        records = self._words[places : places + 6 * tiles].reshape(tiles, 6)
        self._tables = places + 6 * np.arange(tiles) + 3 + records[:, 3]
        self._sizes = records[:, 2]
        for number in (0, tiles // 2, tiles - 1):  # the grid is the same
            name = self._text(places + 6 * number)
            if database.order[number] is None or database.order[number].name != name:
                raise UserError(f"{path} and the tile grid of {database.part} differ at {name}; install both anew")
        self._check(database, types, records)

    def _check(self, database, types, records):
        """The numbers of wires are those of the sorted names, wherever the file spells them out."""
        ids = self._follow(self._follow(0) + 11)
        known, count, texts = int(self._words[ids]), int(self._words[ids + 1]), self._follow(ids + 2)
        first = {int(kind): number for number, kind in reversed(list(enumerate(records[:, 1])))}
        for kind, number in first.items():
            tile = database.order[number]
            if tile is None or tile.kind not in ("INT_L", "INT_R", "CLBLM_L", "CLBLM_R", "BRAM_L", "DSP_R"):
                continue
            names = database.tile_type(tile.kind).wires
            wires = self._follow(types + 8 * kind + 4)
            for wire, name in enumerate(names):
                spelt = int(self._words[wires + 10 * wire]) - known
                if 0 <= spelt < count and self._text(texts + spelt) != name:
                    raise UserError(
                        f"{self.source} numbers the wires of {tile.kind} otherwise than Project X-Ray's database does; "
                        f"install both anew"
                    )

    def _follow(self, at):
        return at + int(self._words[at])

    def _text(self, at):
        start = 4 * self._follow(at)
        return self._map[start : self._map.find(b"\0", start)].decode()

    def of(self, tile: int, wire: int) -> int:
        """Return the node of a wire; a wire that is alone has a negative number."""
        if wire < self._sizes[tile]:
            node = int(self._words[self._tables[tile] + wire])
            if node >= 0:
                return node
        return -1 - (tile * LOCAL + wire)

    def members(self, node: int) -> list[tuple[int, int]]:
        """Return the wires of a node."""
        if node < 0:
            return [divmod(-1 - node, LOCAL)]
        at = self._nodes + 3 * node
        count, start = int(self._words[at]), self._follow(at + 2)
        values = struct.unpack_from(f"<{2 * count}i", self._map, 4 * start)
        return list(zip(values[::2], values[1::2]))


class TileConnections:
    """Nodes as `tileconn.json` has them: wires that neighbours join, found once per content and kept in `build/`.

    Parameters
    ----------
    first : numpy.ndarray
        int64 (tiles + 1,): number of a tile's first wire among all wires.
    root : numpy.ndarray
        int32: wire -> node.
    """

    source = "tileconn.json"

    def __init__(self, first: np.ndarray, root: np.ndarray) -> None:
        self._first, self._root = first, root
        self._order = np.argsort(root, kind="stable").astype(np.int32)
        self._starts = np.searchsorted(root[self._order], np.arange(int(root.max()) + 2 if len(root) else 1))

    @classmethod
    def of_file(cls, database: Database, path: pathlib.Path) -> TileConnections:
        """Return the nodes, from `build/` if they were found before."""

        def make(folder):
            first, root = connect(database, json.loads(path.read_text()))
            np.savez(folder / "nodes.npz", first=first, root=root)

        files = [path, database.device_folder / "tilegrid.json", *sorted(database.root.glob("tile_type_*.json"))]
        folder = built(BUILD / "readback" / f"nodes-{digest(pathlib.Path(__file__).read_text(), files)}", make)
        with np.load(folder / "nodes.npz") as stored:
            return cls(stored["first"], stored["root"])

    def of(self, tile: int, wire: int) -> int:
        """Return the node of a wire."""
        return int(self._root[self._first[tile] + wire])

    def members(self, node: int) -> list[tuple[int, int]]:
        """Return the wires of a node."""
        wires = self._order[self._starts[node] : self._starts[node + 1]].astype(np.int64)
        tiles = np.searchsorted(self._first, wires, side="right") - 1
        return list(zip(tiles.tolist(), (wires - self._first[tiles]).tolist()))


def connect(database: Database, pairs: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Return `first` and `root` of TileConnections.

    Parameters
    ----------
    database : Database
    pairs : list of dict
        As in the file: tile_types (two), grid_deltas (where the second lies, seen from the first), wire_pairs.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    tiles = database.order
    counts = [len(database.tile_type(tile.kind).wires) if tile else 0 for tile in tiles]
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    of_kind: dict[str, list[int]] = {}
    for tile in tiles:
        if tile:
            of_kind.setdefault(tile.kind, []).append(tile.number)
    kinds = np.array([tile.kind if tile else "" for tile in tiles])
    ends = [], []
    height = len(tiles) // database.width
    for pair in pairs:
        one, other = pair["tile_types"]
        dx, dy = pair["grid_deltas"]
        here = np.array(of_kind.get(one, []), np.int64)
        x, y = here % database.width + dx, here // database.width + dy
        inside = (x >= 0) & (x < database.width) & (y >= 0) & (y < height)
        here, there = here[inside], (y * database.width + x)[inside]
        match = kinds[there] == other
        here, there = here[match], there[match]
        if not len(here):
            continue
        mine, yours = database.tile_type(one).number, database.tile_type(other).number
        wires = np.array([(mine[a], yours[b]) for a, b in pair["wire_pairs"]], np.int64)
        ends[0].append((first[here][:, None] + wires[:, 0]).ravel())
        ends[1].append((first[there][:, None] + wires[:, 1]).ravel())
    total = int(first[-1])
    if not ends[0]:
        return first, np.arange(total, dtype=np.int32)
    a, b = (np.concatenate(part) for part in ends)
    graph = coo_array((np.ones(len(a), np.bool_), (a, b)), (total, total))
    return first, connected_components(graph, directed=False)[1].astype(np.int32)
