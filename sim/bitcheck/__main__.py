"""Prove a bitstream without a board: `python -m sim.bitcheck --design loop` (`make bitcheck`)."""

from __future__ import annotations

import json
import pathlib

import click

from hls.place.designs import DEFAULT, DESIGNS
from hls.readback.faults import KINDS
from host.measure.tables import bitcheck
from model.base.errors import UserError, report_user_errors
from model.base.paths import atomic_write
from model.base.report import table, write_report
from model.graph.description import DEFAULT_NETWORK
from model.quality.pages import replace_region, write_changed
from sim.bitcheck import check


@click.command()
@click.option("--board", default="pynq_z2", show_default=True)
@click.option("--design", type=click.Choice(list(DESIGNS)), default=DEFAULT, show_default=True)
@click.option("--label", help="Packed overlay, by default the design's own (srcnn: srcnn915).")
@click.option("--plant", "planted", multiple=True, type=click.Choice(list(KINDS)), help="Plant a fault, too.")
@click.option("--flips", default=0, show_default=True, help="Flip so many random bits of LUTs, one at a time.")
@click.option("--route-flips", default=0, show_default=True, help="The same of routes; only decoded.")
@click.option("--seed", default=1, show_default=True, help="Of pictures, weights, pauses.")
@click.option("--tiles", default=0, show_default=True, help="More tiles through the accelerator, of any size.")
@click.option("--picture", type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path), help="PNG to upscale.")
@click.option("--record", is_flag=True, help="Also into docs/results/bitcheck.json and docs/bitcheck.md.")
@report_user_errors
def main(
    board: str,
    design: str,
    label: str | None,
    planted: tuple[str, ...],
    flips: int,
    route_flips: int,
    seed: int,
    tiles: int,
    picture: pathlib.Path | None,
    record: bool,
) -> None:
    """Decode a packed bitstream to a netlist and simulate that in the place of the design."""
    label = label or (DEFAULT_NETWORK if design == DEFAULT else design)
    overlay = check.read_overlay(board, label)
    database = check.open_database(overlay.part)
    print(f"decoding {label} for {board}, nodes from {database.nodes.source}")
    decoded = check.read_bit(overlay.bit, database, f"{label}.bit")
    counts = decoded.netlist.counts
    print(", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in counts.items()))
    try:
        rows = [check.prove(overlay, decoded, seed, tiles, picture)]
    except AssertionError as error:
        raise UserError(f"{label}'s bitstream does not compute what the design does: {error}") from error
    rows += [check.plant(kind, overlay, decoded, database, seed) for kind in planted]
    rows += [check.flip(flips, overlay, decoded, database, seed)] if flips else []
    rows += [check.flip_routes(route_flips, overlay, decoded, database, seed)] if route_flips else []
    write_report(f"bitcheck_{label}", rows)
    print(table([{"what": name, label: value} for name, value in rows[0].items()]))
    if len(rows) > 1:
        print(table(rows[1:], ["planted", "what", "caught", "seconds"]))
    missed = [row["planted"] for row in rows[1:] if row["caught"] == "nothing"]
    if missed:
        raise UserError(f"planted faults were not noticed: {', '.join(missed)}")
    if record:
        _record(rows)


def _record(rows):
    """Results of other designs, and other faults, are kept; the page follows."""
    before = json.loads(bitcheck.RESULTS.read_text()) if bitcheck.RESULTS.is_file() else []
    new = {(row["design"], row.get("planted")) for row in rows}
    every = [*(row for row in before if (row["design"], row.get("planted")) not in new), *rows]
    order = [DEFAULT_NETWORK if design == DEFAULT else design for design in DESIGNS]
    every.sort(key=lambda row: order.index(row["design"]) if row["design"] in order else len(order))
    with atomic_write(bitcheck.RESULTS) as temporary:
        temporary.write_text(json.dumps(every, indent=1) + "\n")
    text = bitcheck.PAGE.read_text()
    for name, body in bitcheck.regions().items():
        text = replace_region(text, name, body)
    write_changed({bitcheck.PAGE: text})


if __name__ == "__main__":
    main()
