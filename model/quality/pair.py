"""A float weight file with its integer partner, and what is read off their names."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib

from model.base.paths import WEIGHTS
from model.graph.weights import DEGRADATIONS, T91, FloatModel, QuantModel, load_float, load_quant


@dataclasses.dataclass(frozen=True)
class Pair:
    """A float weight file and, if there is one, its integer partner."""

    path: pathlib.Path
    real: FloatModel
    fixed_path: pathlib.Path
    fixed: QuantModel | None

    @property
    def name(self) -> str:
        """Stem of the float file."""
        return self.path.stem

    @property
    def elsewhere(self) -> str:
        """The file that it was imported from (`hls.bring`); empty of what was trained here."""
        return self.real.meta.get("file", "")

    @property
    def degradation(self) -> str:
        """What it was trained for, as its name says."""
        return next((d for d in DEGRADATIONS if self.name.endswith(f"_{d}")), DEGRADATIONS[0])

    @property
    def data(self) -> str:
        """The pictures that it was trained on."""
        return self.real.meta.get("data", T91)


def pair(path: pathlib.Path) -> Pair:
    """Return a float weight file with its partner."""
    fixed = path.with_name(f"{path.stem}_int8.npz")
    return Pair(path, load_float(path), fixed, load_quant(fixed) if fixed.is_file() else None)


def pairs(folder: pathlib.Path = WEIGHTS) -> list[Pair]:
    """Return the pairs of weight files of a folder, sorted by name."""
    return [pair(path) for path in sorted(folder.glob("*.npz")) if not path.stem.endswith("_int8")]


def digest(path: pathlib.Path) -> str:
    """Return the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
