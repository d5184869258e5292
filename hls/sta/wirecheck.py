"""Wires of a routed design, nextpnr-xilinx's delays beside ours: a check of `hls.sta`, which else needs neither file.

    nextpnr-xilinx ... --fasm design.fasm --write placed.json --sdf delays.sdf     # as the .bit was made
    python -m hls.sta.wirecheck design.bit --json placed.json --sdf delays.sdf

Compared are wires from LUTs and registers to LUTs' inputs and registers' CE, SR and D. Some wires to LUTs have an
estimate in nextpnr's file, because their pins were exchanged after routing; estimates are multiples of 15 ps, and such
wires are left out.
"""

from __future__ import annotations

import json
import pathlib
import re
from typing import TYPE_CHECKING

import click
import numpy as np

from hls.design.boards import DEFAULT_BOARD, read_board
from hls.sta.delays.sdf import SLOW_MAX, SdfFiles
from hls.sta.delays.tiles import TileTypes
from hls.sta.model import Builder, Delays, build
from hls.sta.run import find_timings, read_netlist
from hls.sta.stock import Stock
from model.base.errors import UserError, report_user_errors
from model.base.report import table

if TYPE_CHECKING:
    from hls.sta.model import Model

Ends = tuple[tuple[str, str], tuple[str, str]]  # (site, BEL's output) and (site, its pin or BEL with pin)
ESTIMATE_PS = 15
CLOSE_NS = 0.05
_WIRE = re.compile(r"\(INTERCONNECT (\S+)/(\w+) (\S+)/(\w+) \((\d+):")


def theirs(placed: pathlib.Path, delays: pathlib.Path) -> dict[Ends, float]:
    """Return the wires of nextpnr-xilinx's files: both ends -> ns.

    Raises
    ------
    UserError
        If a file cannot be read.
    """
    try:
        modules = json.loads(placed.read_text())["modules"].values()
        text = delays.read_text()
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{placed} and {delays} are not what nextpnr-xilinx writes ({error}); run it again") from error
    cells = [item for module in modules for item in module["cells"].items()]
    places = {name: cell["attributes"].get("NEXTPNR_BEL", "").split("/") for name, cell in cells}
    found = {}
    for driver, output, reader, pin, ps in _WIRE.findall(text):
        source, target = (places.get(name.replace("\\", ""), [""]) for name in (driver, reader))
        if min(len(source), len(target)) < 2 or (pin == "D" and source[0] == target[0]) or not int(ps) % ESTIMATE_PS:
            continue
        start, end = _output(source[1], output), _input(target[1], pin)
        if start and end:
            found[(source[0], start), (target[0], end)] = int(ps) / 1000
    return found


def _output(bel, port):
    """ "AO6" of a LUT, "AFFQ" of a register, "" of others."""
    return bel[0] + port if bel.endswith("LUT") else f"{bel}Q" if bel.endswith("FF") else ""


def _input(bel, pin):
    if bel.endswith("LUT"):
        return bel[0] + pin[1:] if re.fullmatch(r"A\d", pin) else ""
    return bel + {"D": f"{bel[0]}X"}.get(pin, pin) if bel.endswith("FF") and pin in ("CE", "SR", "D") else ""


def ours(model: Model) -> dict[Ends, float]:
    """Return the wires of a model, as `theirs`: the slow corner's maximum."""
    found = {}
    for edge, (source, target) in enumerate(model.graph.given):
        driver, reader = model.cell(source), model.cell(target)
        port, pin = model.ports[source].port, reader.site_pins.get(model.ports[target].port)
        if not model.wire[edge] or pin is None or "WADR" in model.ports[target].port:
            continue
        start = _output(driver.bel, port if port in ("O5", "O6") else f"O{driver.bel[1]}")
        end = pin if reader.bel.endswith("LUT") else reader.bel + pin if reader.bel.endswith("FF") else ""
        if start and end:
            found[(driver.site, start), (reader.site, end)] = float(model.graph.given_ns[edge, SLOW_MAX])
    return found


def compare(their: dict[Ends, float], stock: dict[Ends, float], real: dict[Ends, float]) -> list[dict]:
    """Return a row for wires to registers and one for wires to LUTs.

    Parameters
    ----------
    their, stock, real : dict
        nextpnr-xilinx's delays, ours counted its way, and ours.

    Returns
    -------
    list of dict
        to, wires, close (share that differs by less than `CLOSE_NS` counted its way), furthest_ns, ratio (ours to
        theirs, of the sums), more_ns (ours less theirs, median).
    """
    rows = []
    for kind, registers in (("registers", True), ("LUTs", False)):
        ends = [key for key in their if key in stock and key in real and (len(key[1][1]) > 2) == registers]
        if not ends:
            continue
        a, b, c = (np.array([delays[key] for key in ends]) for delays in (their, stock, real))
        rows.append(
            {
                "to": kind,
                "wires": len(ends),
                "close": round(float((abs(b - a) < CLOSE_NS).mean()), 3),
                "furthest_ns": round(float(abs(b - a).max()), 3),
                "ratio": round(float(c.sum() / a.sum()), 2),
                "more_ns": round(float(np.median(c - a)), 2),
            }
        )
    return rows


@click.command()
@click.argument("bit", type=click.Path(path_type=pathlib.Path))
@click.option("--json", "placed", required=True, type=click.Path(path_type=pathlib.Path), help="Of --write.")
@click.option("--sdf", "delays", required=True, type=click.Path(path_type=pathlib.Path), help="Of --sdf.")
@click.option("--board", default=DEFAULT_BOARD, show_default=True, help="Whose part it is for.")
@report_user_errors
def main(bit: pathlib.Path, placed: pathlib.Path, delays: pathlib.Path, board: str) -> None:
    """Print how far nextpnr-xilinx's delays of single wires and ours are apart."""
    their = theirs(placed, delays)
    netlist, database = read_netlist(bit, read_board(board)["part"])
    known = Delays(TileTypes(database.root), SdfFiles(find_timings(database.root)))
    both = [ours(build(netlist, database, known, builder=builder)) for builder in (Stock, Builder)]
    print(table(compare(their, *both)))


if __name__ == "__main__":
    main()
