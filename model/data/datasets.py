"""Training data: pictures -> pairs (bicubic Y, true Y) -> batches of patches.

The pairs of a set of pictures are computed once and cached under `build/cache`. Batches need no state: the
batch of a step is a function of the seed and the step's number, so a resumed training sees exactly the
batches it would have seen.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import zipfile
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from model.base.errors import UserError
from model.base.paths import BUILD, atomic_write
from model.imaging.color import rgb_to_y, rgb_to_ycrcb_full
from model.imaging.resize import imresize, modcrop, opencv_resize, to_uint8

PICTURE_SUFFIXES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")
RESCALES = (1.0, 0.9, 0.8, 0.7, 0.6)
HOLDOUT = 11  # every 11th picture of the training set is for validation
_CACHE_VERSION = 1  # raise when the pairs of the same parameters change


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Many pictures in two flat buffers, so that one fancy index cuts a whole batch out of them.

    Attributes
    ----------
    low, high : ndarray of uint8, shape (total pixels,)
        Y of the downscaled and again upscaled pictures, and of the true ones, one after another.
    shapes : ndarray of int64, shape (pictures, 2)
    """

    low: np.ndarray
    high: np.ndarray
    shapes: np.ndarray

    @property
    def offsets(self) -> np.ndarray:
        """Where each picture starts, int64 (pictures,)."""
        return np.concatenate([[0], np.cumsum(self.shapes.prod(1))[:-1]])

    def pictures(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (low, high) of each picture, uint8 (H, W)."""
        for start, (height, width) in zip(self.offsets, self.shapes):
            part = slice(start, start + height * width)
            yield self.low[part].reshape(height, width), self.high[part].reshape(height, width)


def read_picture(path: pathlib.Path) -> np.ndarray:
    """Read an 8-bit picture as RGB (H, W, 3) or grey (H, W). Raises UserError if it isn't one."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.dtype != np.uint8:
        raise UserError(f"{path} is not a readable 8-bit picture; take it out of the folder")
    if picture.ndim == 3 and picture.shape[2] >= 3:
        return np.ascontiguousarray(picture[:, :, 2::-1])
    return picture.reshape(picture.shape[:2])


def picture_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Return the sorted pictures of a folder. Raises UserError if there is none."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}; name a folder of pictures") from error
    if not files:
        raise UserError(f"{folder} holds no pictures ({', '.join(PICTURE_SUFFIXES)}); name a folder of pictures")
    return files


