"""The steps from a picture to its larger self, and how long each takes.

colour    RGB -> Y, Cb, Cr (grey stays grey)
bicubic   each plane to the new size
pack      replicate-padding; on a board also the packets
compute   Y through the network, tile by tile
unpack    the tiles' outputs put together
merge     Y with bicubic Cb, Cr -> RGB
"""

from __future__ import annotations

import collections
import contextlib
import functools
import pathlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from host.picture import tiling
from host.picture.upscaling import Upscaling
from model.base.errors import UserError
from model.graph.network import UPSCALES
from model.graph.weights import QuantModel, load_quant, weight_path
from model.integer import golden

if TYPE_CHECKING:
    from host.picture.backends import Backend
    from model.graph.network import Network
    from model.imaging.files import Picture

STEPS = ("read", "colour", "bicubic", "pack", "compute", "unpack", "merge", "write")
WEIGHTS = ("standard", "photo")  # of the committed ones, by the pictures they are for
MAX_MPIXEL = 64.0
WASTEFUL = 4  # times the work that is needed: small tiles are warned of
# Peak memory of a run per pixel of the result, in bytes, while it is computed: by channels (grey, with transparency,
# colours, with transparency) and bytes per sample; measured at 24 Mpixel, x2, where the input weighs most. What Python
# and a backend take for themselves, and what a backend has given back but the process keeps. Refusing early is kinder
# than the kernel's out-of-memory killer.
COMPUTE_BYTES = {1: (3.2, 6.6, 8.9, 11.1), 2: (6.2, 10.0, 13.8, 17.8)}
KEPT_BYTES = 3
BYTES_PER_PIXEL = 9  # of a frame of a video
BYTES_AT_LEAST = 120e6


class Clock:
    """Adds up seconds per step: `with clock("merge"): ...`.

    Attributes
    ----------
    seconds : dict of {str: float}
    """

    def __init__(self) -> None:
        self.seconds = {}

    @contextlib.contextmanager
    def __call__(self, step):
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - begin

    def line(self) -> str:
        """Say the time of each step, in the order of the steps."""
        times = [(step, self.seconds[step]) for step in STEPS if step in self.seconds]
        return ", ".join(f"{step} {_duration(seconds)}" for step, seconds in times)


def load_model(
    network: str | None, upscale: int | None, weights: pathlib.Path | None = None, degradation: str = "standard"
) -> QuantModel:
    """Load the integer weights of a network, the committed ones or the user's.

    Parameters
    ----------
    network : str or None
        None: the weights' own.
    upscale : int or None
        None: the weights' own.
    weights : path-like, optional
        A file of this project; by default the committed one, which needs `network` and `upscale`.
    degradation : str
        Which of the committed ones: for what pictures they were trained.

    Raises
    ------
    UserError
        No such file, or weights of another network or upscale.
    """
    path = weights or weight_path(network, upscale, degradation, quantised=True)
    if weights is None and not path.is_file():
        there = [known for known in UPSCALES if weight_path(network, known, degradation, quantised=True).is_file()]
        other = [kind for kind in WEIGHTS if weight_path(network, upscale, kind, quantised=True).is_file()]
        which = "" if degradation == "standard" else f"{degradation} "
        choices = [f"x{known}" for known in there] + [f"--weights {kind}" for kind in other]
        raise UserError(
            f"there are no {which}weights of {network} for x{upscale} ({path.name} is missing); "
            + (f"choose {' or '.join(choices)}, or " if choices else "choose another network, or ")
            + f"make them with `make train` and `make quantise` (NETWORK={network} UPSCALE={upscale}"
            + (f" DEGRADATION={degradation})" if which else ")")
        )
    model = load_quant(path, network)
    if model.upscale not in UPSCALES:
        raise UserError(f"{path} holds weights for x{model.upscale}; known are {', '.join(f'x{s}' for s in UPSCALES)}")
    if upscale is not None and model.upscale != upscale:
        raise UserError(
            f"{path} holds weights for x{model.upscale}, not x{upscale}; choose --upscale {model.upscale} or weights "
            f"for x{upscale}"
        )
    return model


def bytes_per_pixel(channels: int, sample_bytes: int, encoder: float) -> float:
    """Return the memory that a picture takes per pixel of its result, at its peak.

    Parameters
    ----------
    channels, sample_bytes : int
        See `model.imaging.files.Header`.
    encoder : float
        `memory` of the result's `model.imaging.formats.Format`.
    """
    result = channels * sample_bytes
    return max(COMPUTE_BYTES[sample_bytes][channels - 1], result * (1 + encoder) + KEPT_BYTES)


def memory_needed(pixels: int, per_pixel: float = BYTES_PER_PIXEL) -> float:
    """Return the bytes that a run takes for a result of so many pixels."""
    return pixels * per_pixel + BYTES_AT_LEAST


def check_size(
    width: int, height: int, upscale: int, max_mpixel: float = MAX_MPIXEL, per_pixel: float = BYTES_PER_PIXEL
) -> None:
    """Raise `UserError` if the result of a width x height picture is too large for the limit or the memory.

    Parameters
    ----------
    width, height, upscale : int
    max_mpixel : float
    per_pixel : float
        Memory per pixel of the result, see `bytes_per_pixel`.
    """
    pixels = width * height * upscale**2
    if not pixels <= max_mpixel * 1e6:  # the other way round, NaN would mean no limit
        raise UserError(
            f"{width}x{height} pixels x{upscale} make {width * upscale}x{height * upscale} = {pixels / 1e6:.1f} "
            f"Mpixel, "
            f"the limit is {max_mpixel:g}; cut the picture into parts or raise --max-mpixel"
        )
    need, have = memory_needed(pixels, per_pixel), _available_memory()
    if have is not None and need > have:
        raise UserError(
            f"{width * upscale}x{height * upscale} pixels need about {need / 1e6:.0f} MB of memory, {have / 1e6:.0f} "
            f"MB are available; "
            "cut the picture into parts"
        )


