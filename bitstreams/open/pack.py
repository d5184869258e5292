"""Pack built overlays for the repository: `python -m bitstreams.open.pack`.

What lies in `bitstreams/<board>/` and was made by the open tools goes to `bitstreams/open/<board>/<overlay>.zip`:
bitstream, handoff file, manifest. `host/selftest.py` unpacks it on a board. An overlay of a checkout with changes is
refused: nobody could build it again.
"""

from __future__ import annotations

import os

import click

from host.board import packed
from host.board.overlay import DESK, OVERLAYS, read_design
from model.base.errors import UserError, report_user_errors
from model.base.paths import atomic_write
from model.base.report import table
from model.graph.description import DEFAULT_NETWORK


def pack_all(board: str, labels: list[str]) -> list[dict]:
    """Pack overlays of a board; return a row for each.

    Raises
    ------
    UserError
        If one is missing, was not made by the open tools, or not from a commit.
    """
    rows = []
    for label in labels:
        folder = OVERLAYS / board / label
        manifest = read_design(folder)
        revision = str(manifest.get("git_revision", ""))
        if manifest.get("design") is None:
            raise UserError(f"the overlay in {folder} was not made by the open tools; build it with TOOLS=open")
        if not revision or revision == "unknown" or revision.endswith("-dirty"):
            raise UserError(
                f"the overlay in {folder} was built from a checkout with changes ({revision or 'no commit'}); commit "
                f"them and build it again"
            )
        path = packed.archive(board, label)
        with atomic_write(path) as temporary:
            packed.pack(folder, temporary)
        rows.append(
            {
                "overlay": label,
                "fmax_mhz": manifest["routed"]["fmax_mhz"],
                "fclk0_mhz": manifest["fclk0_mhz"],
                "dsp": manifest["used"]["dsp"],
                "lut": manifest["used"]["lut"],
                "read_back": manifest["routed"]["read_back"],
                "kbyte": round(path.stat().st_size / 1000, 1),
            }
        )
    return rows


@click.command()
@click.argument("labels", nargs=-1)
@click.option("--board", default="pynq_z2", show_default=True)
@report_user_errors
def main(labels: tuple[str, ...], board: str) -> None:
    """Pack the overlays LABELS of a board, by default those of the four designs that are built."""
    there = [label for label in (*DESK, DEFAULT_NETWORK) if (OVERLAYS / board / label / packed.MANIFEST).is_file()]
    chosen = list(labels) or there
    if not chosen:
        raise UserError(f"there is no overlay in {OVERLAYS / board}; build one with `make bitstream TOOLS=open`")
    print(table(pack_all(board, chosen)))
    print(f"written to {os.path.relpath(packed.archive(board, chosen[0]).parent)}")


if __name__ == "__main__":
    main()
