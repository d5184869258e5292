"""Constant control pins of DSPs as Vivado's bitstreams have them: tied to ground in the tile.

nextpnr-xilinx makes a constant 0 on some pins of a DSP48E1 (INMODE, ALUMODE[3:2], OPMODE[6]) out of a 1 that is routed
from the interconnect and inverted at the pin. By the database that is a 0 like any other; no bitstream of Vivado's was
seen to have it. Which pins can be tied, and by which wire of the interconnect each is fed otherwise, is read from
Project X-Ray's description of the tile, `tile_type_DSP_L.json` and `tile_type_DSP_R.json`; which of them can be
inverted from `segbits_dsp_l.db` and `segbits_dsp_r.db`.
"""

from __future__ import annotations

import collections
import json
import pathlib
import re
from dataclasses import dataclass

from model.base.errors import UserError

_USED = re.compile(r"(DSP_[LR]_X\d+Y\d+)\.DSP48\.DSP_([01])\.")
_TIED = re.compile(r"(DSP_[LR]_X\d+Y\d+)\.(DSP_[01]_\w+)\.DSP_(?:GND|VCC)_[LR]$")
_PLAIN = re.compile(r"(DSP_[LR]_X\d+Y\d+\.DSP48\.DSP_[01]\.ZIS_\w+_INVERTED\[\d\])")
_FEED = re.compile(r"INT_[LR]_X(\d+)Y(\d+)\.((?:BYP|FAN)_ALT\d)\.(\w+)$")
_TILE = re.compile(r"DSP_([LR])_X(\d+)Y(\d+)$")
_SOURCE = re.compile(r"DSP_(BYP|FAN)(\d)_(\d)$")  # wire of the interconnect, and the row of the tile it comes from
_PIN = re.compile(r"DSP_([01])_([A-Z]+)(\d)$")


@dataclass(frozen=True)
class Pin:
    """A pin of a tile's DSP that can be tied to ground, and inverted.

    Attributes
    ----------
    wire : str
        "DSP_0_INMODE3".
    dsp : str
        "0", the lower one, or "1".
    row : int
        Of the interconnect tile that feeds it, above the tile's own.
    feed : str
        Its wire there: "BYP_ALT6".
    plain : str
        The feature that says that the pin isn't inverted: "DSP_0.ZIS_INMODE_INVERTED[3]".
    """

    wire: str
    dsp: str
    row: int
    feed: str
    plain: str


def tieable_pins(database: pathlib.Path, side: str) -> list[Pin]:
    """Return the pins of a DSP tile that can be tied to ground and inverted.

    Parameters
    ----------
    database : pathlib.Path
        Project X-Ray's, of the family.
    side : str
        "L" or "R".

    Raises
    ------
    UserError
        If the database does not describe such a tile.
    """
    try:
        tile = json.loads((database / f"tile_type_DSP_{side}.json").read_text())
        bits = (database / f"segbits_dsp_{side.lower()}.db").read_text()
    except (OSError, ValueError) as error:
        raise UserError(
            f"Project X-Ray's database in {database} does not describe the DSPs ({error}); take openXC7's prjxray-db"
        ) from error
    inverted = set(re.findall(r"DSP48\.(DSP_[01]\.ZIS_\w+_INVERTED\[\d\])", bits))
    sources = collections.defaultdict(set)
    for pip in tile["pips"].values():
        sources[pip["dst_wire"]].add(pip["src_wire"])
    pins = []
    for wire, feeds in sorted(sources.items()):
        pin, feed = _PIN.match(wire), next(filter(None, map(_SOURCE.match, sorted(feeds))), None)
        if pin is None or feed is None or f"DSP_GND_{side}" not in feeds:
            continue
        plain = f"DSP_{pin[1]}.ZIS_{pin[2]}_INVERTED[{pin[3]}]"
        if plain in inverted:
            pins.append(Pin(wire, pin[1], int(feed[3]), f"{feed[1]}_ALT{feed[2]}", plain))
    return pins


def tie(fasm: str, database: pathlib.Path) -> tuple[str, int]:
    """Return FASM in which the DSPs' constant control pins are tied to ground, and how many pins were changed.

    A pin that logic drives, or that is tied already, stays as it is, and so does a constant 1.

    Parameters
    ----------
    fasm : str
        As nextpnr-xilinx writes it: a feature a line.
    database : pathlib.Path
        Project X-Ray's, of the family.
    """
    lines = fasm.splitlines()
    used, tied, plain, fed = set(), set(), set(), {}
    for line in lines:
        feature = line.partition("=")[0].strip()
        if match := _USED.match(feature):
            used.add(match.groups())
        if match := _TIED.match(feature):
            tied.add(match.groups())
        if match := _PLAIN.match(feature):
            plain.add(match[1])
        if match := _FEED.match(feature):
            fed[int(match[1]), int(match[2]), match[3]] = match[4]
    pins = {side: tieable_pins(database, side) for side in {_TILE.match(tile)[1] for tile, _ in used}}
    added, changed = [], 0
    for tile, dsp in sorted(used):
        side, x, y = _TILE.match(tile).groups()
        for pin in pins[side]:
            if pin.dsp != dsp or (tile, pin.wire) in tied:
                continue
            upright = f"{tile}.DSP48.{pin.plain}" in plain
            source = fed.get((int(x), int(y) + pin.row, pin.feed))
            # Nothing feeds it: a wire left alone is 1. So 0 is what inverts a 1, whoever gives that.
            if upright or source not in (None, "VCC_WIRE"):
                continue
            added += [f"{tile}.{pin.wire}.DSP_GND_{side}", f"{tile}.DSP48.{pin.plain}"]
            changed += 1
    return "\n".join([*lines, *added]) + "\n", changed
