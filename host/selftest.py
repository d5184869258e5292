#!/usr/bin/env python3
"""Try a board with the open tools' bitstreams, from a blinking light to the accelerator: `python host/selftest.py`."""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))  # run from any folder, installed or not

import importlib
import json
import platform
import time
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from host.board import desk, overlay, packed
from model.base.errors import UserError, report_user_errors
from model.base.paths import atomic_write
from model.base.report import table
from model.graph.description import DEFAULT_NETWORK, load_network
from model.graph.weights import load_quant, weight_path

if TYPE_CHECKING:
    import types

UPSCALE = 3
SEE = {
    "blink": "all four LEDs (LD0 to LD3) count in binary, LD3 changes about once a second",
    "register": "a light has run along the four LEDs and back, then all four are on",
    "loop": "LD0 blinks, the other three are off",
    "srcnn": "LD0 blinks, the other three are off",
}
WARNING = "a processor that waits for the fabric waits for ever: if nothing more comes, power the board off and on"
EXIT_FAILED = 1


def run(designs: list[str], board: str, pynq: types.ModuleType, ask: bool) -> list[dict]:
    """Run the checks one after the other, and stop at the first that fails.

    Parameters
    ----------
    designs : list of str
        Of `SEE`, in this order.
    board : str
    pynq : module
    ask : bool
        Ask whoever sits there what the LEDs show.

    Returns
    -------
    list of dict
        A row per design: design, ok, error, seen (True, False, or None where nobody was asked), seconds, then figures.
    """
    rows = []
    for design in tqdm(designs, "self test", unit="design", dynamic_ncols=True):
        started, row = time.perf_counter(), {"design": design, "ok": False, "error": None, "seen": None}
        tqdm.write(f"{design}: {WARNING}" if design != "blink" else design)
        try:
            row |= check(design, board, pynq)
            row["ok"] = True
        except UserError as error:
            row["error"] = str(error)
        except Exception as error:  # on a board that has never run anything may go wrong; it is to be reported, too
            row["error"] = repr(error)
        row["seconds"] = round(time.perf_counter() - started, 2)
        if ask and row["ok"]:
            row["seen"] = click.confirm(f"Is it so that {SEE[design]}?", default=True)
        elif row["ok"]:
            tqdm.write(f"{design} is done; to be seen: {SEE[design]}")
        rows.append(row)
        if not row["ok"]:
            break
    return rows


def check(design: str, board: str, pynq: types.ModuleType) -> dict:
    """Find a design's overlay, unpacked or packed, and run its check; see `host.board.desk`.

    Raises
    ------
    UserError
        There is no overlay, or the check fails.
    """
    network = load_network(DEFAULT_NETWORK, UPSCALE)
    label = network.label if design == "srcnn" else design
    folder, archive = overlay.OVERLAYS / board / label, packed.archive(board, label)
    if not (folder / packed.MANIFEST).is_file():
        if not archive.is_file():
            raise UserError(
                f"there is no overlay of {label} for {board} (neither {folder} nor {archive}); build it on a PC with "
                f"`make bitstream BOARD={board} TOOLS=open DESIGN={design}` and copy its folder there"
            )
        packed.unpack(archive, folder)
    if design == "srcnn":
        return desk.srcnn(folder, pynq, load_quant(weight_path(network.name, UPSCALE, quantised=True)))
    return getattr(desk, design)(folder, pynq)


def surroundings(board: str, pynq: types.ModuleType) -> dict:
    """Return what a report has to say of where it ran."""
    return {
        "board": board,
        "pynq": getattr(pynq, "__version__", "unknown"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
    }


@click.command()
@click.argument("designs", nargs=-1, type=click.Choice(list(SEE)))
@click.option("--out", default="selftest.json", show_default=True, type=click.Path(dir_okay=False), help="The report.")
@click.option("--ask/--no-ask", default=None, help="Ask what the LEDs show.  [default: on a terminal]")
@report_user_errors
def main(designs: tuple[str, ...], out: str, ask: bool | None) -> None:
    """Run the four designs on a PYNQ board, or the DESIGNS that are named, and write one report."""
    board = overlay.board_name()
    if board is None:
        raise UserError("this machine is no PYNQ board ($BOARD is not set); run on a board, as root (`sudo -i`)")
    try:
        pynq = importlib.import_module("pynq")
    except ImportError as error:
        raise UserError(f"this is a {board} but Python finds no pynq package ({error}); run `sudo -i` first") from error
    chosen = [design for design in SEE if design in designs or not designs]
    rows = run(chosen, board, pynq, sys.stdin.isatty() if ask is None else ask)
    with atomic_write(out) as temporary:
        where = surroundings(board, pynq)
        temporary.write_text(json.dumps([where | row for row in rows], indent=1) + "\n")
    print(table(rows, ["design", "ok", "seen", "seconds", "fclk0_mhz", "error"]))
    print(f"written to {out}: please report it, whether it went well or not")
    if not all(row["ok"] for row in rows):
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
