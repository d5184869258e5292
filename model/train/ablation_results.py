"""What the ablations of `model.train.ablations` measured: rows, what is beyond chance, table, figure, committed
copy.
"""

from __future__ import annotations

import json
import math
import pathlib
import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t

from model.base.errors import UserError
from model.base.paths import ROOT, atomic_write, dataset_files
from model.data.datasets import read_picture
from model.graph.description import load_network
from model.graph.weights import FloatModel, load_float
from model.quality import charts, pages
from model.quality.metrics import psnr
from model.quality.protocols import Case, finish, prepare

if TYPE_CHECKING:
    from model.train.ablations import Run

TEST_SETS = ("Set5", "Set14")
RESULTS = ROOT / "docs" / "results" / "ablations.json"
PAGE = ROOT / "docs" / "ablations.md"
FIGURE = "ablations.svg"


def _ring(width, shape):
    """Mask of the outermost pixels."""
    mask = np.ones(shape, bool)
    mask[width:-width, width:-width] = False
    return mask


class AsTrained:
    """A network with "same" convolutions as its training saw it: mid-grey around the picture, zeros around the
    features.
    """

    def __init__(self, model: FloatModel) -> None:
        from model.train import keras_trainable

        self._keras, self._numpy = (
            keras_trainable.build_trainable(model.network, "same"),
            keras_trainable.keras.ops.convert_to_numpy,
        )
        keras_trainable.start_from(
            self._keras, model.weights, model.biases, np.eye(model.network.layers[0].taps)
        )  # no whitening: plain weights

    def __call__(self, y):
        """Y uint8 (H, W) -> float32 (H, W), units of 0..255."""
        pixels = y[None, :, :, None].astype(np.float32) / 255
        return self._numpy(self._keras(pixels, training=False))[0, :, :, 0] * 255


class AsProduct:
    """A network as the product runs it: valid convolutions over the replicate-padded picture."""

    def __init__(self, model: FloatModel) -> None:
        from model.train import keras_model

        self._keras, self._infer = keras_model.from_float_model(model), keras_model.infer_float

    def __call__(self, y):
        return self._infer(self._keras, y)


def quality(infer: Callable, cases: dict[str, list[Case]], halo: int) -> dict[str, float]:
    """Return {set: mean PSNR, set + "_border": mean PSNR of the outer `halo` pixels, which the protocol partly leaves
    out}.
    """
    result = {}
    for name, pictures in cases.items():
        inner, border = [], []
        for case in pictures:
            out = finish(case, infer(case.bicubic))
            inside = (slice(case.shave, -case.shave),) * 2
            ring = _ring(halo, out.shape)
            inner.append(psnr(case.truth[inside], out[inside]))
            border.append(psnr(case.truth[ring], out[ring]))
        result |= {name.lower(): float(np.mean(inner)), f"{name.lower()}_border": float(np.mean(border))}
    return result


def measure(runs: list[Run], progress: Callable | None = None) -> list[dict]:
    """Measure finished runs on the test sets, standard protocol.

    Parameters
    ----------
    runs : list of model.train.ablations.Run
        Finished, all of one network and factor.
    progress : callable, optional
        Called with a run's name when it is measured.

    Returns
    -------
    list of dict
        Flat rows: run, topic, label, seed, inference ("product" or "as trained"), seconds (of the training), best_step,
        validation (dB), and what `quality` returns.
    """
    cases = {
        name: [prepare(read_picture(path), runs[0].config["upscale"]) for path in dataset_files(name)]
        for name in TEST_SETS
    }
    halo, rows = load_network(runs[0].config["network"]).halo, []
    for run in runs:
        model = load_float(run.weights, run.config["network"])
        ways = {"product": AsProduct} | ({"as trained": AsTrained} if run.config["padding"] == "same" else {})
        for inference, way in ways.items():
            rows.append(
                {
                    "run": run.name,
                    "topic": run.topic,
                    "label": run.label,
                    "seed": run.config["seed"],
                    "inference": inference,
                    "seconds": model.meta["seconds"],
                    "best_step": model.meta["best_step"],
                    "validation": model.meta["validation_psnr"],
                    **{key: round(value, 4) for key, value in quality(way(model), cases, halo).items()},
                }
            )
        if progress is not None:
            progress(run.name)
    return rows


def chance(rows: list[dict], key: str) -> tuple[float, float, float]:
    """Return what the seeds say about a column: (mean, deviation, how far a new run may lie from the mean by chance).

    The last is Student's 95 % interval for one more run, from so few seeds: t * s * sqrt(1 + 1 / n). With one seed
    alone deviation and distance are infinite: nothing is beyond chance.
    """
    values = [row[key] for row in rows if row["topic"] == "base"]
    if not values:
        raise UserError("changes are against the base, which is not trained yet; run `make ablations`")
    if len(values) == 1:
        return values[0], math.inf, math.inf
    deviation = statistics.stdev(values)
    return (
        statistics.fmean(values),
        deviation,
        float(t.ppf(0.975, len(values) - 1)) * deviation * (1 + 1 / len(values)) ** 0.5,
    )


