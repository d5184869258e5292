"""Where the DSPs of a stage go: those of one sum side by side.

nextpnr-xilinx's placer strews the multipliers of a sum over the device, and their products then travel back. The
kernels name their products sum by sum (`n1186_multiply`, ...), so along a path through all of the device's DSPs each
product finds those that it is added to beside it. Everything else is the placer's choice, and follows.
"""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Sequence

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


def place_dsps(packed: pathlib.Path, path: Sequence[str]) -> int:
    """Give each product of a packed netlist its DSP; the file is written anew. Return how many there are.

    Parameters
    ----------
    packed : pathlib.Path
        As nextpnr-xilinx writes it after packing.
    path : sequence of str
        Sites, in the order in which they are taken (`site_path`).
    """
    design = json.loads(packed.read_text())
    found, cells = [], {name: cell for module in design["modules"].values() for name, cell in module["cells"].items()}
    for name, cell in cells.items():
        product = _PRODUCT.search(name) if "DSP48E1" in cell["type"] else None
        if product:
            found.append((product[1], int(product[2]), name))
    if len(found) > len(path):
        return 0  # the tool says so itself
    for (_, _, name), site in zip(sorted(found), path):
        cells[name]["attributes"]["BEL"] = f"{site}/DSP48E1"
    packed.write_text(json.dumps(design))
    return len(found)
