"""Bits to features: what of Project X-Ray's database a bitstream has switched on, and bits that nothing explains."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

import numpy as np

from hls.readback.bitfile import ECC_BITS, ECC_WORD
from hls.readback.netlist import Pip

if TYPE_CHECKING:
    from collections.abc import Collection

    from hls.readback.bitfile import Frames
    from hls.readback.database import Database

ADDRESSED = re.compile(r"(.*)\[(\d+)\]$")


@dataclasses.dataclass
class Features:
    """What is on, tile by tile.

    Attributes
    ----------
    settings : dict
        Tile -> names of the features that are no pips, those of numbered bits left out.
    values : dict
        Tile -> name ("SLICEL_X0.ALUT.INIT") -> the numbers of the bits that are on, as an int with those bits.
    pips : list of Pip
    count : int
        Features with at least one bit that is set, pips and numbered bits included.
    bits : int
        Bits that are set, without those of the frames' check codes.
    unknown : list of (int, int)
        (address of frame, bit) that are set and in no feature that is on.
    """

    settings: dict[str, set[str]]
    values: dict[str, dict[str, int]]
    pips: list[Pip]
    count: int
    bits: int
    unknown: list[tuple[int, int]]


def match(frames: Frames, database: Database, kinds: Collection[str] | None = None) -> Features:
    """Return the features that a bitstream has.

    A feature is on if all of its ones are set and none of its zeros is; tiles without any set bit are left out.

    Parameters
    ----------
    frames : Frames
    database : Database
    kinds : collection of str, optional
        Look at tiles of these types only; all other bits are unknown then.
    """
    bits = frames.bits.copy()
    bits[:, 32 * ECC_WORD : 32 * ECC_WORD + ECC_BITS] = False
    explained = np.zeros_like(bits)
    found = Features({}, {}, [], 0, int(bits.sum()), [])
    for (kind, bus, of, skip), tiles in _groups(database).items():
        if kinds is not None and kind not in kinds:
            continue
        places = [(tile, tile.windows[bus]) for tile in tiles if tile.windows[bus].base in frames.row]
        if not places:
            continue
        height, width = places[0][1].frames, 32 * places[0][1].words
        rows = np.array([frames.row[window.base] for _, window in places])[:, None] + np.arange(height)
        columns = np.array([32 * window.offset for _, window in places])[:, None] + np.arange(width)
        rows = np.minimum(rows, len(bits) - 1)
        content = bits[rows[:, :, None], columns[:, None, :]]
        used = np.flatnonzero(content.any((1, 2)))
        content = content[used]
        if not len(used):
            continue
        seen = np.zeros_like(content)
        pips = database.tile_type(kind).pips
        for feature in database.features(of, bus):
            ones = [(frame, bit - 32 * skip) for frame, bit in feature.ones]
            zeros = [(frame, bit - 32 * skip) for frame, bit in feature.zeros]
            if not all(0 <= frame < height and 0 <= bit < width for frame, bit in (*ones, *zeros)):
                continue  # a part of the type only: the other half's
            on = np.ones(len(used), bool)
            for frame, bit in ones:
                on &= content[:, frame, bit]
            for frame, bit in zeros:
                on &= ~content[:, frame, bit]
            hits = np.flatnonzero(on)
            if not len(hits):
                continue
            for frame, bit in ones:
                seen[hits, frame, bit] = True
            found.count += len(hits) if ones else 0
            _enter(found, feature.name, [places[used[hit]][0].name for hit in hits], pips)
        explained[rows[used][:, :, None], columns[used][:, None, :]] |= seen
    left = np.argwhere(bits & ~explained)
    found.unknown = [(int(frames.addresses[row]), int(bit)) for row, bit in left]
    return found


def _groups(database):
    groups = {}
    for tile in database.tiles.values():
        for bus, window in tile.windows.items():
            key = tile.kind, bus, window.kind, window.skip
            groups.setdefault(key, []).append(tile)
    return groups


def _enter(found, name, tiles, pips):
    target, _, source = name.partition(".")
    numbered = ADDRESSED.match(name)
    for tile in tiles:
        if (target, source) in pips:
            found.pips.append(Pip(tile, source, target))
        elif numbered:
            values = found.values.setdefault(tile, {})
            values[numbered[1]] = values.get(numbered[1], 0) | 1 << int(numbered[2])
        else:
            found.settings.setdefault(tile, set()).add(name)