def compared(rows: list[dict]) -> list[dict]:
    """Return the rows with set5_change and set14_change against the mean of the base runs, in dB, and `counts`: what
    is beyond chance.
    """
    limits = {key: chance(rows, key) for key in ("set5", "set14")}
    out = []
    for row in rows:
        changes = {f"{key}_change": round(row[key] - mean, 4) for key, (mean, _, _) in limits.items()}
        beyond = [
            name
            for name, key in (("Set5", "set5"), ("Set14", "set14"))
            if abs(changes[f"{key}_change"]) > limits[key][2]
        ]
        out.append(
            row
            | changes
            | {
                "counts": ""
                if row["topic"] == "base"
                else "not known"
                if math.isinf(limits["set5"][2])
                else ", ".join(beyond) or "no"
            }
        )
    return out


def table_rows(rows: list[dict]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table for people."""
    header = [
        "",
        "difference from the base",
        "Set5",
        "change",
        "Set14",
        "change",
        "edge of Set5",
        "validation",
        "beyond chance",
    ]
    lines = []
    for row in compared(rows):
        label = row["label"] + ("" if row["inference"] == "product" else ", inferred as trained")
        lines.append(
            [
                row["topic"],
                label,
                f"{row['set5']:.3f}",
                f"{row['set5_change']:+.3f}",
                f"{row['set14']:.3f}",
                f"{row['set14_change']:+.3f}",
                f"{row['set5_border']:.2f}",
                f"{row['validation']:.3f}",
                row["counts"],
            ]
        )
    return header, lines


def summary(stored: dict) -> str:
    """Return the region `ablations` of docs/ablations.md."""
    rows = stored["rows"]
    seeds = [row for row in rows if row["topic"] == "base"]
    if len(seeds) > 1:
        spread = "; ".join(
            f"{name} {mean:.3f} dB, standard deviation {deviation:.3f}, one more within {limit:.3f} dB (95 %)"
            for name, (mean, deviation, limit) in ((n, chance(rows, n.lower())) for n in TEST_SETS)
        )
        parts = [pages.markdown(*table_rows(rows)), f"The base with {len(seeds)} seeds: {spread}."]
    else:
        parts = [pages.markdown(*table_rows(rows)), "With one seed alone nothing can be said about chance."]
    if stored["missing"]:
        parts.append(f"Not trained yet: {'; '.join(stored['missing'])}.")
    return "\n\n".join(parts)


def draw(stored: dict, path: pathlib.Path) -> pathlib.Path:
    """Draw what `docs/results/ablations.json` holds: changes on the test sets against chance, and validation curves."""
    rows, curves = compared(stored["rows"]), stored["curves"]
    drawn, (left, right) = charts.figure(2, (11, 0.27 * len(rows) + 1.6))
    limits = {key: chance(stored["rows"], key) for key in ("set5", "set14")}
    for place, row in enumerate(rows):
        for key, colour, marker in (("set5", "#4878a8", "o"), ("set14", "#c9803a", "s")):
            left.plot(
                row[f"{key}_change"],
                place,
                marker,
                color=colour,
                markersize=6,
                label=None if place else key.capitalize(),
            )
    for key, colour in (("set5", "#4878a8"), ("set14", "#c9803a")):
        if math.isinf(limits[key][2]):
            continue
        left.axvspan(-limits[key][2], limits[key][2], color=colour, alpha=0.13, linewidth=0)
    names = [
        f"{row['topic']}: {row['label']}" + ("" if row["inference"] == "product" else ", as trained") for row in rows
    ]
    left.set(
        yticks=range(len(rows)), yticklabels=names, xlabel="PSNR against the mean of the seeds (dB); shaded: chance"
    )
    left.invert_yaxis()
    left.grid(True, axis="x", color="0.9", linewidth=0.8)
    left.legend(frameon=False, fontsize=8, loc="lower left")
    base = [row["run"] for row in rows if row["topic"] == "base"]
    for name, curve in curves.items():
        style = (
            {"color": "0.6", "linewidth": 3, "alpha": 0.6, "label": "seeds of the base" if name == base[0] else None}
            if name in base
            else {"linewidth": 1.2, "label": name}
        )
        right.plot(*zip(*curve), **style)
    top = max(psnr for curve in curves.values() for _, psnr in curve)
    right.set(xlabel="step", ylabel="validation PSNR (dB)", ylim=(top - 1.0, top + 0.05))
    right.grid(True, axis="y", color="0.9", linewidth=0.8)
    right.legend(frameon=False, fontsize=8, loc="lower right", ncols=2)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return charts.save(drawn, path, stored)


def load(path: pathlib.Path = RESULTS) -> dict:
    """Read the committed copy: base (configuration), missing (labels of runs not trained), rows (see `measure`),
    curves (name -> [[step, PSNR], ...]).
    """
    try:
        stored = json.loads(path.read_text())
        return {name: stored[name] for name in ("base", "missing", "rows", "curves")}
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror}; make it with `make ablations ARGS=--update-docs`"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged; make it with `make ablations ARGS=--update-docs`") from error


def update(stored: dict) -> list[pathlib.Path]:
    """Write the committed copy, the table of docs/ablations.md and its figure; return the files."""
    text = pages.replace_region(PAGE.read_text(), "ablations", summary(stored))
    parts = {name: json.dumps(stored[name]) for name in ("base", "missing", "curves")}
    parts["rows"] = "[\n" + ",\n".join(json.dumps(row) for row in stored["rows"]) + "\n]"
    content = "{" + ",\n".join(f'"{name}": {part}' for name, part in parts.items()) + "}\n"
    for path, whole in ((RESULTS, content), (PAGE, text)):
        with atomic_write(path) as temporary:
            temporary.write_text(whole)
    return [RESULTS, PAGE, draw(load(), charts.IMAGES / FIGURE)]
