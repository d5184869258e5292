"""What clock each packed overlay fits, by its bits."""

from __future__ import annotations

import json

from model.base.paths import ROOT
from model.graph.description import DEFAULT_NETWORK
from model.quality.pages import markdown

TIMED = ROOT / "docs" / "results" / "bit_timing.json"  # `make timing TOOLS=open DESIGN=... ARGS=--update-docs`


def bit_timing() -> str:
    """Return what clock each packed overlay fits by its .bit, beside nextpnr's figure and FCLK0."""
    rows = [
        [
            f"`{row['design']}`",
            row["nextpnr_mhz"],
            row["stock_mhz"],
            f"**{row['fits_mhz']:.1f}**",
            f"{row['mhz']:.1f}",
            f"{row['slack_ns']:.2f}",
            f"{row['wire_share']:.0%}",
            f"{row['endpoints']:,}",
            f"{row['hold_slack_ns']:.3f}, {row['hold_missed']}",
        ]
        for row in sorted(_timed("clock"), key=lambda row: row["endpoints"])
    ]
    header = ["overlay (modelled: `make timing TOOLS=open`)", "nextpnr said, MHz", "ours, counted its way"]
    header += ["ours, slow corner", "FCLK0", "slack at FCLK0, ns", "wire in the slowest paths", "endpoints"]
    return markdown([*header, "least hold slack, ns, and endpoints that miss"], rows)


def bit_paths() -> str:
    """Return the slowest path of each kind in the default network's overlay."""
    rows = [
        [row["from"], row["to"], f"{row['endpoints']:,}", f"{row['slack_ns']:.2f}", f"{row['fits_mhz']:.1f}"]
        for row in _timed("group")
        if row["design"] == DEFAULT_NETWORK
    ]
    return markdown(["from", "to", "endpoints", "least slack, ns", "MHz"], rows)


def _timed(what):
    return [row for row in json.loads(TIMED.read_text()) if row["what"] == what]
