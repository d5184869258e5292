"""Where the time goes on the host: `make bench-host` prints a table and writes `build/reports/bench_host.json`.

Three parts, each several times: every step of a whole run (file to file) on every backend that works here; the host's
own steps alone, without a network between them, in one thread and in all; packing and unpacking of the board's tiles.
Runs take turns. The table has the median, the best, which on a machine with other work is nearest to what the code
needs, and the processor time, which other work hardly changes.
"""

from __future__ import annotations

import contextlib
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import click
import cv2
import numpy as np
from tqdm import tqdm

from hls.design.load import folding_board, load_config
from hls.packets import packets
from host.picture import pipeline, tiling
from host.picture.backends import Backend, open_backend
from model.base import report
from model.base.errors import UserError, report_user_errors
from model.base.paths import BUILD, make_folder
from model.graph.description import DEFAULT_NETWORK, list_networks
from model.graph.network import UPSCALES
from model.imaging import files as picture_files
from model.imaging import strips
from model.imaging.resize import upscale_bicubic
from model.integer import golden

if TYPE_CHECKING:
    from hls.design.config import Config
    from model.imaging.files import Picture

HOST_STEPS = (
    "colour",
    "bicubic",
    "pack",
    "unpack",
    "merge",
)  # what no accelerator takes over; reading and writing depend on the format
BACKENDS = ("golden", "csim", "pynq")
TILES = (None, 128, 64)  # sides of the tiles that are packed; None: as the driver chooses for the picture
SLOW_RUNS = {"csim": 1}
ROW = ("what", "ms", "best_ms", "cpu_ms", "mpixel_per_s", "best_mpixel_per_s", "size", "runs")
HOST_TURNS = 5  # runs of the host's steps per round: they take hundredths of a second
SEED = 0


class NoNetwork(Backend):
    """Gives every tile back without its halo, each pixel as often as the network would make some of it: what remains
    are the host's steps.
    """

    name = "host"

    def infer(self, tiles: Iterable[np.ndarray], clock: Callable | None = None) -> Iterator[np.ndarray]:
        halo, scale = self.model.network.halo, self.model.network.scale
        for tile in tiles:
            inside = tile[halo : len(tile) - halo, halo : tile.shape[1] - halo]
            yield inside.repeat(scale, 0).repeat(scale, 1) if scale > 1 else inside


class BothClocks(pipeline.Clock):
    """Adds up processor time per step as well, of all threads.

    Attributes
    ----------
    cpu : dict of {str: float}
    """

    def __init__(self) -> None:
        super().__init__()
        self.cpu = {}

    @contextlib.contextmanager
    def __call__(self, step):
        begin = time.process_time()
        with super().__call__(step):
            yield
        self.cpu[step] = self.cpu.get(step, 0.0) + time.process_time() - begin

    def steps(self, names: tuple[str, ...], together: str) -> dict[str, tuple[float, float]]:
        """Return (wall, processor) seconds of these steps, 0 for those that there were not, and of all of them under a
        name.
        """
        times = {step: (self.seconds.get(step, 0.0), self.cpu.get(step, 0.0)) for step in names}
        return {**times, together: tuple(map(sum, zip(*times.values())))}


