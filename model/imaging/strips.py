"""Work on pictures in strips of rows: small enough for the caches, spread over the cores."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Callable

THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
LEAST_PIXELS = 1 << 18  # per thread; less is not worth starting one


def each_strip(work: Callable, height: int, width: int, rows: int, threads: int | None = None) -> None:
    """Call `work(strips)` once per thread; all strips together are the picture.

    Parameters
    ----------
    work : callable
        Takes an iterable of (top, bottom), so that it can use its buffers again. It runs beside itself.
    height, width : int
        Of the picture whose rows are dealt out.
    rows : int
        Of a strip, at most.
    threads : int, optional
        At most; `THREADS` if None.
    """
    threads = max(1, min(threads or THREADS, height * width // LEAST_PIXELS))
    rows = min(rows, -(-height // threads))
    strips = [(top, min(top + rows, height)) for top in range(0, height, rows)]
    if threads == 1:
        work(strips)
        return
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        queue = iter(strips)  # next() of a list's iterator is safe in threads
        for done in [pool.submit(work, queue) for _ in range(threads)]:
            done.result()
