"""Project X-Ray's database of a part, read when it is asked for: tiles, sites, pips, features with their bits.

Read are `<part>/part.json` and `package_pins.csv`, `<device>/tilegrid.json`, `tile_type_*.json`, `site_type_*.json`,
`segbits_*.db`, `ppips_*.db`, and which wires are one node (`hls/readback/nodes.py`).
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import json
import pathlib
import re
from typing import TYPE_CHECKING

from hls.readback.netlist import Site
from model.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hls.readback.nodes import Nodes


@dataclasses.dataclass(frozen=True)
class Feature:
    """A setting and its bits.

    Attributes
    ----------
    name : str
        Without the tile's type: "SLICEL_X0.AFF.ZINI", "IMUX3.LOGIC_OUTS5".
    ones, zeros : tuple of (int, int)
        (frame, bit) within the tile that are set, and that are not.
    """

    name: str
    ones: tuple[tuple[int, int], ...]
    zeros: tuple[tuple[int, int], ...]


@dataclasses.dataclass(frozen=True)
class Window:
    """Where a tile's bits are: frames from `base`, bits from `32 * offset`; features of another type, shifted by `skip`
    words, where the tile is a part of that type.
    """

    base: int
    frames: int
    offset: int
    words: int
    kind: str
    skip: int


@dataclasses.dataclass(frozen=True)
class Tile:
    """A place in the grid.

    Attributes
    ----------
    name, kind : str
    number : int
        Row by row from the top left.
    windows : dict
        Bus ("CLB_IO_CLK", "BLOCK_RAM") -> Window.
    sites : dict
        Site name -> kind.
    """

    name: str
    kind: str
    number: int
    windows: dict[str, Window]
    sites: dict[str, str]


class TileType:
    """What all tiles of a type have in common.

    Attributes
    ----------
    wires : list of str
        Sorted by name: a wire's number is its place here.
    pips : set of (str, str)
        (target, source) of all pips, both ways round for those that go both ways.
    always, default : dict
        Target -> sources of pips without bits: always on; on unless another one is.
    sites : list of dict
        As in `tile_type_*.json`.
    """

    def __init__(self, root: pathlib.Path, name: str) -> None:
        path = root / f"tile_type_{name}.json"
        if not path.is_file():
            raise UserError(f"Project X-Ray's database has no {path.name}; install prjxray-db anew")
        data = json.loads(path.read_text())
        self.name, self.sites = name, data["sites"]
        self.wires = sorted(data["wires"])
        self.number = {wire: number for number, wire in enumerate(self.wires)}
        self.pips: set[tuple[str, str]] = set()
        for pip in data["pips"].values():
            self.pips.add((pip["dst_wire"], pip["src_wire"]))
            if pip["is_directional"] == "0":
                self.pips.add((pip["src_wire"], pip["dst_wire"]))
        self.always: dict[str, list[str]] = {}
        self.default: dict[str, list[str]] = {}
        path = root / f"ppips_{name.lower()}.db"
        for line in path.read_text().splitlines() if path.is_file() else ():
            feature, kind = line.split()
            parts = feature.split(".")
            if kind != "hint" and len(parts) == 3:
                table = self.always if kind == "always" else self.default
                table.setdefault(parts[1], []).append(parts[2])


class Database:
    """A part.

    Parameters
    ----------
    root : path-like
        The family's folder: `prjxray-db/zynq7`.
    part : str
        "xc7z020clg400-1".
    nodes : callable, optional
        Called with the database; returns its Nodes. By default `nodes.open_nodes`.

    Attributes
    ----------
    tiles : dict
        Name -> Tile.
    order : list of Tile
        By number; None where the grid has no tile.
    """

    def __init__(self, root: str | pathlib.Path, part: str, nodes: object = None) -> None:
        self.root, self.part = pathlib.Path(root), part
        self.part_file = self.root / part / "part.json"
        self._open = nodes
        grid = self._json(self.device_folder / "tilegrid.json")
        self.width = 1 + max(tile["grid_x"] for tile in grid.values())
        height = 1 + max(tile["grid_y"] for tile in grid.values())
        self.order: list[Tile | None] = [None] * (self.width * height)
        self.tiles: dict[str, Tile] = {}
        for name, tile in grid.items():
            number = tile["grid_y"] * self.width + tile["grid_x"]
            windows = {bus: _window(bits, tile["type"]) for bus, bits in tile["bits"].items()}
            self.tiles[name] = self.order[number] = Tile(name, tile["type"], number, windows, tile["sites"])
        self._types: dict[str, TileType] = {}

    @property
    def device_folder(self) -> pathlib.Path:
        """Folder of the part's die: several parts, in different packages, share one."""
        name = re.match(r"(xc7[a-z]\d+)", self.part)
        return self.root / (name.group(1) if name else self.part)

    def _json(self, path):
        try:
            return json.loads(path.read_text())
        except OSError as error:
            raise UserError(
                f"Project X-Ray's database of {self.part} is not whole: {path} cannot be read ({error.strerror}); "
                f"install prjxray-db anew"
            ) from error

    @functools.cached_property
    def nodes(self) -> Nodes:
        """Which wires are one node."""
        if self._open is None:
            from hls.readback.nodes import open_nodes

            return open_nodes(self)
        return self._open(self)

    def tile_type(self, kind: str) -> TileType:
        """Return what tiles of a type have in common."""
        if kind not in self._types:
            self._types[kind] = TileType(self.root, kind)
        return self._types[kind]

    def node(self, tile: str, wire: str) -> int:
        """Return the number of the node to which a wire belongs.

        Raises
        ------
        KeyError
            If the tile has no such wire.
        """
        place = self.tiles[tile]
        return self.nodes.of(place.number, self.tile_type(place.kind).number[wire])

    def wires(self, node: int) -> list[tuple[Tile, str]]:
        """Return the wires of a node, as tile and name."""
        found = []
        for number, wire in self.nodes.members(node):
            tile = self.order[number]
            names = self.tile_type(tile.kind).wires
            if wire < len(names):
                found.append((tile, names[wire]))
        return found

    @functools.cached_property
    def directions(self) -> dict[str, dict[str, str]]:
        """Kind of site -> pin -> "IN", "OUT" or "INOUT"."""
        found = {}
        for path in self.root.glob("site_type_*.json"):
            data = json.loads(path.read_text())
            found[data["type"]] = {pin: about["direction"] for pin, about in data["site_pins"].items()}
        return found

    @functools.cache  # noqa: B019 - a database lives as long as what is read with it
    def sites(self, tile: str) -> tuple[Site, ...]:
        """Return the sites of a tile with their pins, in the order of the tile's type."""
        place = self.tiles[tile]
        corner: dict[str, tuple[int, int]] = {}
        located = {}
        for name in place.sites:
            prefix, x, y = re.fullmatch(r"(\w+?)_X(\d+)Y(\d+)", name).groups()
            at = int(x), int(y)
            located[prefix, at] = name
            low = corner.get(prefix, at)
            corner[prefix] = min(low[0], at[0]), min(low[1], at[1])
        base = {}
        for site in self.tile_type(place.kind).sites:
            low = base.get(site["prefix"], (site["x_coord"], site["y_coord"]))
            base[site["prefix"]] = min(low[0], site["x_coord"]), min(low[1], site["y_coord"])
        found = []
        for site in self.tile_type(place.kind).sites:
            prefix = site["prefix"]
            low, zero = corner[prefix], base[prefix]
            name = located[prefix, (low[0] + site["x_coord"] - zero[0], low[1] + site["y_coord"] - zero[1])]
            pins = {pin: about["wire"] for pin, about in site["site_pins"].items() if about and about.get("wire")}
            kinds = self.directions[site["type"]]
            outputs = frozenset(pin for pin in pins if kinds.get(pin) == "OUT")
            found.append(Site(name, site["type"], tile, pins, outputs))
        return tuple(found)

    @functools.cache  # noqa: B019
    def site_pin(self, tile_kind: str) -> dict[str, list[tuple[int, str, bool]]]:
        """Return, for tiles of a type, wire -> (place of the site in `sites`, pin, drives the wire)."""
        found: dict[str, list[tuple[int, str, bool]]] = {}
        for index, site in enumerate(self.tile_type(tile_kind).sites):
            kinds = self.directions[site["type"]]
            for pin, about in site["site_pins"].items():
                if about and about.get("wire"):
                    found.setdefault(about["wire"], []).append((index, pin, kinds.get(pin) == "OUT"))
        return found

    @functools.cache  # noqa: B019
    def features(self, kind: str, bus: str) -> tuple[Feature, ...]:
        """Return the features of a type of tiles on a bus, without those that nothing says anything about."""
        middle = ".block_ram" if bus == "BLOCK_RAM" else ""
        path = self.root / f"segbits_{kind.lower()}{middle}.db"
        return tuple(read_segbits(path.read_text().splitlines())) if path.is_file() else ()

    @functools.cached_property
    def processor_ports(self) -> dict[str, int]:
        """Ports of the processor of several bits -> their number."""
        path = self.root / "ps7_ports.json"
        ports = self._json(path) if path.is_file() else {}
        return {name: about["width"] for name, about in ports.items() if about["width"] > 1}

    @functools.cached_property
    def packaged(self) -> dict[str, str]:
        """Site of a pad -> pin of the package."""
        with open(self.root / self.part / "package_pins.csv", newline="") as file:
            return {row["site"]: row["pin"] for row in csv.DictReader(file)}


def read_segbits(lines: Iterable[str]) -> list[Feature]:
    """Return features as `segbits_*.db` has them: "CLBLL_L.SLICEL_X0.AFF.ZINI 31_03 !30_12", frame and bit of each."""
    found = []
    for line in lines:
        name, *bits = line.split()
        ones, zeros = [], []
        for bit in bits:
            frame, _, at = bit.lstrip("!").partition("_")
            (zeros if bit[0] == "!" else ones).append((int(frame), int(at)))
        found.append(Feature(name.partition(".")[2], tuple(ones), tuple(zeros)))
    return found


def _window(bits, kind):
    alias = bits.get("alias") or {}
    return Window(
        int(bits["baseaddr"], 16),
        bits["frames"],
        bits["offset"],
        bits["words"],
        alias.get("type", kind),
        alias.get("start_offset", 0),
    )