def make_picture(height: int, width: int) -> np.ndarray:
    """Return an RGB picture of this size with soft shapes in all colours, and a little noise."""
    rng = np.random.default_rng(SEED)
    coarse = rng.integers(0, 250, (-(-height // 4), -(-width // 4), 3)).astype(np.uint8)
    return upscale_bicubic(coarse, 4)[:height, :width] // 2 + rng.integers(0, 4, (height, width, 3)).astype(np.uint8)


def time_steps(
    source: pathlib.Path, output: pathlib.Path, backend: Backend
) -> tuple[dict[str, tuple[float, float]], np.ndarray]:
    """Upscale one file into another.

    Returns
    -------
    times : dict of {str: (float, float)}
        See `BothClocks.steps`; those of `host.picture.pipeline.STEPS`, and "all steps".
    pixels : ndarray of uint8
    """
    clock = BothClocks()
    with clock("read"):
        picture = picture_files.read_picture(source)
    result = pipeline.upscale_picture(picture, backend, None, clock)
    with clock("write"):
        picture_files.write_picture(output, result)
    return clock.steps(pipeline.STEPS, "all steps"), result.pixels


def time_host(picture: Picture, backend: Backend, threads: int) -> dict[str, tuple[float, float]]:
    """Upscale a picture without a network; return the times of `HOST_STEPS` and "together", see `BothClocks.steps`."""
    clock, usual = BothClocks(), (strips.THREADS, cv2.getNumThreads())
    strips.THREADS = threads
    cv2.setNumThreads(1)  # or OpenCV might start more
    try:
        pipeline.upscale_picture(picture, backend, None, clock)
    finally:
        strips.THREADS = usual[0]
        cv2.setNumThreads(usual[1])
    return clock.steps(HOST_STEPS, "together")


class Packing:
    """A picture's tiles as the driver packs them, and the answers it parses.

    Parameters
    ----------
    config : hls.design.config.Config
    y : ndarray of uint8, shape (H, W)
        A result of the network.
    side : int or None
        Of the tiles, in pixels of the result; None: as large as line buffers and picture allow.
    """

    def __init__(self, config: Config, y: np.ndarray, side: int | None) -> None:
        network, self.config, self.y = config.network, config, y
        small = np.ascontiguousarray(y[:: network.scale, :: network.scale])
        if network.in_ch == 3:
            small, self.y = np.dstack([small] * 3), np.dstack([y] * 3)
        height, width = small.shape[:2]
        side = side and max(1, side // network.scale)
        columns = tiling.even(width, min(width, side or config.tile_width))
        self.places = tiling.cut(height, width, min(height, side or config.tile_height), columns)
        made = self.places[0].times(network.scale)
        self.size = f"{made.width}x{made.height} tiles"
        self._tiles = list(tiling.views(golden.pad(small, network.halo), self.places, network.halo))
        self._sent = np.empty(sum(map(self._words, self._tiles)), np.uint64)
        self._answers = self._answer()
        self._out = np.empty_like(self.y)

    def _words(self, tile):
        return 2 + packets.tile_words(tile.shape[:2], self.config.network.in_ch)

    def run(self) -> dict[str, tuple[float, float]]:
        """Pack, unpack, and check both.

        Returns
        -------
        dict of {str: (float, float)}
            See `BothClocks.steps`: "pack" (all packets, one behind the other, as into a DMA buffer), "unpack" (the
            answers parsed, their pixels put together) and "both".
        """
        self._out[:] = 0
        self._sent[:] = 0
        clock, at = BothClocks(), 0
        with clock("pack"):
            for tag, tile in enumerate(self._tiles):
                at += len(packets.tile_packet(self.config, tile, tag, out=self._sent[at:]))
        with clock("unpack"):
            answers = packets.parse_answers(self._answers, self.config.network.out_ch)
            for place, answer in zip(self.places, answers, strict=True):
                tiling.put(self._out, place.times(self.config.network.scale), answer.pixels)
        at = 0
        for tile in self._tiles:
            if self._sent[at + 2 :].view(np.uint8)[: tile.size].tobytes() != tile.tobytes():
                raise RuntimeError("a packet does not hold its tile")
            at += self._words(tile)
        if not np.array_equal(self._out, self.y):
            raise RuntimeError("the unpacked picture is not the one that was packed")
        return clock.steps(("pack", "unpack"), "both")

    def _answer(self):
        """What the overlay would send if the network gave the picture back."""
        words = []
        network = self.config.network
        for tag, place in enumerate(made.times(network.scale) for made in self.places):
            answer = np.zeros(2 + packets.tile_words((place.height, place.width), network.out_ch), np.uint64)
            answer[0] = packets.MAGIC | (packets.COMMANDS["tile"] | packets.ANSWER) << 16 | self.config.config_id << 32
            answer[1] = place.width | place.height << 16 | tag << 32
            pixels = self.y[place.top : place.top + place.height, place.left : place.left + place.width]
            answer[2:].view(np.uint8)[: pixels.size] = pixels.reshape(-1)
            words.append(answer)
        return np.concatenate(words)


def bench(
    backends: list[Backend],
    source: str | pathlib.Path,
    folder: pathlib.Path,
    config: Config,
    runs: int,
    progress: Callable = lambda what: None,
) -> list[dict]:
    """Time everything in turns.

    Parameters
    ----------
    backends : list of Backend
        With one model.
    source : path-like
        The picture to upscale.
    folder : pathlib.Path
        For the results.
    config : hls.design.config.Config
        The board whose packets are made.
    runs : int
        Per backend; slow ones have fewer (`SLOW_RUNS`), the host's steps `HOST_TURNS` times as many.
    progress : callable, optional
        Called before each run with the contender's name.

    Returns
    -------
    list of dict
        Columns `ROW`: median and best milliseconds, median of the processor time, and what the first two are in pixels
        of the result.

    Raises
    ------
    RuntimeError
        If two backends, or two runs, give different bits.
    """
    host, picture = NoNetwork(backends[0].model), picture_files.read_picture(source)
    width, height = (side * host.model.upscale for side in picture.size)
    packings = [
        Packing(config, make_picture(height, width)[:, :, 1], side)
        for side in TILES
        if side is None or side < min(width, height)
    ]
    whole = f"{width}x{height}"
    times, result = {}, None

    def add(who, steps, size=whole):
        for step, both in steps.items():
            times.setdefault((f"{who}: {step}", size), []).append(both)

    for round_ in range(runs):
        for backend in backends:
            if round_ < SLOW_RUNS.get(backend.name, runs):
                progress(backend.name)
                steps, pixels = time_steps(source, folder / f"{backend.name}.png", backend)
                result = pixels if result is None else result
                if not np.array_equal(pixels, result):
                    raise RuntimeError(f"{backend.name} gave other bits than {backends[0].name}")
                add(backend.name, steps)
        progress("host")
        for _ in range(HOST_TURNS):
            for threads in sorted({1, strips.THREADS}):
                add(f"host, {threads} thread{'s' * (threads > 1)}", time_host(picture, host, threads))
            for packing in packings:
                add("packets", packing.run(), f"{whole} in {packing.size}")
    return [_row(what, size, width * height / 1e6, runs) for (what, size), runs in times.items()]


def _row(what, size, mpixel, runs):
    wall, cpu = zip(*runs)
    median, best = statistics.median(wall), min(wall)
    rates = (mpixel / seconds if seconds else None for seconds in (median, best))
    return dict(zip(ROW, (what, median * 1e3, best * 1e3, statistics.median(cpu) * 1e3, *rates, size, len(runs))))


@click.command()
@click.option("--network", type=click.Choice(list_networks()), default=DEFAULT_NETWORK, show_default=True)
@click.option("--upscale", type=click.Choice([str(u) for u in UPSCALES]), default="3", show_default=True)
@click.option(
    "--size",
    type=(click.IntRange(32, 8192), click.IntRange(32, 8192)),
    default=(1920, 1080),
    show_default=True,
    help="Width and height of the result, rounded down to multiples of the factor.",
)
@click.option(
    "--runs",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Per backend (csim: 1); the host's steps five times as many.",
)
@click.option(
    "--backend", "names", type=click.Choice(BACKENDS), multiple=True, help="Only these.  [default: all that work here]"
)
@report_user_errors
def main(network: str, upscale: str, size: tuple[int, int], runs: int, names: tuple[str, ...]) -> None:
    """Measure every step from file to file on every backend, the host's own steps, and the packets' packing and
    unpacking.
    """
    upscale, width, height = int(upscale), size[0] // int(upscale), size[1] // int(upscale)
    model, backends = pipeline.load_model(network, upscale), []
    config = load_config(model.network, folding_board(model.network))
    for name in names or BACKENDS:
        try:
            backends.append(open_backend(name, model)[0])
        except UserError as error:
            print(f"without {name}: {error}")
    if not backends:
        raise UserError("none of these backends works here; choose --backend golden")
    folder = BUILD / "bench"
    make_folder(folder)
    total = runs + sum(min(runs, SLOW_RUNS.get(backend.name, runs)) for backend in backends)
    with tempfile.TemporaryDirectory(dir=folder) as scratch, tqdm(total=total, unit="run", disable=None) as bar:

        def progress(what):
            bar.set_description(what)
            bar.update()

        source = pathlib.Path(scratch) / "source.png"
        picture_files.write_picture(source, picture_files.Picture(make_picture(height, width)))
        rows = bench(backends, source, pathlib.Path(scratch), config, runs, progress)
    for backend in backends:
        backend.close()
    print(report.table(rows))
    print(
        f"\n{network} x{upscale}, {strips.THREADS} cores, packets on one; runs in turns; all backends gave the same "
        f"bits; "
        f"wrote {report.write_report('bench_host', rows)}"
    )


if __name__ == "__main__":
    main()
