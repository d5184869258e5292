"""The tables of docs/bitcheck.md, from docs/results/bitcheck.json (`make bitcheck ARGS=--record`)."""

from __future__ import annotations

import json

from model.base.paths import ROOT
from model.quality.pages import markdown

PAGE = ROOT / "docs" / "bitcheck.md"
RESULTS = ROOT / "docs" / "results" / "bitcheck.json"
LINES = {  # of a row of the results -> for readers
    "bits": "bits that are set",
    "unknown_bits": "of these unknown",
    "features": "features",
    "pips": "routed pips",
    "tiles": "tiles in use",
    "cells": "cells that decide something",
    "nets": "nets",
    "sinks": "inputs with their routes",
    "faults": "faults",
    "cycles": "cycles simulated",
    "tiles_sent": "tiles sent",
    "picture_cycles": "cycles of a picture by `host/run_pynq.py`",
    "decode_s": "seconds to decode",
    "simulate_s": "seconds to simulate; `loop` is built for one minute first, `srcnn915` for ten",
    "verdict": "verdict",
}


def regions() -> dict[str, str]:
    """Return {region: table}: what was read back and simulated, and which planted faults were caught."""
    rows = json.loads(RESULTS.read_text())
    designs = [row for row in rows if "planted" not in row]
    kinds = sorted({name for row in designs for name in row if name.startswith("cells_")})
    labels = dict(list(LINES.items())[:6]) | {kind: kind.removeprefix("cells_") for kind in kinds}
    labels |= dict(list(LINES.items())[6:])
    table = [[label, *[_number(row.get(name)) for row in designs]] for name, label in labels.items()]
    header = ["simulated: `make bitcheck`", *[f"`{row['design']}`" for row in designs]]
    planted = [[row["planted"], f"`{row['design']}`", row["what"], row["caught"]] for row in rows if "planted" in row]
    return {
        "bitcheck": markdown(header, table),
        "planted": markdown(["planted", "in", "what was changed", "caught by"], planted),
    }


def _number(value):
    return f"{value:,}" if isinstance(value, int) else value
