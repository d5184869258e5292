"""What computes the network: golden model, this processor's vectors, C++ kernels or board, behind one small interface.
All give the same bits.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import math
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from host.cpu.session import CpuSession, vectors
from host.picture import tiling
from model.base.errors import UserError
from model.graph.network import require_picture
from model.integer import golden

if TYPE_CHECKING:
    from model.graph.weights import QuantModel
    from model.imaging.files import Picture

NAMES = ("auto", "pynq", "csim", "golden", "cpu")


class ComputeError(UserError):
    """The backend failed, and again at the second try: the next picture would fare no better."""


def insist(compute: Callable) -> Picture:
    """Call what `Backend.upscale_many` yields, twice if need be: after an error a board starts afresh."""
    try:
        return compute()
    except UserError:
        pass
    try:
        return compute()
    except UserError as error:
        raise ComputeError(str(error)) from error


def untimed(step: str) -> contextlib.AbstractContextManager:
    """Stand in for a `host.picture.pipeline.Clock` where nobody asks for times."""
    return contextlib.nullcontext()


class Backend:
    """One way of computing the network. Use as a context manager: it may hold a board.

    Attributes
    ----------
    name : str
        As on the command line.
    model : QuantModel
    largest_tile : (int, int)
        Most rows and columns of one tile, in pixels of the network's input without halo; `math.inf` where there is no
        limit.
    usual_pixels : int
        Output pixels of a tile when the user doesn't choose: large, for the halo is computed twice,
        but a progress bar should move.
    """

    name = ""
    largest_tile = (math.inf, math.inf)
    usual_pixels = 1 << 20

    def __init__(self, model: QuantModel) -> None:
        self.model = model

    def infer(self, tiles: Iterable[np.ndarray], clock: Callable = untimed) -> Iterator[np.ndarray]:
        """Compute tiles in order.

        Parameters
        ----------
        tiles : iterable of ndarray of uint8, shape (H + 2 halo, W + 2 halo), or (..., 3) for an RGB network
        clock : callable
            `clock(step)` is a context manager that times "pack", "compute" and "unpack".

        Yields
        ------
        ndarray of uint8, shape (H * scale, W * scale), or (..., 3)
            Valid until the next one is asked for.
        """
        raise NotImplementedError

    def upscale_many(
        self,
        pictures: Iterable[tuple[object, Picture]],
        tile: tuple[int, int] | None = None,
        clock: Callable | None = None,
        progress: Callable | None = None,
    ) -> Iterator[tuple[object, Callable]]:
        """Upscale pictures in order.

        Parameters
        ----------
        pictures : iterable of (object, Picture)
            Each with whatever tells the caller which one it is; taken when the result before it has been used.
        tile, clock, progress
            As for `host.picture.pipeline.upscale_picture`.

        Yields
        ------
        (object, callable)
            The callable computes and returns the upscaled `Picture`; after an error it may be called again.
        """
        from host.picture.pipeline import upscale_picture

        for which, picture in pictures:
            yield which, functools.partial(upscale_picture, picture, self, tile, clock, progress)

    def tile_for(self, height: int, width: int, wanted: tuple[int, int] | None = None) -> tuple[int, int]:
        """Return rows and columns of the tiles for a network input, in its pixels.

        Parameters
        ----------
        height, width : int
            Of the input, without halo.
        wanted : (int, int), optional
            Rows and columns in pixels of the result; by default few tiles, of one size, within `largest_tile`.

        Raises
        ------
        UserError
            If tiles of the wanted size do not fit.
        """
        scale = self.model.network.scale
        if wanted is None:
            columns = tiling.even(width, min(width, self.largest_tile[1]))
            rows = min(height, self.largest_tile[0], max(1, self.usual_pixels // scale**2 // columns))
            return tiling.even(height, rows), columns
        rows, columns = (min(side, max(1, most // scale)) for side, most in zip((height, width), wanted))
        most_rows, most_columns = self.largest_tile
        if rows > most_rows or columns > most_columns:
            raise UserError(
                f"a tile of {columns * scale}x{rows * scale} is larger than {self.name} takes, "
                f"{most_columns * scale}x{most_rows * scale}; choose a smaller --tile"
            )
        return rows, columns

    def close(self) -> None:
        """Give back what the backend holds."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class GoldenBackend(Backend):
    """The integer numpy model.

    Attributes
    ----------
    threads : int or None
        All cores if None.
    """

    name = "golden"
    threads = None

    def infer(self, tiles: Iterable[np.ndarray], clock: Callable = untimed) -> Iterator[np.ndarray]:
        for tile in tiles:
            with clock("compute"):
                result = golden.infer_valid(self.model, tile, self.threads)
            yield result


