"""The committed results: what `make evaluate` measured with the committed weights, and how a new measurement compares.

`docs/results/quality.json` is a table of the rows of `evaluate.json`, one line per row, with the sha256 of every weight
file they were measured with. Tables of quality in README.md and docs/ are written from it and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import pathlib

from model.base.errors import UserError
from model.base.paths import ROOT, WEIGHTS, atomic_write
from model.graph.weights import T91, load_float, weight_path

RESULTS = ROOT / "docs" / "results" / "quality.json"
KEY = ("network", "upscale", "protocol", "dataset", "image", "method", "data")
COLUMNS = (*KEY, "psnr", "ssim", "mse")
REMEDY = "measure again with `make results`"
# Half a unit of the last digit printed. Compared like this, not as printed texts, a value near a rounding edge does no
# harm.
TOLERANCE = {"psnr": 0.005, "ssim": 0.00005}
DIGITS = 6  # of PSNR and SSIM in the file; MSE is written in full


class Results:
    """Rows with what they were measured with.

    Parameters
    ----------
    weights : dict of str to str
        Name of a weight file -> sha256 of its contents.
    rows : list of dict
        As `host.measure.evaluate.evaluate` returns them.
    """

    def __init__(self, weights: dict[str, str], rows: list[dict]) -> None:
        self.weights, self.rows = weights, rows
        self._index = {tuple(row[name] for name in KEY): row for row in rows}

    def find(self, *key: int | str, data: str = T91) -> dict | None:
        """Return the row of (network, upscale, protocol, dataset, image, method) of weights trained on `data`, or
        None.
        """
        return self._index.get((*key, data))

    def combinations(self, protocol: str, own: bool = True, data: str = T91) -> list[tuple[str, int]]:
        """Return [(network, upscale)] measured on a protocol with weights trained on `data`; `own`: only those with
        weights trained for its degradation.
        """
        found = {
            (row["network"], row["upscale"]) for row in self.rows if (row["protocol"], row["data"]) == (protocol, data)
        }
        return [
            pair for pair in sorted(found) if not own or weight_path(*pair, protocol, data=data).name in self.weights
        ]

    def images(self, dataset: str) -> list[str]:
        """Return the names of a set's pictures, sorted."""
        return sorted({row["image"] for row in self.rows if row["dataset"] == dataset} - {"mean"})

    def datasets(self) -> list[str]:
        """Return the names of the sets."""
        return list(dict.fromkeys(row["dataset"] for row in self.rows))


def weight_hashes(photo: bool = False) -> dict[str, str]:
    """Return {name: sha256} of the committed weight files: those that the test sets measure, or those for photographs
    (`model.quality.photo_results`).
    """
    found = {}
    for path in sorted(WEIGHTS.glob("*.npz")):
        of_photos = path.stem.removesuffix("_int8").endswith("_photo")
        if of_photos == photo:
            found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def histories() -> dict[str, list[list[float]]]:
    """Return {name: [[step, PSNR], ...]} of the committed float weights whose file holds a history of its training."""
    found = {}
    for path in sorted(WEIGHTS.glob("*.npz")):
        if not path.stem.endswith("_int8"):
            history = load_float(path).meta.get("history") or []
            if history:
                found[path.stem] = [[row["step"], round(row["psnr"], 4)] for row in history]
    return found


def save(results: Results, path: pathlib.Path = RESULTS) -> None:
    """Write results; the file appears only when it is complete."""
    lines = []
    for row in results.rows:
        values = [round(row[name], DIGITS) if name in TOLERANCE else row[name] for name in COLUMNS]
        lines.append(json.dumps(values))
    text = json.dumps({"weights": results.weights, "columns": COLUMNS}, indent=1)[:-2]
    with atomic_write(path) as temporary:
        temporary.write_text(f'{text},\n "rows": [\n' + ",\n".join(lines) + "\n]}\n")


def load(path: pathlib.Path = RESULTS) -> Results:
    """Read results.

    Raises
    ------
    UserError
        Missing or damaged file.
    """
    try:
        stored = json.loads(path.read_text())
        rows = [dict(zip(stored["columns"], values, strict=True)) for values in stored["rows"]]
        return Results(stored["weights"], [{name: row[name] for name in COLUMNS} for row in rows])
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; {REMEDY}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged; {REMEDY}") from error


def stale(results: Results) -> str | None:
    """Return a sentence on the first weight file that is not the measured one, or None."""
    now = weight_hashes()
    for name in sorted(now.keys() | results.weights.keys()):
        if now.get(name) != results.weights.get(name):
            what = (
                "is not committed any more"
                if name not in now
                else "was not measured"
                if name not in results.weights
                else "has changed since it was measured"
            )
            return f"{name} {what}; {REMEDY}"
    return None


def exact(row: dict) -> bool:
    """Tell whether a row has to be found again in every bit: integers all the way, from the picture to the squared
    error.
    """
    return row["protocol"] == "standard" and row["method"] in ("bicubic", "golden", "csim")


def differences(rows: list[dict], results: Results) -> list[str]:
    """Compare a measurement with results.

    Parameters
    ----------
    rows : list of dict
        Measured; any part of the table. The rows of csim are compared with golden's.
    results : Results

    Returns
    -------
    list of str
        One sentence per row that differs, in the order of `rows`. MSE where `exact` says so has to be the same number,
        everything else the same within half a unit of the last printed digit (floats differ a little between CPUs).
    """
    found = []
    for row in rows:
        key = tuple(row[name] for name in KEY[:-2])
        committed = results.find(*key, "golden" if row["method"] == "csim" else row["method"], data=row["data"])
        where = " ".join(f"x{part}" if isinstance(part, int) else part for part in key) + f" {row['method']}"
        where += f" ({row['data']})" if row["data"] != T91 else ""
        if committed is None:
            found.append(f"{where}: measured, but not in the committed results")
            continue
        metrics = ["mse"] if exact(row) and row["mse"] != committed["mse"] else []
        metrics += [metric for metric, most in TOLERANCE.items() if not abs(row[metric] - committed[metric]) < most]
        if metrics:
            found.append(
                f"{where}: "
                + ", ".join(f"{metric} {row[metric]} measured, {committed[metric]} committed" for metric in metrics)
            )
    return found
