"""Differential fuzzing: random step kernels through the route, against g++ with AMD's headers.

`python -m sim.fuzz -n 100 --seed 1`. XLS's interpreter runs every lowered kernel step by step; one in ten also
goes through Verilog and Verilator, with random gaps and backpressure.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from model.base.paths import BUILD
from sim.fuzz.interpreted import compare_interpreted, lower, reference
from sim.fuzz.random_kernels import random_kernel
from sim.fuzz.random_layouts import random_layout_kernel
from sim.fuzz.random_rams import random_ram_kernel
from sim.fuzz.simulated import compare_simulated

KINDS = {"any": random_kernel, "layouts": random_layout_kernel, "rams": random_ram_kernel}  # --kind -> kernel of a seed


def fuzz(
    count: int,
    seed: int,
    directory: str | Path | None = None,
    batch: int = 50,
    verilog: float = 0.1,
    kind: str = "any",
    progress: Callable = lambda text: None,
) -> dict[str, int]:
    """Compare `count` kernels with seeds from `seed` on; raise `Mismatch` at the first difference.

    Parameters
    ----------
    kind : str
        What the kernels are about, a key of `KINDS`.

    Returns
    -------
    dict
        Kernels compared by "interpreted" and "simulated".
    """
    directory = Path(directory or BUILD / "open" / "fuzz")
    done = {"interpreted": 0, "simulated": 0}
    for first in range(seed, seed + count, batch):
        kernels = [KINDS[kind](s) for s in range(first, min(first + batch, seed + count))]
        folder = directory / f"{first}"
        folder.mkdir(parents=True, exist_ok=True)
        rows = reference(kernels, folder)
        steps = lower(kernels, folder)
        for kernel, step in zip(kernels, steps):
            compare_interpreted(kernel, step, rows[kernel.name])
            done["interpreted"] += 1
        wanted = round((first - seed + len(kernels)) * verilog) - done["simulated"]
        chosen = list(zip(kernels, steps))[: max(0, wanted)]
        if chosen:
            done["simulated"] += compare_simulated([(k, step, rows[k.name]) for k, step in chosen], folder)
        progress(f"{done['interpreted']} of {count} kernels, {done['simulated']} of them in Verilog, no difference")
    return done
