"""Differential fuzzing in this process, for tests: random step kernels through the route, against g++ with AMD's
headers. `python -m sim.fuzz` does many, in several processes.
"""

from __future__ import annotations

from pathlib import Path

from sim.fuzz.compare.check import FAILED, REFUSED
from sim.fuzz.compare.interpreted import Mismatch
from sim.fuzz.kinds import KINDS


def fuzz(count: int, seed: int, directory: str | Path, verilog: float = 0.1, kind: str = "any") -> dict[str, int]:
    """Compare `count` kernels with seeds from `seed` on; raise `Mismatch` at a difference or a crash.

    Returns
    -------
    dict
        How many kernels were "interpreted", "simulated", "refused".
    """
    found = KINDS[kind]
    batch = found.check([found.draw(s) for s in range(seed, seed + count)], Path(directory), verilog)
    for row in batch.rows.values():
        if row.outcome == FAILED:
            raise Mismatch(f"seed {row.seed} of kind {kind}: {row.text}\n{row.source}\n{row.detail}")
    rows = batch.rows.values()
    return {
        "interpreted": sum(row.interpreted for row in rows),
        "simulated": sum(row.simulated for row in rows),
        "refused": sum(row.outcome == REFUSED for row in rows),
    }
