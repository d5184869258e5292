"""What weights are worth on pictures as cameras and the web hand them out: `make evaluate-photo`.

Twelve kinds of small pictures (`host.measure.photo.kinds`), made of the pictures that no training sees: those of
BSDS399 that are held out and choose no weights, and the two test sets. Measured is by how much the network beats
bicubic, Y-PSNR in dB as the standard protocol has it, in fixed point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click
import numpy as np
from tqdm import tqdm

from host.measure.photo.kinds import KINDS, make_small
from model.base import report
from model.base.errors import UserError, report_user_errors
from model.base.paths import dataset_files
from model.data import photo
from model.data.datasets import read_picture, split, training_sets
from model.graph.description import list_networks
from model.graph.network import UPSCALES
from model.graph.weights import load_quant, weight_path
from model.imaging.color import rgb_to_y
from model.imaging.resize import imresize, modcrop, to_uint8
from model.integer import golden
from model.quality import photo_results
from model.quality.metrics import psnr

if TYPE_CHECKING:
    import pathlib

    from model.graph.weights import QuantModel

WEIGHTS = ("standard", "photo")
HELD_OUT = "BSDS399"
TESTS = "Set5", "Set14"
# By how much a network trained for photographs has to beat bicubic: on every kind, and in the mean (dB).
AT_LEAST = {2: (0.1, None), 3: (0.15, 0.5), 4: (0.1, None)}


def measured_pictures() -> dict[str, list[pathlib.Path]]:
    """Return the pictures to measure on: {name of the set: paths}."""
    held_out = photo.for_measuring(split(training_sets(HELD_OUT)[0])[1])
    return {HELD_OUT: held_out, "+".join(TESTS): [path for name in TESTS for path in dataset_files(name)]}


def measure(models: dict, sets: dict[str, list[pathlib.Path]], upscale: int, progress: Callable) -> list[dict]:
    """Return the rows of `gains` for every set of pictures, with its name as `dataset`."""
    return [
        {"dataset": name} | row for name, pictures in sets.items() for row in gains(models, pictures, upscale, progress)
    ]


def gains(models: dict, pictures: list[pathlib.Path], upscale: int, progress: Callable | None = None) -> list[dict]:
    """Measure models of one factor on all kinds.

    Parameters
    ----------
    models : dict of {(str, str): QuantModel}
        By network and weights.
    pictures : list of path-like
        A grey one counts as one whose colours are equal.
    upscale : int
    progress : callable, optional
        Called after each picture.

    Returns
    -------
    list of dict
        Rows: network, upscale, weights, kind, pictures, bicubic, psnr, gain; means over the pictures in dB.
    """
    found = {(*which, kind): [] for which in models for kind in KINDS}
    bicubic = {kind: [] for kind in KINDS}
    inner = (slice(upscale, -upscale), slice(upscale, -upscale))
    for path in pictures:
        picture = np.ascontiguousarray(modcrop(_colours(read_picture(path)), upscale))
        truth = rgb_to_y(picture)
        for kind in KINDS:
            small = rgb_to_y(make_small(kind, picture, upscale, path.stem))
            large = to_uint8(imresize(small, upscale))
            bicubic[kind].append(psnr(truth[inner], large[inner]))
            for which, model in models.items():
                out = golden.infer(model, large if model.network.input == "upscaled" else small)
                found[(*which, kind)].append(psnr(truth[inner], out[inner]))
        if progress is not None:
            progress()
    rows = []
    for (network, weights, kind), values in found.items():
        mean, plain = float(np.mean(values)), float(np.mean(bicubic[kind]))
        rows.append(
            {
                "network": network,
                "upscale": upscale,
                "weights": weights,
                "kind": kind,
                "pictures": len(values),
                "bicubic": round(plain, 4),
                "psnr": round(mean, 4),
                "gain": round(mean - plain, 4),
            }
        )
    return rows


def _colours(picture):
    return np.repeat(picture[:, :, None], 3, axis=2) if picture.ndim == 2 else picture


def available(upscale: int, networks: list[str]) -> dict[tuple[str, str], QuantModel]:
    """Return the models of a factor that have both kinds of weights: {(network, weights): model}."""
    models = {}
    for network in networks:
        paths = {weights: weight_path(network, upscale, weights, quantised=True) for weights in WEIGHTS}
        if all(path.is_file() for path in paths.values()):
            models |= {(network, weights): load_quant(path, network) for weights, path in paths.items()}
    return models


def complaints(rows: list[dict]) -> list[str]:
    """Return what falls short of `AT_LEAST`, a phrase each."""
    found = []
    for line in photo_results.lines(rows):
        if line["weights"] != "photo":
            continue
        least, mean = AT_LEAST[int(line["upscale"][1:])]
        name = f"{line['network']} {line['upscale']}"
        found += [f"{name}, {kind}: {line[kind]:+.2f} dB, not {least:+.2f}" for kind in KINDS if line[kind] < least]
        if mean is not None and line["mean"] < mean:
            found.append(f"{name}, mean of all kinds: {line['mean']:+.2f} dB, not {mean:+.2f}")
    return found


@click.command()
@click.option("--network", type=click.Choice(list_networks()), help="All by default.")
@click.option("--upscale", type=click.Choice([str(u) for u in UPSCALES]), help="All by default.")
@click.option("--update-docs", is_flag=True, help="Keep the figures in docs/results/photo.json.")
@report_user_errors
def main(network: str | None, upscale: str | None, update_docs: bool) -> None:
    """Measure standard and photo weights on twelve kinds of small pictures."""
    if update_docs and (network or upscale):
        raise UserError("--update-docs keeps the figures of all networks; leave out --network and --upscale")
    factors = [int(upscale)] if upscale else list(UPSCALES)
    models = {factor: available(factor, [network] if network else list_networks()) for factor in factors}
    if not any(models.values()):
        raise UserError(
            "no weights for photographs are there; `make train DEGRADATION=photo` and then `make quantise "
            "DEGRADATION=photo` make them"
        )
    sets, rows = measured_pictures(), []
    total = sum(map(len, sets.values()))
    with tqdm(total=total * sum(map(bool, models.values())), unit="picture", dynamic_ncols=True) as bar:
        for factor, of_factor in models.items():
            if of_factor:
                bar.set_description(f"x{factor}")
                rows += measure(of_factor, sets, factor, bar.update)
    print(report.table(photo_results.lines(rows), floatfmt="+.2f"))
    path = report.write_report("photo", rows)
    print(f"\ngain over bicubic in dB, mean of {total} pictures of {'+'.join(sets)}; written to {path}")
    if update_docs:
        photo_results.save(rows)
    missed = complaints(rows)
    if missed:
        raise UserError("below what is asked: " + "; ".join(missed))


if __name__ == "__main__":
    main()
