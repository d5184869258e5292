"""Throughput with Dask workers on this machine against one, and against no Dask at all; the bits are compared.

A table and `build/reports/dask.json`. Every worker computes with the golden model on one thread, so that the number of
workers is the only difference.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Callable

import click
import numpy as np
from tqdm import tqdm

from host.many.cluster import LOCAL, ClusterBackend
from host.picture import pipeline
from host.picture.backends import Backend, GoldenBackend
from model.base import report
from model.base.errors import report_user_errors
from model.graph.description import DEFAULT_NETWORK
from model.imaging.files import Picture

UPSCALE = 3
SIZE = (320, 180)  # of a picture; its result is 960x540


def measure(
    backends: dict[str, Backend], pictures: list[Picture], rounds: int, progress: Callable
) -> dict[str, list[tuple[float, float]]]:
    """Run all pictures through each backend, in turns, so that a busy machine is busy for all of them.

    Parameters
    ----------
    backends : dict of {str: host.picture.backends.Backend}
        The first one's results are those that the others have to equal.
    pictures : list of Picture
    rounds : int
    progress : callable
        Called after every picture.

    Returns
    -------
    seconds : dict of {str: list of (float, float)}
        By the clock, and of processor time in all processes.
    equal : dict of {str: bool}
    """
    seconds, equal, expected = {name: [] for name in backends}, dict.fromkeys(backends, True), {}
    for _ in range(rounds):
        for name, backend in backends.items():
            begin, worked, results = time.perf_counter(), _worked(backend), []
            for which, compute in backend.upscale_many(enumerate(pictures)):
                results.append((which, compute()))
                progress()
            seconds[name].append((time.perf_counter() - begin, _worked(backend) - worked))
            for which, result in results:
                equal[name] &= np.array_equal(result.pixels, expected.setdefault(which, result.pixels))
    return seconds, equal


def _worked(backend):
    """Seconds of processor time that this process and the workers have had."""
    workers = backend.client.run(time.process_time).values() if isinstance(backend, ClusterBackend) else ()
    return time.process_time() + sum(workers)


@click.command()
@click.option(
    "--pictures",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help=f"Of {SIZE[0]}x{SIZE[1]} pixels, with noise on them.",
)
@click.option("--workers", type=click.IntRange(min=2), default=2, show_default=True, help="To compare with one.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="The median counts.")
@report_user_errors
def main(pictures: int, workers: int, rounds: int) -> None:
    """Measure pictures per second with local Dask workers."""
    model, rng = pipeline.load_model(DEFAULT_NETWORK, UPSCALE), np.random.default_rng(1)
    batch = [Picture(rng.integers(0, 256, (SIZE[1], SIZE[0], 3)).astype(np.uint8)) for _ in range(pictures)]
    with contextlib.ExitStack() as stack:
        plain = GoldenBackend(model)
        plain.threads = 1
        contenders = {"no Dask, 1 thread": (0, plain)}
        for count in (1, workers):
            cluster = stack.enter_context(ClusterBackend(model, "golden", LOCAL, count, threads=1))
            contenders[f"Dask, {count} worker{'s' * (count > 1)}"] = count, cluster
        backends = {name: backend for name, (_, backend) in contenders.items()}
        measure(backends, batch[:2], 1, lambda: None)  # workers open their backends
        with tqdm(total=len(backends) * pictures * rounds, unit="picture", leave=False, disable=None) as bar:
            seconds, equal = measure(backends, batch, rounds, bar.update)
    mpixel = pictures * SIZE[0] * SIZE[1] * UPSCALE**2 / 1e6
    median = {name: statistics.median(clock for clock, _ in values) for name, values in seconds.items()}
    worked = {name: statistics.median(work for _, work in values) for name, values in seconds.items()}
    one = median["Dask, 1 worker"]
    rows = [
        {
            "what": name,
            "workers": count,
            "pictures": pictures,
            "mpixel": mpixel,
            "seconds": median[name],
            "processor_seconds": worked[name],
            "mpixel_per_s": mpixel / median[name],
            "speedup": one / median[name],
            "bit_equal": equal[name],
            "runs": rounds,
            "cores": os.cpu_count(),
            "load_average": os.getloadavg()[0],
        }
        for name, (count, _) in contenders.items()
    ]
    print(
        report.table(
            rows, ("what", "seconds", "processor_seconds", "mpixel_per_s", "speedup", "bit_equal", "load_average")
        )
    )
    print(f"wrote {report.write_report('dask', rows)}")
    if not all(equal.values()):
        raise SystemExit("error: the results differ")


if __name__ == "__main__":
    main()
