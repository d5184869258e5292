"""Many workers through Dask: pictures, tiles and frames go to them, each computes with a backend of its own.

A task carries its input, so that whatever a worker that died had taken on is computed by another: nothing is lost, and
as every backend gives the same bits, so does every cluster. Small pictures and frames travel whole, larger ones in
tiles.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import hashlib
import importlib
import logging
import os
import pathlib
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np

from host.jobs.record import settings_digest
from host.picture import backends, pipeline, tiling
from model.base.errors import UserError
from model.base.paths import ROOT

if TYPE_CHECKING:
    from model.graph.weights import QuantModel
    from model.imaging.files import Picture

LOCAL = "local"
LARGE_PIXELS = (
    1 << 24
)  # results beyond travel in tiles: one picture keeps all workers busy, and none runs out of memory
RETRIES = 2  # of a task that failed; of one whose worker died, Dask's own `allowed-failures`
PATIENCE_S = 60.0  # without any worker
_START_S = 30.0  # for a scheduler and a first worker to answer
_CONNECT_S = 120.0  # for a new worker to reach its scheduler
_POLL_S = 2.0
PACKAGES = ("host", "model", "hls")
CODE = (".py", ".cpp", ".hpp", ".h", ".toml")
_ADDRESS = re.compile(r"[a-z]+://\S+")


@dataclasses.dataclass(frozen=True)
class _Order:
    """What a worker has to compute with; travels with every task.

    Attributes
    ----------
    backend : str
        As on the command line, opened on the worker.
    model : QuantModel
    code : str
        `code_digest` of who ordered: a worker with other code might compute other bits.
    """

    backend: str
    model: object
    code: str


class ClusterBackend(backends.Backend):
    """Dask workers, each with a board or a software backend.

    Parameters
    ----------
    model : QuantModel
    backend : str
        What a worker computes with, one of `host.picture.backends.NAMES`.
    address : str
        `LOCAL` starts workers on this machine, anything else is a scheduler's address.
    workers : int, optional
        Of a local cluster; one per two cores if None, and two at least.
    threads : int, optional
        Of each local worker; its share of the cores if None.

    Raises
    ------
    UserError
        Dask is not installed, no scheduler or worker answers.
    """

    name = "dask"
    usual_pixels = 1 << 19

    def __init__(
        self, model: QuantModel, backend: str, address: str, workers: int | None = None, threads: int | None = None
    ) -> None:
        super().__init__(model)
        if address != LOCAL and not _ADDRESS.fullmatch(address):
            raise UserError(f"{address!r} is no address of a Dask scheduler; give tcp://host:8786, or local")
        try:
            self._dask, self._distributed = importlib.import_module("dask"), importlib.import_module("distributed")
        except ImportError as error:
            raise UserError(
                f"--dask needs the package distributed, which cannot be imported here ({error}); install it: pip "
                f"install distributed"
            ) from error
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is told below, in one sentence
        self._order = _Order(backend, model, code_digest())
        self._closing = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            # tasks carry pictures: that is meant, no reason for a warning; and a busy machine is no reason to give a
            # worker up
            stack.enter_context(
                self._dask.config.set(
                    {
                        "distributed.admin.large-graph-warning-threshold": "1 GiB",
                        "distributed.comm.timeouts.connect": f"{_CONNECT_S:.0f} s",
                    }
                )
            )
            local = address == LOCAL
            if local:
                address = stack.enter_context(_local_cluster(self._distributed, workers, threads))
            try:
                self.client = stack.enter_context(
                    self._distributed.Client(address, timeout=f"{_START_S} s", set_as_default=False)
                )
            except (OSError, ValueError) as error:
                raise UserError(
                    f"no Dask scheduler answers at {address} ({error}); start one with `dask scheduler`, "
                    "and workers with `dask worker`, or use --dask local"
                ) from error
            try:
                self.client.wait_for_workers(1, timeout=_START_S)
            except self._distributed.TimeoutError as error:
                raise UserError(
                    f"the Dask scheduler at {address} has no workers; start some with `dask worker {address}`"
                ) from error
            if local:
                self.client.register_plugin(_deafness(self._distributed))
            self._closing = stack.pop_all()
        self._alone_since = None  # when it was noticed that there is no worker

    def workers(self) -> tuple[int, int]:
        """Return the number of workers, and of threads of all of them."""
        known = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return len(known), sum(worker["nthreads"] for worker in known)

    def infer(self, tiles: Iterable[np.ndarray], clock: Callable = backends.untimed) -> Iterator[np.ndarray]:
        for _, compute in self._in_order(
            (None, self._submit(_compute_tile, np.ascontiguousarray(tile))) for tile in tiles
        ):
            with clock("compute"):
                result = compute()
            yield result

    def upscale_many(
        self,
        pictures: Iterable[tuple[object, Picture]],
        tile: tuple[int, int] | None = None,
        clock: Callable | None = None,
        progress: Callable | None = None,
    ) -> Iterator[tuple[object, Callable]]:
        clock = clock or pipeline.Clock()

        def start():
            for which, picture in pictures:
                if picture.size[0] * picture.size[1] * self.model.upscale**2 > LARGE_PIXELS:
                    yield which, functools.partial(pipeline.upscale_picture, picture, self, tile, clock, progress)
                else:
                    yield which, functools.partial(finish, self._submit(_compute_picture, picture, tile))

        def finish(wait):
            with clock("compute"):
                result = wait()
            if progress is not None:
                progress(result.size[0] * result.size[1])
            return result

        return self._in_order(start())

    def close(self) -> None:
        self._closing.close()

    def _submit(self, function, *arguments):
        """Start a task; return a callable that waits for its result."""
        return functools.partial(
            self._wait, self.client.submit(function, self._order, *arguments, pure=False, retries=RETRIES)
        )

    def _in_order(self, started):
        """Yield what an iterator of started tasks yields, with enough of them under way to keep all workers busy."""
        pending = collections.deque()
        for item in started:
            pending.append(item)
            if len(pending) > 2 * max(1, self.workers()[1]):
                yield pending.popleft()
        while pending:
            yield pending.popleft()

    def _wait(self, future):
        """Return a task's result, as long as there is hope."""
        lost = self._distributed.scheduler.KilledWorker
        while True:
            try:
                result = future.result(timeout=_POLL_S)
                self._alone_since = None
                return result
            except self._distributed.TimeoutError:
                self._check_workers()
            except UserError:
                raise
            except lost as error:
                raise UserError(
                    "several workers died one after another over the same task; look at their logs (out of memory?)"
                ) from error
            except (OSError, self._distributed.CancelledError) as error:
                raise UserError(f"the Dask scheduler is gone ({error}); start it again") from error
            except Exception as error:  # whatever a foreign machine may lack
                raise UserError(
                    f"a Dask worker failed ({error!r}); install this version of the project there (pip install .), "
                    "with the same versions of its packages"
                ) from error

    def _check_workers(self):
        if self.client.status != "running":
            raise UserError("the Dask scheduler is gone; start it again")
        if self.workers()[0]:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = time.monotonic()
        elif time.monotonic() > self._alone_since + PATIENCE_S:
            raise UserError(f"all Dask workers are gone, for {PATIENCE_S:.0f} s; start some, with `dask worker`")