def degrade(picture: np.ndarray, upscale: int, degradation: str = "standard") -> tuple[np.ndarray, np.ndarray]:
    """Make a pair from a true picture.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3) RGB or (H, W) grey
    upscale : int
    degradation : str
        "standard": BT.601 Y, `imresize` down and up in floats, rounded once at the end. "opencv": the original
        project's; `cv2.resize` of the 8-bit colours down and up, then full-range Y.

    Returns
    -------
    low, high : ndarray of uint8, shape (H', W')
        H' and W' are multiples of `upscale`.
    """
    picture = modcrop(picture, upscale)
    if degradation == "standard":
        high = rgb_to_y(picture)
        return to_uint8(imresize(imresize(high, 1 / upscale), upscale)), high
    size = picture.shape[:2]
    picture = np.ascontiguousarray(picture)
    small = opencv_resize(picture, (size[0] // upscale, size[1] // upscale))
    back = opencv_resize(small, size)
    if picture.ndim == 2:
        return back, picture
    return rgb_to_ycrcb_full(back)[:, :, 0], rgb_to_ycrcb_full(picture)[:, :, 0]


def split(files: list[pathlib.Path]) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Drop pictures that occur twice (T91 has such) and take every `HOLDOUT`th for validation: (train, validation)."""
    unique = {hashlib.sha256(path.read_bytes()).digest(): path for path in reversed(files)}
    files = [path for path in files if path in set(unique.values())]
    validation = files[HOLDOUT // 2 :: HOLDOUT] or files[-1:]
    train = [path for path in files if path not in validation] or files
    return train, validation


def load_pairs(
    files: list[pathlib.Path], upscale: int, degradation: str = "standard", rescales: Sequence[float] = (1.0,)
) -> Pairs:
    """Return the pairs of pictures and of their rescaled copies, from the cache if they are there.

    Parameters
    ----------
    files : list of pathlib.Path
    upscale, degradation
        See `degrade`.
    rescales : tuple of float
        Factors in (0, 1]; each gives a smaller copy of every picture (too small ones are left out).

    Returns
    -------
    Pairs
    """
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    key = json.dumps([_CACHE_VERSION, contents, upscale, degradation, list(rescales)])
    cache = BUILD / "cache" / f"pairs-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
    try:
        with np.load(cache) as stored:
            return Pairs(stored["low"], stored["high"], stored["shapes"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # absent or damaged: make it anew
    lows, highs = [], []
    for path in files:
        picture = read_picture(path)
        for factor in rescales:
            copy = picture if factor == 1 else to_uint8(imresize(picture, factor))
            if min(copy.shape[:2]) >= upscale:
                low, high = degrade(copy, upscale, degradation)
                lows.append(low)
                highs.append(high)
    if not lows:
        raise UserError(f"no picture has the {upscale} pixels a side that x{upscale} needs; take larger ones")
    pairs = Pairs(
        np.concatenate([low.ravel() for low in lows]),
        np.concatenate([high.ravel() for high in highs]),
        np.array([high.shape for high in highs], np.int64),
    )
    with atomic_write(cache) as temporary:
        np.savez(temporary, low=pairs.low, high=pairs.high, shapes=pairs.shapes)
    return pairs


class Patches:
    """Batches of square patches, a function of (seed, step) alone.

    Parameters
    ----------
    pairs : Pairs
    size : int
        Side of an input patch.
    border : int
        Pixels by which the true patch is smaller on each side: the halo for valid convolutions, else 0.
        Pictures are replicate-padded by as much, so that training sees their edges as inference does.
    order : str
        "random": any position, drawn anew for every batch. "ordered": the positions of a grid of `stride`,
        all once per epoch, shuffled.
    stride : int
        Of the ordered grid.
    batch : int
    seed : int
    augment : bool
        Flips and quarter turns.
    """

    def __init__(
        self,
        pairs: Pairs,
        size: int,
        border: int = 0,
        order: str = "random",
        stride: int = 14,
        batch: int = 64,
        seed: int = 0,
        augment: bool = True,
    ) -> None:
        if border:
            padded = [[np.pad(picture, border, mode="edge") for picture in pair] for pair in pairs.pictures()]
            pairs = Pairs(
                np.concatenate([low.ravel() for low, _ in padded]),
                np.concatenate([high.ravel() for _, high in padded]),
                np.array([high.shape for _, high in padded], np.int64),
            )
        fits = pairs.shapes.min(1) >= size
        if not fits.any():
            raise UserError(f"no picture is as large as a patch of {size} pixels; lower --size or take larger pictures")
        self.pairs, self.size, self.border, self.batch, self.seed, self.augment = (
            pairs,
            size,
            border,
            batch,
            seed,
            augment,
        )
        self._step = 1 if order == "random" else stride
        self._ordered = order == "ordered"
        self._offsets, self._widths = pairs.offsets[fits], pairs.shapes[fits, 1]
        self._grid = (pairs.shapes[fits] - size) // self._step + 1  # positions down and across
        self._ends = np.cumsum(self._grid.prod(1))
        self._permutation = (None, None)

    @property
    def steps_per_epoch(self) -> int:
        """Batches that show every ordered position once; for random patches, as many pixels as the pictures have."""
        if self._ordered:
            return max(1, int(self._ends[-1]) // self.batch)
        seen = self.batch * (self.size - 2 * self.border) ** 2
        return max(1, len(self.pairs.high) // seen)

    def __call__(self, step):
        """Return batch number `step`: low (N, size, size, 1), high (N, size - 2 border, ..., 1), float32 in [0, 1]."""
        rng = np.random.default_rng([self.seed, 0, step])
        chosen = self._ordered_positions(step) if self._ordered else rng.integers(0, self._ends[-1], self.batch)
        picture = np.searchsorted(self._ends, chosen, side="right")
        position = chosen - np.concatenate([[0], self._ends])[picture]
        row, column = np.divmod(position, self._grid[picture, 1])
        width = self._widths[picture]
        start = self._offsets[picture] + (row * width + column) * self._step
        # A flip is a start at the other end and a negative stride; a transposition swaps the strides.
        down, across = width.copy(), np.ones_like(width)
        if self.augment:
            mirror_down, mirror_across, swap = rng.random((3, self.batch)) < 0.5
            start += np.where(mirror_down, (self.size - 1) * down, 0) + np.where(
                mirror_across, (self.size - 1) * across, 0
            )
            down[mirror_down] *= -1
            across[mirror_across] *= -1
            down, across = np.where(swap, across, down), np.where(swap, down, across)
        side = np.arange(self.size)
        index = start[:, None, None] + down[:, None, None] * side[:, None] + across[:, None, None] * side
        inner = slice(self.border, self.size - self.border)
        scale = np.float32(1 / 255)
        return (self.pairs.low[index][..., None] * scale, self.pairs.high[index[:, inner, inner]][..., None] * scale)

    def _ordered_positions(self, step):
        count = int(self._ends[-1])
        chosen = np.arange(step * self.batch, (step + 1) * self.batch)
        epochs, places = np.divmod(chosen, count)  # a batch may straddle two epochs, or be larger than one
        out = np.empty(self.batch, np.int64)
        for epoch in np.unique(epochs):
            if self._permutation[0] != epoch:
                self._permutation = (epoch, np.random.default_rng([self.seed, 1, int(epoch)]).permutation(count))
            out[epochs == epoch] = self._permutation[1][places[epochs == epoch]]
        return out
