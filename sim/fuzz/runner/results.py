"""The committed results of a campaign: docs/results/fuzz.json."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from model.base.paths import ROOT, atomic_write
from sim.fuzz.compare.check import FAILED, REFUSED

if TYPE_CHECKING:
    from sim.fuzz.runner.campaign import Campaign

COMMITTED = ROOT / "docs" / "results" / "fuzz.json"


def results(campaign: Campaign) -> dict:
    """Return what a campaign has come to: seeds, counts by sort of kernel, refusals, and counts by version.

    Counted are kernels that are in the record, `seeds` the first and the last of them.
    """
    sorts, by_version, seeds = {}, {}, {}
    for kind, done in campaign.done():
        row = done.row
        seeds.setdefault(kind, []).append(row.seed)
        for counter in (sorts.setdefault((kind, row.sort), Counter()), by_version.setdefault(done.version, Counter())):
            counter["tried"] += 1
            counter["interpreted"] += row.interpreted
            counter["simulated"] += row.simulated
            counter["refused"] += row.outcome == REFUSED
            counter["failed"] += row.outcome == FAILED
    kernels = []
    for (kind, sort), counter in sorted(sorts.items()):
        tried = f"{min(seeds[kind])} to {max(seeds[kind])}"
        kernels.append({"kind": kind, "sort": sort, "seeds": tried, **counter})
    return {
        "kernels": kernels,
        "refusals": dict(campaign.refusals().most_common()),
        "versions": [
            {**campaign.record.versions[name], **by_version[name]}
            for name in campaign.record.versions
            if name in by_version
        ],
    }


def write_results(campaign: Campaign) -> None:
    """Write docs/results/fuzz.json."""
    with atomic_write(COMMITTED) as temporary:
        temporary.write_text(json.dumps(results(campaign), indent=1) + "\n")