def code_files(root: pathlib.Path = ROOT) -> dict[str, pathlib.Path]:
    """Return what decides the bits: Python, C++ and descriptions of `host`, `model` and `hls`, at any depth.

    Weights travel with the tasks. Other kinds of file compute nothing (notebooks, figures, checksums), and an
    installation may lack them without being another version.

    Parameters
    ----------
    root : pathlib.Path
        The folder that the packages lie in.

    Returns
    -------
    dict
        Path by its name below `root`, sorted.
    """
    found = (
        path
        for package in PACKAGES
        for path in (root / package).rglob("*")
        if path.suffix in CODE and path.is_file() and path.name != "pyproject.toml"  # of hls/open: it is not shipped
    )
    return {path.relative_to(root).as_posix(): path for path in sorted(found)}


def digest_of(files: dict[str, pathlib.Path]) -> str:
    """Return a digest of files, their names and contents, from what `code_files` returns."""
    digest = hashlib.sha256()
    for name, path in files.items():
        digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@functools.cache
def code_digest() -> str:
    """Return the digest of the code that runs here."""
    return digest_of(code_files())


@contextlib.contextmanager
def _local_cluster(distributed, workers, threads=None):
    """Workers on this machine; they share its cores, and numpy's matrix products have one thread each."""
    cores = os.cpu_count() or 1
    workers = workers or max(2, cores // 2)
    with _deaf_children():
        cluster = distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=threads or max(1, cores // workers),
            processes=True,
            memory_limit=0,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )
    with cluster:
        yield cluster.scheduler_address


def _deafness(distributed):
    """What makes workers, also those that come for dead ones, not hear Ctrl-C: it is meant for this process, which
    will end them.
    """

    class Deafness(distributed.WorkerPlugin):
        def setup(self, worker):
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    return Deafness()


@contextlib.contextmanager
def _deaf_children():
    """Start processes that don't hear Ctrl-C from the beginning."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# --- on the worker -----------------------------------------------------------------------------------------

_open_backends = {}
_opening = threading.Lock()


class _Shared(backends.Backend):
    """A worker's backend, for one task at a time; the other tasks' colour and bicubic steps go on meanwhile."""

    def __init__(self, inner):
        super().__init__(inner.model)
        self.name, self.largest_tile, self.usual_pixels = inner.name, inner.largest_tile, inner.usual_pixels
        self._inner, self._lock = inner, threading.Lock()

    def infer(self, tiles, clock=backends.untimed):
        with self._lock:
            yield from self._inner.infer(tiles, clock)

    def close(self):
        with self._lock:
            self._inner.close()


def _worker_backend(order):
    """Open the worker's backend, once."""
    from distributed import get_worker

    worker = get_worker()
    if order.code != code_digest():
        raise UserError(
            f"the worker {worker.address} has another version of this project; install the same version there"
        )
    key = order.backend, settings_digest(order.model)
    with _opening:
        if key not in _open_backends:
            while _open_backends:  # a board can't be held twice
                _open_backends.popitem()[1].close()
            backend, _ = backends.open_backend(order.backend, order.model)
            cv2.setNumThreads(worker.state.nthreads)
            if not isinstance(backend, backends.PynqBackend):
                backend.threads = worker.state.nthreads  # the worker's share of its machine
            _open_backends[key] = _Shared(backend)
        return _open_backends[key]


def _compute_picture(order, picture, tile):
    return pipeline.upscale_picture(picture, _worker_backend(order), tile)


def _compute_tile(order, tile):
    """Compute a padded tile, in as many parts as this worker's backend wants; as `model.integer.golden.infer_valid`."""
    backend, network = _worker_backend(order), order.model.network
    height, width = (side - 2 * network.halo for side in tile.shape[:2])
    out = np.empty((height * network.scale, width * network.scale, *tile.shape[2:]), np.uint8)
    parts = tiling.cut(height, width, *backend.tile_for(height, width))
    for place, pixels in zip(parts, backend.infer(tiling.views(tile, parts, network.halo)), strict=True):
        tiling.put(out, place.times(network.scale), pixels)
    return out
