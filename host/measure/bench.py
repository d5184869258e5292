"""Speed of everything that computes the network, all in one run: a table and `build/reports/bench.json`.

Contenders take turns, round after round, so that whatever else the machine does hits all of them; the median counts.
The accelerator's rates beside them are modelled (hls/report/spec.py, clocks of the board files), and marked so.
To add one, write a function that makes it and put it into `CONTENDERS`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import statistics
import time
import typing
from collections.abc import Callable

import click
import numpy as np
from tqdm import tqdm

from model.base import report
from model.base.errors import UserError, report_user_errors
from model.base.paths import ROOT, atomic_write
from model.graph.description import DEFAULT_NETWORK, list_networks, load_network
from model.graph.network import UPSCALES, Network
from model.graph.weights import load_float, load_quant, weight_path
from model.integer import golden

SEED = 0
COMMITTED = ROOT / "docs" / "results" / "bench.json"  # of each network's last run with --update-docs


@dataclasses.dataclass
class Contender:
    """Something that computes the network.

    Attributes
    ----------
    what : str
    run : callable
        Takes what the network takes, uint8 (H, W) or (H, W, 3).
    rows : int or None
        Computes only that many rows of the picture, where the whole would take long; None: all.
    most_runs : int or None
        Not more runs than these.
    """

    what: str
    run: typing.Callable
    rows: int | None = None
    most_runs: int | None = None


def tensorflow_float(network: str, upscale: int) -> Contender:
    """The float reference, as the project uses it."""
    from model.train.keras_model import from_float_model, infer_float

    model = from_float_model(load_float(weight_path(network, upscale), network))
    return Contender("TensorFlow float", lambda y: infer_float(model, y))


def tensorflow_compiled(network: str, upscale: int) -> Contender:
    """The same with Keras's compiled prediction: TensorFlow at its best, without padding and conversion."""
    from model.train.keras_model import from_float_model

    model = from_float_model(load_float(weight_path(network, upscale), network))
    halo = load_quant(weight_path(network, upscale, quantised=True)).network.halo
    ready = {}

    def run(y):
        if y.shape not in ready:
            padded = golden.pad(y, halo).astype(np.float32) / 255
            ready[y.shape] = padded.reshape(1, *padded.shape[:2], -1)
        return model.predict_on_batch(ready[y.shape])

    return Contender("TensorFlow float, compiled", run)


def golden_model(network: str, upscale: int) -> Contender:
    """The integer numpy model, on all cores."""
    model = load_quant(weight_path(network, upscale, quantised=True), network)
    return Contender("golden", lambda y: golden.infer(model, y))


def golden_one_worker(network: str, upscale: int) -> Contender:
    """The integer numpy model, on one core."""
    model = load_quant(weight_path(network, upscale, quantised=True), network)
    return Contender("golden, 1 core", lambda y: golden.infer(model, y, workers=1))


def csim(network: str, upscale: int) -> Contender:
    """The C++ kernels as a shared library, on all cores."""
    from host.picture.backends import CsimBackend
    from host.picture.pipeline import infer_input

    backend = CsimBackend(load_quant(weight_path(network, upscale, quantised=True), network))
    return Contender("csim", lambda y: infer_input(y, backend), rows=128, most_runs=5)


def onnxruntime_float(network: str, upscale: int) -> Contender:
    """The float network as it is in onnxruntime, on all cores: the picture is padded and made floats beforehand."""
    import onnxruntime

    from host.measure.float_onnx import INPUT_NAME, float_model

    model = load_float(weight_path(network, upscale), network)
    session = onnxruntime.InferenceSession(float_model(model).SerializeToString(), providers=["CPUExecutionProvider"])
    halo, ready = model.network.halo, {}

    def run(y):
        if y.shape not in ready:
            planes = golden.pad(y, halo).astype(np.float32).reshape(y.shape[0] + 2 * halo, y.shape[1] + 2 * halo, -1)
            ready[y.shape] = np.ascontiguousarray(planes.transpose(2, 0, 1)[None]) / np.float32(255)
        return session.run(None, {INPUT_NAME: ready[y.shape]})[0]

    return Contender("onnxruntime float", run)


def cpu(network: str, upscale: int) -> Contender:
    """The golden model's integers by this processor's vectors, on all cores."""
    from host.cpu.session import CpuSession

    model = load_quant(weight_path(network, upscale, quantised=True), network)
    session = CpuSession(model)
    return Contender("cpu, golden's bits", lambda y: session.infer_valid(golden.pad(y, model.network.halo)))


CONTENDERS = (
    tensorflow_float,
    tensorflow_compiled,
    onnxruntime_float,
    cpu,
    golden_model,
    golden_one_worker,
    csim,
)
PAUSE = 0.02  # seconds before each run: the threads of the one before go on looking for work for a while


