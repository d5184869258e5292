"""A network on this processor: tiles and pictures in the golden model's bits, on all cores."""

from __future__ import annotations

import ctypes
import functools
import os
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from host.cpu.build import library
from host.cpu.plan import Plan
from model.base.errors import UserError
from model.integer import golden
from model.integer.blocks import compute, cut
from model.integer.examples import random_input

if TYPE_CHECKING:
    from model.graph.weights import QuantModel

_SCRATCH = 1 << 20  # bytes, of a thread's rows: they should stay in the cache
_MIN_COLUMNS = 128  # halos of narrower parts are too much beside them
_MIN_PRODUCTS = 1 << 24  # less, a fifth of a millisecond, is not worth a thread
_TRIAL = 12  # pixels a side beyond the halo


class CpuSession:
    """A network's integers by the vector instructions of this processor (`cpp/`).

    Parameters
    ----------
    model : QuantModel
    path : path-like, optional
        The compiled library; by default this processor's.

    Raises
    ------
    UserError
        If it cannot be compiled here, or the network has what it does not take.
    """

    def __init__(self, model: QuantModel, path: str | pathlib.Path | None = None) -> None:
        self.model = model
        self._library = _opened(str(path or library()))
        self._plan = Plan(model, self._library.cpu_lanes())
        self._try_out()

    def infer_valid(self, x: np.ndarray, workers: int | None = None) -> np.ndarray:
        """As `model.integer.golden.infer_valid`: a padded picture or tile of uint8 to uint8, on all cores or with so
        many threads.
        """
        network = self.model.network
        golden.require_input(network, x)
        x = np.ascontiguousarray(x)
        halo, scale = network.halo, network.scale
        height, width = x.shape[0] - 2 * halo, x.shape[1] - 2 * halo
        pixel = () if network.out_ch == 1 else (network.out_ch,)
        out = np.empty((height * scale, width * scale, *pixel), np.uint8)
        workers = workers or os.cpu_count() or 1
        worth = int(height * width * scale**2 * network.macs_per_pixel) // _MIN_PRODUCTS
        workers = max(1, min(workers, worth))
        rows = -(-height // max(1, min(workers, height // (2 * halo + 1))))
        columns = -(-width // -(-width // self._columns(width)))  # even ones

        def run(block):
            rows, columns = block
            inside = x[rows.start : rows.stop + 2 * halo, columns.start : columns.stop + 2 * halo]
            made = out[rows.start * scale : rows.stop * scale, columns.start * scale : columns.stop * scale]
            self._run(inside, made)

        compute(run, cut(height, width, rows, columns), workers)
        return out

    def _run(self, x, out):
        """Compute a part of a picture, whose rows may lie apart; without Python's lock."""
        scratch = np.empty(self._scratch(x.shape[1]), np.uint8)
        self._library.cpu_run(
            self._plan.tensors, self._plan.count, x.ctypes.data, x.strides[0], x.shape[0], x.shape[1],
            out.ctypes.data, out.strides[0], scratch.ctypes.data,
        )  # fmt: skip

    def _scratch(self, columns):
        return self._library.cpu_scratch(self._plan.tensors, self._plan.count, columns)

    def _columns(self, width):
        """Return how many columns a part has at most, so that what it keeps stays in the cache."""
        halo = self.model.network.halo
        per_column = self._scratch(2 * halo + 2 * _MIN_COLUMNS) / (2 * halo + 2 * _MIN_COLUMNS)
        return min(width, max(_MIN_COLUMNS, int(_SCRATCH / per_column) - 2 * halo))

    def _try_out(self):
        """Hold a small picture against the golden model: a compiler may be wrong, and a user should not find it out."""
        network = self.model.network
        side = 2 * network.halo + _TRIAL
        x = random_input(network, np.random.default_rng(0), side, side + 5)
        if not np.array_equal(self.infer_valid(x, 1), golden.infer_valid(self.model, x, 1)):
            raise UserError(
                f"what was compiled here does not compute {network.label} exactly; use --backend golden, or another "
                f"compiler"
            )


def vectors(path: str | pathlib.Path | None = None) -> str:
    """Return what a library, by default this processor's, sums products of bytes by: "AVX-512 VNNI", "AVX-VNNI",
    "AVX2"; nothing where it has no such instructions, and the golden model may be faster. Raises as `CpuSession`.
    """
    return _opened(str(path or library())).cpu_vectors().decode()


@functools.cache
def _opened(path):
    try:
        opened = ctypes.CDLL(path)
    except OSError as error:  # a file system without execution, a damaged file
        raise UserError(
            f"what was compiled for this processor cannot be loaded ({error}); name a build folder of your own in "
            f"SRCNN_BUILD, or use --backend golden, it gives the same bits"
        ) from error
    opened.cpu_lanes.restype = ctypes.c_int32
    opened.cpu_vectors.restype = ctypes.c_char_p
    opened.cpu_scratch.argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32]
    opened.cpu_scratch.restype = ctypes.c_int64
    pointer, number, long = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
    opened.cpu_run.argtypes = [pointer, number, pointer, long, number, number, pointer, long, pointer]
    opened.cpu_run.restype = None
    return opened