class CpuBackend(Backend):
    """The network compiled for this processor: its instructions for sums of products of bytes (`host.cpu`).

    Attributes
    ----------
    threads : int or None
        All cores if None.
    """

    name = "cpu"
    threads = None

    def __init__(self, model: QuantModel) -> None:
        super().__init__(model)
        self.session = CpuSession(model)

    def infer(self, tiles: Iterable[np.ndarray], clock: Callable = untimed) -> Iterator[np.ndarray]:
        for tile in tiles:
            with clock("compute"):
                result = self.session.infer_valid(tile, self.threads)
            yield result


class CsimBackend(Backend):
    """The C++ kernels, compiled for this machine, as a board folds the network: any gives the same bits.

    Attributes
    ----------
    threads : int or None
        Accelerators side by side, each for some rows of a tile; as many as cores if None.
    """

    name = "csim"
    usual_pixels = 1 << 18  # about a second
    threads = None
    _MIN_ROWS = 16  # less is not worth another one, whose halo is computed again

    def __init__(self, model: QuantModel, board: str | None = None) -> None:
        super().__init__(model)
        from hls.design.load import load_config, software_board

        try:
            from hls.csim.accelerator import CsimTop
        except ImportError as error:
            raise UserError(
                f"the C++ kernels cannot be run here ({error}); use --backend golden, it gives the same bits"
            ) from error
        config = load_config(model.network, board or software_board(model.network))
        self.largest_tile = (config.tile_height, config.tile_width)
        self._new_top = functools.partial(CsimTop, config)
        self._tops = [self._new_top()]

    def infer(self, tiles: Iterable[np.ndarray], clock: Callable = untimed) -> Iterator[np.ndarray]:
        for tile in tiles:
            with clock("compute"):
                result = self._compute(tile)
            yield result

    def _compute(self, tile):
        network = self.model.network
        height, width = (side - 2 * network.halo for side in tile.shape[:2])
        workers = max(1, min(self.threads or os.cpu_count() or 1, height // self._MIN_ROWS))
        while len(self._tops) < workers:
            self._tops.append(self._new_top())
        if workers == 1:
            return self._tops[0].infer_valid(self.model, tile)
        parts = tiling.cut(height, width, -(-height // workers), width)
        pixel = () if network.out_ch == 1 else (network.out_ch,)
        out = np.empty((height * network.scale, width * network.scale, *pixel), np.uint8)
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            views = tiling.views(tile, parts, network.halo)
            results = pool.map(lambda top, view: top.infer_valid(self.model, view), self._tops, views)
            for part, pixels in zip(parts, results, strict=True):
                tiling.put(out, part.times(network.scale), pixels)
        return out


class PynqBackend(Backend):
    """The overlay on the board this runs on."""

    name = "pynq"
    usual_pixels = 1 << 22  # a band of about 4 MB per transfer

    def __init__(self, model: QuantModel, folder: pathlib.Path) -> None:
        super().__init__(model)
        from host.board.driver import Driver

        self._driver = Driver(folder, model)
        self.largest_tile = self._driver.largest_tile

    def infer(self, tiles: Iterable[np.ndarray], clock: Callable = untimed) -> Iterator[np.ndarray]:
        return self._driver.infer(tiles, clock)

    def close(self) -> None:
        self._driver.close()


def _fastest_here(model):
    """Return what is fastest without a board: this processor's vectors, if it has any, and there is a compiler."""
    with contextlib.suppress(UserError):
        if vectors():
            return CpuBackend(model)
    return GoldenBackend(model)


def open_backend(name: str, model: QuantModel) -> tuple[Backend, str]:
    """Open a backend.

    Parameters
    ----------
    name : str
        One of `NAMES`. "auto" takes the board if there is one with an overlay for this network, else this processor's
        vectors, which give the same bits fastest, and without a compiler or such instructions the golden model.
    model : QuantModel

    Returns
    -------
    backend : Backend
    why : str
        Why "auto" chose it; empty if the user did.

    Raises
    ------
    UserError
        If the backend asked for cannot run here.
    """
    from host.board.overlay import find_overlay

    require_picture(model.network)
    if name == "golden":
        return GoldenBackend(model), ""
    if name == "csim":
        return CsimBackend(model), ""
    if name == "cpu":
        return CpuBackend(model), ""
    if name == "pynq":
        return PynqBackend(model, find_overlay(model.network)), ""
    try:
        folder = find_overlay(model.network)
    except UserError as reason:
        return _fastest_here(model), f"the same bits, fastest here: {str(reason).split(';')[0]}"
    return PynqBackend(model, folder), f"overlay in {folder}"
