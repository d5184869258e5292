"""What weights gain over bicubic on twelve kinds of small pictures: docs/results/photo.json (`make evaluate-photo`)."""

from __future__ import annotations

import json
import math

from model.base.paths import ROOT, atomic_write
from model.quality.results import weight_hashes

COMMITTED = ROOT / "docs" / "results" / "photo.json"


def load() -> list[dict]:
    """Return the committed rows: dataset, network, upscale, weights, kind, pictures, bicubic, psnr, gain; none if
    there is no such file.
    """
    return json.loads(COMMITTED.read_text())["rows"] if COMMITTED.is_file() else []


def save(rows: list[dict]) -> None:
    """Write rows and the digests of the weights that they were measured with; the file appears only when complete."""
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    with atomic_write(COMMITTED) as temporary:
        temporary.write_text(f'{{\n "weights": {json.dumps(weight_hashes(photo=True))},\n "rows": [\n{lines}\n ]\n}}\n')


def stale() -> bool:
    """Return whether the committed rows are of other weights than those that are there."""
    return COMMITTED.is_file() and json.loads(COMMITTED.read_text())["weights"] != weight_hashes(photo=True)


def of(rows: list[dict], network: str, upscale: int, weights: str, dataset: str | None = None) -> dict[str, float]:
    """Return {kind: gain in dB} of one network's weights, the mean over the pictures of one data set or of all."""
    asked, gains = (network, upscale, weights), {}
    for row in rows:
        if (row["network"], row["upscale"], row["weights"]) == asked and dataset in (None, row.get("dataset")):
            gains.setdefault(row["kind"], []).append((row["gain"], row["pictures"]))
    return {kind: sum(gain * n for gain, n in found) / sum(n for _, n in found) for kind, found in gains.items()}


def lines(rows: list[dict]) -> list[dict]:
    """Return a line of a table for each network, factor and weights: a column per kind, their mean, and the means of
    the data sets.
    """
    found, sets = [], list(dict.fromkeys(row["dataset"] for row in rows))
    for which in dict.fromkeys((row["network"], row["upscale"], row["weights"]) for row in rows):
        found.append(
            {"network": which[0], "upscale": f"x{which[1]}", "weights": which[2], **of(rows, *which)}
            | {"mean": _mean(of(rows, *which))}
            | {f"mean of {name}": _mean(of(rows, *which, name)) for name in sets}
        )
    return found


def _mean(gains):
    return math.fsum(gains.values()) / len(gains)
