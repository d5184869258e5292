"""The kinds of random kernels, and how a batch of each is checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sim.fuzz.compare.check import Batch, check_kernels
from sim.fuzz.random_kernels import random_kernel
from sim.fuzz.random_layouts import random_layout_kernel
from sim.fuzz.random_rams import random_ram_kernel
from sim.fuzz.random_tops import check_tops, random_top


@dataclass(frozen=True)
class Kind:
    """`draw` gives what belongs to a seed (it has a `text`); `check` compares a list of them, a batch at a time."""

    draw: Callable[[int], object]
    check: Callable[[list, Path, float], Batch]
    batch: int
    share: int  # of a campaign of all kinds, in hundredths


KINDS = {
    "any": Kind(random_kernel, check_kernels, 100, 50),
    "layouts": Kind(random_layout_kernel, check_kernels, 100, 25),
    "rams": Kind(random_ram_kernel, check_kernels, 100, 15),
    "tops": Kind(random_top, check_tops, 25, 10),
}


def kernels_of(total: int, kind: str | None) -> dict[str, int]:
    """Return how many of a campaign's kernels are of which kind: all of one, or each kind's share."""
    if kind is not None:
        return {kind: total}
    counts = {name: total * k.share // 100 for name, k in KINDS.items()}
    first = next(iter(counts))
    return counts | {first: counts[first] + total - sum(counts.values())}
