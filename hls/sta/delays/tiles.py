"""What Project X-Ray's database says of a tile type: delays and resistances of pips, resistance and capacitance of
wires, of pins of sites.

Units as in the database: nanoseconds, ohms, femtofarads. `OHM_FF` makes nanoseconds of a product of the last two.
"""

from __future__ import annotations

import functools
import json
import pathlib
import re
from typing import NamedTuple

import numpy as np

from model.base.errors import UserError

OHM_FF = 1e-6  # ohm x femtofarad in nanoseconds
_PLACE = re.compile(r"_X\d+Y\d+$")


class PipTiming(NamedTuple):
    """A switch.

    Attributes
    ----------
    ns : numpy.ndarray or None
        float64 (4,), see `hls.sta.delays.sdf.CORNERS`; None if the database has no number.
    ohm, ff : float
        Of its output; of its input, which loads the wire in front only where the switch is on.
    passes : bool
        It does not isolate: the wires on both sides load the same driver.
    """

    ns: np.ndarray | None
    ohm: float
    ff: float
    passes: bool


class WireTiming(NamedTuple):
    """A wire of one tile."""

    ohm: float
    ff: float


class PinTiming(NamedTuple):
    """A pin of a site: `ohm` drives if it is an output, `ff` loads if it is an input; `ns` as in `PipTiming`."""

    ns: np.ndarray | None
    ohm: float
    ff: float


NO_WIRE = WireTiming(0.0, 0.0)


class TileType:
    """One tile type.

    Attributes
    ----------
    pips : dict
        (source, target) -> PipTiming; both ways of those that go both.
    wires : dict
        Name -> WireTiming, of those that have a number.
    pins : dict
        (pin of a site, wire) -> PinTiming.
    """

    def __init__(self, data: dict) -> None:
        self.pips: dict[tuple[str, str], PipTiming] = {}
        for pip in data["pips"].values():
            ends = pip["src_wire"], pip["dst_wire"]
            self.pips[ends] = _pip(pip, "src_to_dst")
            if pip["is_directional"] == "0":
                self.pips[ends[::-1]] = _pip(pip, "dst_to_src")
        wires = data["wires"].items() if isinstance(data["wires"], dict) else ()
        self.wires = {name: WireTiming(float(rc["res"]), float(rc["cap"])) for name, rc in wires if rc}
        self.pins: dict[tuple[str, str], PinTiming] = {}
        for site in data["sites"]:
            for name, pin in site["site_pins"].items():
                if isinstance(pin, dict):  # None: a pin that the tile does not bring out
                    self.pins[name, pin["wire"]] = PinTiming(
                        _ns(pin.get("delay")), float(pin.get("res") or 0), float(pin.get("cap") or 0)
                    )


def _pip(pip, way):
    timing = pip.get(way) or {}
    passes = bool(int(pip["is_pass_transistor"]))
    ns = _ns(timing.get("delay"))
    if ns is None and passes:
        ns = np.zeros(4)  # a joint of two wires: what it takes is in their resistances and capacitances
    return PipTiming(ns, float(timing.get("res") or 0), float(timing.get("in_cap") or 0), passes)


def _ns(four):
    return None if four is None else np.array([float(text) for text in four])


def tile_type(tile: str) -> str:
    """Return a tile's type: "INT_L" of "INT_L_X0Y0"."""
    return _PLACE.sub("", tile)


class TileTypes:
    """The tile types of a database, each read when it is first asked for.

    Parameters
    ----------
    database : path-like
        Folder of the family: .../prjxray-db/zynq7.
    """

    def __init__(self, database: str | pathlib.Path) -> None:
        self.database = pathlib.Path(database)

    def of_tile(self, tile: str) -> TileType:
        """Return the type of a tile by the tile's name."""
        return self(tile_type(tile))

    @functools.cache  # noqa: B019  one of these lives as long as the process
    def __call__(self, name: str) -> TileType:
        """Return a type by name.

        Raises
        ------
        UserError
            If its file is missing or broken.
        """
        path = self.database / f"tile_type_{name}.json"
        try:
            return TileType(json.loads(path.read_text()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"the database of Project X-Ray has no readable {path.name} ({error!r}); take a whole copy of "
                f"prjxray-db, or name it in PRJXRAY_DB_DIR"
            ) from error