def bench(
    contenders: list[Contender], picture: np.ndarray, runs: int, progress: Callable | None = None, scale: int = 1
) -> list[dict]:
    """Time contenders in turns.

    Parameters
    ----------
    contenders : list of Contender
    picture : ndarray of uint8, shape (H, W) or (H, W, 3)
        What the network takes.
    runs : int
    progress : callable, optional
        Called before each run with the contender's name.
    scale : int
        Pixels of the result per pixel of the picture, along each side.

    Returns
    -------
    list of dict
        what, kind ("measured"), mpixel_per_s (output pixels, median), size, runs.
    """
    seconds = {contender.what: [] for contender in contenders}
    for round_ in range(-1, runs):  # the first round warms up and doesn't count
        for contender in contenders:
            if contender.most_runs is not None and round_ >= contender.most_runs:
                continue
            if progress is not None:
                progress(contender.what)
            time.sleep(PAUSE)
            started = time.perf_counter()
            contender.run(picture[: contender.rows])
            if round_ >= 0:
                seconds[contender.what].append(time.perf_counter() - started)
    rows = []
    for contender in contenders:
        part, times = picture[: contender.rows], seconds[contender.what]
        height, width = (side * scale for side in part.shape[:2])
        rows.append(
            {
                "what": contender.what,
                "kind": "measured",
                "mpixel_per_s": height * width / 1e6 / statistics.median(times),
                "size": f"{width}x{height}",
                "runs": len(times),
            }
        )
    return rows


def modelled(network: Network, size: int) -> list[dict]:
    """Return rows for the accelerator on every board that folds the network, edges of the picture included: `kind` is
    "modelled", no run was made.

    Parameters
    ----------
    network : Network
    size : int
        Side of the result.
    """
    from hls.design.boards import list_boards
    from hls.design.cycles import frame_rate
    from hls.design.load import list_configs

    configs = [config for board in list_boards() for config in list_configs(board) if config.network == network]
    return [
        {
            "what": f"accelerator, {config.board} at {config.clock_mhz:g} MHz",
            "kind": "modelled",
            "mpixel_per_s": frame_rate(config, size, size) * size**2 / 1e6,
            "size": f"{size}x{size}",
            "runs": 0,
        }
        for config in configs
    ]


@click.command()
@click.option("--network", type=click.Choice(list_networks()), default=DEFAULT_NETWORK, show_default=True)
@click.option("--upscale", type=click.Choice([str(u) for u in UPSCALES]), default="3", show_default=True)
@click.option(
    "--size", type=click.IntRange(16, 8192), default=512, show_default=True, help="Side of the square picture."
)
@click.option("--runs", type=click.IntRange(1), default=15, show_default=True)
@click.option(
    "--update-docs", is_flag=True, help="Keep what was measured in docs/results/bench.json, for `make pages`."
)
@report_user_errors
def main(network: str, upscale: str, size: int, runs: int, update_docs: bool) -> None:
    """Measure the speed of TensorFlow, golden model and C++ kernels in one run, beside the accelerator's modelled
    rate.
    """
    described, contenders = load_network(network, int(upscale)), []
    for make in CONTENDERS:
        try:
            contenders.append(make(network, int(upscale)))
        except (UserError, ImportError) as error:
            print(f"without {make.__name__}: {error}")
    if not contenders:
        raise UserError(
            "nothing can be measured here; install the project with its extras (`make setup`) "
            "and look for weights in model/weights"
        )
    side = size // described.scale
    rates = modelled(described, side * described.scale)
    if not rates:
        print(f"without the accelerator: no file in hls/boards has a folding for {described.label}")
    shape = (side, side, 3) if described.in_ch == 3 else (side, side)
    picture = np.random.default_rng(SEED).integers(0, 256, shape).astype(np.uint8)
    total = sum(1 + min(runs, contender.most_runs or runs) for contender in contenders)
    with tqdm(total=total, unit="run", disable=None) as bar:

        def progress(text):
            bar.set_description(text)
            bar.update()

        rows = bench(contenders, picture, runs, progress, described.scale) + rates
    rows = [{"network": network, "upscale": int(upscale), **row} for row in rows]
    print(report.table(rows))
    print(f"\n{network} x{upscale}, one run, contenders in turns, medians; wrote {report.write_report('bench', rows)}")
    if update_docs:
        keep([row | {"cores": os.cpu_count()} for row in rows if row["kind"] == "measured"])
        print(f"wrote {COMMITTED.relative_to(ROOT)}; `make pages` puts it on the page")


def keep(rows: list[dict], path: pathlib.Path | None = None) -> None:
    """Put what was measured of a network in the place of what was kept of it, in `COMMITTED` or another file."""
    path = path or COMMITTED
    kept = json.loads(path.read_text()) if path.is_file() else []
    replaced = {(row["network"], row["upscale"]) for row in rows}
    kept = [row for row in kept if (row["network"], row["upscale"]) not in replaced] + rows
    with atomic_write(path) as temporary:
        temporary.write_text("[\n" + ",\n".join(json.dumps(row) for row in kept) + "\n]\n")


if __name__ == "__main__":
    main()