def tile_note(network: Network, tile: tuple[int, int] | None) -> str | None:
    """Return a warning if tiles are so small that most of the work is done for their halos.

    Parameters
    ----------
    network : model.graph.network.Network
    tile : (int, int) or None
        Rows and columns in pixels of the result.
    """
    if tile is None:
        return None
    rows, columns = (max(1, side // network.scale) for side in tile)
    more = (rows + 2 * network.halo) * (columns + 2 * network.halo) / (rows * columns)
    if more < WASTEFUL:
        return None
    return (
        f"tiles of {tile[1]}x{tile[0]} pixels compute {more:.0f} times what the picture needs, since each has a halo "
        f"of {network.halo}; leave --tile out, or take larger ones"
    )


def upscale_picture(
    picture: Picture,
    backend: Backend,
    tile: tuple[int, int] | None = None,
    clock: Callable | None = None,
    progress: Callable | None = None,
) -> Picture:
    """Upscale a picture by its backend's weights.

    Parameters
    ----------
    picture : Picture
    backend : host.picture.backends.Backend
    tile : (int, int), optional
        Rows and columns of a tile, in pixels of the result; the backend's choice if None.
    clock : Clock, optional
    progress : callable, optional
        Called after each tile with its number of pixels.

    Returns
    -------
    Picture
        `upscale` times as wide and high; the same bits for every backend and every tiling.
    """
    clock = clock or Clock()
    work = Upscaling(picture, backend, tile, clock)
    for pixels in backend.infer(work.tiles(), clock):
        work.put(pixels)
        if progress is not None:
            progress(pixels.shape[0] * pixels.shape[1])
    return work.result()


def upscale_many(
    pictures: Iterable[tuple[object, Picture]],
    backend: Backend,
    tile: tuple[int, int] | None = None,
    clock: Callable | None = None,
    progress: Callable | None = None,
) -> Iterator[tuple[object, Callable]]:
    """Upscale pictures in order, all in one stream of tiles.

    A board's driver asks for tiles while a transfer is under way and packs several pictures' tiles into one: the next
    pictures are read and prepared, and the last ones merged and written, while the overlay computes.

    Parameters
    ----------
    pictures : iterable of (object, Picture)
        Each with whatever tells the caller which one it is. An error it raises is raised when the pictures before it
        are done.
    backend, tile, clock, progress
        As for `upscale_picture`.

    Yields
    ------
    (object, callable)
        The callable returns the upscaled `Picture`. Where the stream broke it computes that picture alone, at every
        call anew, and raises the backend's error; the pictures after it go on in a new stream.
    """
    clock, source = clock or Clock(), iter(pictures)
    under_way = collections.deque()  # [which, picture, its Upscaling]
    ended = []  # the error that ended the pictures, or None

    def take():
        try:
            under_way.append([*next(source), None])
        except StopIteration:
            ended.append(None)
        except Exception as error:  # the caller's, not the backend's: what is under way is finished first
            ended.append(error)
        return not ended

    def tiles():
        while take():
            under_way[-1][2] = work = Upscaling(under_way[-1][1], backend, tile, clock)
            yield from work.tiles()

    while not ended:
        try:
            with contextlib.closing(backend.infer(tiles(), clock)) as outputs:
                for pixels in outputs:
                    which, _, work = under_way[0]
                    work.put(pixels)
                    if progress is not None:
                        progress(pixels.shape[0] * pixels.shape[1])
                    if work.done:
                        under_way.popleft()
                        yield which, work.result
        except UserError:
            if not under_way:  # it failed before it asked for a tile
                take()
        while under_way:
            which, picture, _ = under_way.popleft()
            yield which, functools.partial(upscale_picture, picture, backend, tile, clock, progress)
    if ended[0] is not None:
        raise ended[0]


def infer_input(
    x: np.ndarray,
    backend: Backend,
    tile: tuple[int, int] | None = None,
    clock: Callable | None = None,
    progress: Callable | None = None,
) -> np.ndarray:
    """Run the network on what it takes (`Network.input`), tile by tile; parameters as for `upscale_picture`.

    Parameters
    ----------
    x : ndarray of uint8, shape (H, W), or (H, W, 3) for an RGB network

    Returns
    -------
    ndarray of uint8, shape (H * scale, W * scale), or (..., 3)
    """
    clock = clock or Clock()
    network = backend.model.network
    height, width = x.shape[:2]
    with clock("pack"):
        padded = golden.pad(x, network.halo)
        tiles = tiling.cut(height, width, *backend.tile_for(height, width, tile))
    out = np.empty((height * network.scale, width * network.scale, *x.shape[2:]), np.uint8)
    results = backend.infer(tiling.views(padded, tiles, network.halo), clock)
    for place, pixels in zip(tiles, results, strict=True):
        with clock("unpack"):
            tiling.put(out, place.times(network.scale), pixels)
        if progress is not None:
            progress(pixels.shape[0] * pixels.shape[1])
    return out


def _duration(seconds):
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.1f} ms"


def _available_memory():
    """Bytes that can be had without swapping, or None where the system doesn't say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
