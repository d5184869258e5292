"""Timing of an overlay by its .bit alone: `make timing TOOLS=open BOARD=pynq_z2 DESIGN=blink|register|loop|srcnn`.

The overlay is the one in `bitstreams/<board>/`, or else the one that is packed beside this file. Its clock is asked for
what the manifest gives it. docs/bit-timing.md says what the figures are.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import tempfile
import time
from typing import TYPE_CHECKING

import click

from hls.design.options import hardware_options
from hls.place.designs import DEFAULT, DESIGNS
from hls.sta.report import text
from hls.sta.run import report
from host.board import packed
from host.board.overlay import OVERLAYS, read_design
from model.base.errors import UserError, report_user_errors
from model.base.paths import ROOT, atomic_write
from model.graph.description import DEFAULT_NETWORK, load_network

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMITTED = ROOT / "docs" / "results" / "bit_timing.json"
PICTURE = ROOT / "docs" / "images" / "bit-timing.svg"  # of the default network's overlay
KEPT = ("clock", "group", "hold path", "unknown", "borrowed")  # what of a report is committed


@contextlib.contextmanager
def find_design(board: str, label: str) -> Iterator[dict]:
    """Yield the manifest of a built or packed overlay, with "bit", the path of its bitstream.

    Raises
    ------
    UserError
        If there is none, or it is damaged.
    """
    folder = OVERLAYS / board / label
    if (folder / packed.MANIFEST).is_file():
        yield read_design(folder)
        return
    path = packed.archive(board, label)
    if not path.is_file():
        raise UserError(
            f"there is no overlay of {label} for {board}, neither in {folder} nor in {path}; build it with "
            f"`make bitstream TOOLS=open`"
        )
    with tempfile.TemporaryDirectory() as work:
        yield read_design(packed.unpack(path, pathlib.Path(work) / label))


def keep(label: str, rows: list[dict], said: float | None, picture: pathlib.Path) -> None:
    """Put an overlay's figures into `COMMITTED`, in place of its old ones; of the default network also its picture.

    Parameters
    ----------
    label : str
    rows : list of dict
        Of the report.
    said : float or None
        nextpnr-xilinx's own figure, MHz.
    picture : pathlib.Path
    """
    old = json.loads(COMMITTED.read_text()) if COMMITTED.is_file() else []
    new = [{key: value for key, value in row.items() if key != "path"} for row in rows if row["what"] in KEPT]
    new[0]["nextpnr_mhz"] = said
    with atomic_write(COMMITTED) as temporary:
        temporary.write_text(json.dumps([row for row in old if row["design"] != label] + new, indent=1) + "\n")
    if label == DEFAULT_NETWORK:
        with atomic_write(PICTURE) as temporary:
            shutil.copy(picture, temporary)


@click.command()
@hardware_options
@click.option("--design", type=click.Choice(DESIGNS), default=DEFAULT, show_default=True)
@click.option("--mhz", type=click.FloatRange(1, 1000), help="Of FCLK0.  [default: the manifest's]")
@click.option("--compare", is_flag=True, help="Also as nextpnr-xilinx counts, beside what it said when it routed.")
@click.option("--update-docs", is_flag=True, help="Write docs/results/bit_timing.json; takes --compare along.")
@report_user_errors
def main(
    network: str, upscale: int | None, board: str, design: str, mhz: float | None, compare: bool, update_docs: bool
) -> None:
    """Print the clock that an overlay fits, and its slowest paths; write build/reports/timing_open_<overlay>.*."""
    started = time.monotonic()
    label = load_network(network, upscale).label if design == DEFAULT else design
    with find_design(board, label) as manifest:
        if mhz is None and manifest["fclk0_mhz"] is None:
            raise UserError(f"the manifest of {label} names no fclk0_mhz; say the clock with --mhz")
        asked = mhz or manifest["fclk0_mhz"]
        compare = compare or update_docs
        rows, written = report(manifest["bit"], manifest["part"], label, asked, compare, progress=True)
    print(text(f"{label} on {board}, modelled by Project X-Ray's delays", rows), end="")
    said = manifest.get("routed", {}).get("fmax_mhz")
    if update_docs:
        keep(label, rows, said, written[2])
    if compare:
        print(f"as nextpnr-xilinx counts: {rows[0]['stock_mhz']} MHz, it said {said} MHz when it routed")
    names = ", ".join(os.path.relpath(path) for path in written)
    print(f"{time.monotonic() - started:.0f} s; written to {names}")


if __name__ == "__main__":
    main()
