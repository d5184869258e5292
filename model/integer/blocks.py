"""Parts of a picture that are computed side by side."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable

Block = tuple[slice, slice]  # rows and columns


def cut(height: int, width: int, rows: int, columns: int) -> list[Block]:
    """Return the parts of so many rows and columns that a result consists of; those at its ends may be smaller."""
    return [
        (slice(top, min(top + rows, height)), slice(left, min(left + columns, width)))
        for top in range(0, height, rows)
        for left in range(0, width, columns)
    ]


def compute(run: Callable[[Block], object], blocks: list[Block], workers: int) -> None:
    """Call a function with each part, in so many threads; a single part or worker waits for no thread."""
    if workers == 1 or len(blocks) == 1:
        for block in blocks:
            run(block)
    else:
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            list(pool.map(run, blocks))
