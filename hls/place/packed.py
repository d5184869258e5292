"""What is changed in a packed netlist, between nextpnr-xilinx's packer and its placer.

**Carry chains take both slices of a tile.** The packer gives each chain a place within its tile, and always the first
slice: half of the device's carry chains are never used. The first slice is also the one that can hold RAM and shift
registers where a tile has such a one. A network for video has more chains and RAMs than first slices; then the placer
never ends. So half of the chains are told to take the second one.

**What fits few slices is placed first.** A slice has one clock, one enable and one reset for its flip-flops. The placer
drives single cells out of their places, but none for another cell in the same slice, so that what needs a slice with
nothing else in it finds none once flip-flops lie everywhere. Among cells of one size it begins with the last name; the
names of those with few choices get a mark in front that comes behind all others.

**DSPs of a sum can be put side by side.** The placer strews the multipliers of a sum over the device, and their
products then travel back. The kernels name their products sum by sum (`n1186_multiply`, ...), so along a path through
all of the device's DSPs each product finds those that it is added to beside it. Everything else is the placer's choice,
and follows.
"""

from __future__ import annotations

import collections
import json
import pathlib
import re
from collections.abc import Sequence

SECOND = 64  # what nextpnr-xilinx's number of a place within a tile grows by from the first slice to the second
CARRY, LUT, FLIP_FLOP = "CARRY4", "SLICE_LUTX", "SLICE_FFX"
SET = ("CK", "CE", "SR")  # what a slice has one of
LAST = "~"  # behind every other character of a name
NEAR = 20  # columns of the grid: DSP columns no farther apart are walked as one, row by row
_PRODUCT = re.compile(r"(\w+)\.pipeline\.n(\d+)_multiply")


def site_path(tilegrid: pathlib.Path) -> list[str]:
    """Return the device's DSPs in the order in which they are taken: right to left, up one column and down the next.

    Parameters
    ----------
    tilegrid : pathlib.Path
        Project X-Ray's, of the device.
    """
    columns = {}
    for tile in json.loads(tilegrid.read_text()).values():
        for site, kind in tile.get("sites", {}).items():
            if kind == "DSP48E1":
                x, y = map(int, re.findall(r"\d+$|(?<=X)\d+(?=Y)", site))
                columns.setdefault(x, []).append((tile["grid_x"], y, site))
    groups = []
    for column in sorted(columns.values(), reverse=True):
        if groups and groups[-1][-1][0][0] - column[0][0] <= NEAR and len(groups[-1][-1]) == len(column):
            groups[-1].append(column)
        else:
            groups.append([column])
    path, end = [], 0
    for group in groups:
        rows = sorted((y, i if y % 2 else -i, site) for i, column in enumerate(group) for _, y, site in column)
        if abs(rows[0][0] - end) > abs(rows[-1][0] - end):
            rows.reverse()
        path += [site for _, _, site in rows]
        end = rows[-1][0]
    return path


def arrange(packed: pathlib.Path, sites: Sequence[str] = ()) -> dict[str, int]:
    """Rewrite a packed netlist: chains into both slices, who is placed first, DSPs to `sites`.

    Parameters
    ----------
    packed : pathlib.Path
        As nextpnr-xilinx writes it after packing; the file is written anew.
    sites : sequence of str
        DSPs in the order in which they are taken (`site_path`); none: the placer chooses.

    Returns
    -------
    dict
        chains, second_slice (of these), placed_dsps.
    """
    design = json.loads(packed.read_text())
    done = dict.fromkeys(("chains", "second_slice", "placed_dsps"), 0)
    for module in design["modules"].values():  # one: it is flat
        done = spread_chains(module["cells"]) | {"placed_dsps": place_dsps(module["cells"], sites)}
        module["cells"] = rare_first(module["cells"])
    packed.write_text(json.dumps(design))
    return done


def spread_chains(cells: dict[str, dict]) -> dict[str, int]:
    """Give carry chains the first or the second slice of their tiles, so that both have as much to hold.

    Parameters
    ----------
    cells : dict
        Of a packed netlist, by name; changed in place.

    Returns
    -------
    dict
        chains, second_slice (of these).
    """
    chains, first = [], 0
    for name, cell in cells.items():
        attributes = cell["attributes"]
        if "CONSTR_PARENT" in attributes or not _integer(attributes.get("CONSTR_ABS_Z", 0)):
            continue
        if cell["type"] == CARRY:
            members = [name, *filter(None, attributes.get("CONSTR_CHILDREN", "").split(";"))]
            chains.append((sum(cells[member]["type"] == CARRY for member in members), name, members))
        elif cell["type"] == LUT:
            first += 1  # a slice of RAM
    second = moved = 0
    for height, _, members in sorted(chains, reverse=True):  # the tallest first: what is left to even out is small
        if first <= second:
            first += height
            continue
        second, moved = second + height, moved + 1
        for member in members:
            attributes = cells[member]["attributes"]
            attributes["CONSTR_Z"] = format(_integer(attributes["CONSTR_Z"]) + SECOND, "032b")
    return {"chains": len(chains), "second_slice": moved}


def rare_first(cells: dict[str, dict]) -> dict[str, dict]:
    """Name cells so that those with few choices are placed first.

    In this order: chains of one `CARRY4`, which need a whole slice; pairs of a LUT and its flip-flop with an enable or
    a reset that is not most flip-flops'; single flip-flops of these; all other pairs; all others.

    Parameters
    ----------
    cells : dict
        Of a packed netlist, by name.

    Returns
    -------
    dict
        The same cells, by their new names.
    """
    sets = {
        name: tuple(str(cell["connections"].get(pin)) for pin in SET)
        for name, cell in cells.items()
        if cell["type"] == FLIP_FLOP
    }
    most = collections.Counter(sets.values()).most_common(1)[0][0] if sets else None
    marks = {}
    for name, cell in cells.items():
        parent = cell["attributes"].get("CONSTR_PARENT")
        if name in sets and parent:
            marks[parent] = 1 if sets[name] == most else 3
        elif name in sets and sets[name] != most:
            marks[name] = 2
        elif cell["type"] == CARRY and not parent:
            marks[name] = 4
    names = {name: LAST * mark + name for name, mark in marks.items()}
    for cell in cells.values():
        parent = cell["attributes"].get("CONSTR_PARENT")
        if parent in names:
            cell["attributes"]["CONSTR_PARENT"] = names[parent]
    return {names.get(name, name): cell for name, cell in cells.items()}


def _integer(value):
    """A parameter as nextpnr writes it: binary digits, or a number."""
    return int(value, 2) if isinstance(value, str) else int(value)


def place_dsps(cells: dict[str, dict], path: Sequence[str]) -> int:
    """Give each product of a packed netlist its DSP. Return how many there are.

    Parameters
    ----------
    cells : dict
        By name; changed in place.
    path : sequence of str
        Sites, in the order in which they are taken (`site_path`).
    """
    found = []
    for name, cell in cells.items():
        product = _PRODUCT.search(name) if "DSP48E1" in cell["type"] else None
        if product:
            found.append((product[1], int(product[2]), name))
    if len(found) > len(path):
        return 0  # the tool says so itself
    for (_, _, name), site in zip(sorted(found), path):
        cells[name]["attributes"]["BEL"] = f"{site}/DSP48E1"
    return len(found)
