"""Training data: pictures -> pairs (what a network takes, the true picture) -> batches of patches.

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
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np

from model.base.errors import UserError
from model.base.paths import BUILD, atomic_write, data_dir, dataset_files
from model.data import photo
from model.imaging.color import rgb_to_y, rgb_to_ycrcb_full
from model.imaging.resize import imresize, modcrop, opencv_resize, to_uint8

PICTURE_SUFFIXES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")
JPEG_SUFFIXES = (".jpg", ".jpeg")
HOLDOUT = 11  # every 11th picture of the training set is for validation
_CACHE_VERSION = 1  # raise when the pairs of the same parameters change


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Many pictures in two flat buffers, so that one fancy index cuts a whole batch out of them.

    Attributes
    ----------
    low, high : ndarray of uint8, shape (total pixels,), or (total pixels, 3) for RGB
        What the network takes, and the true pictures, one after another.
    shapes : ndarray of int64, shape (pictures, 2)
        Of the low ones.
    scale : int
        Pixels of a true picture per low one, along each side.
    """

    low: np.ndarray
    high: np.ndarray
    shapes: np.ndarray
    scale: int = 1

    @property
    def offsets(self) -> np.ndarray:
        """Where each low picture starts, int64 (pictures,); the true one starts at scale^2 times that."""
        return np.concatenate([[0], np.cumsum(self.shapes.prod(1))[:-1]])

    def pictures(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (low, high) of each picture, uint8 (H, W) or (H, W, 3)."""
        colours, scale = self.low.shape[1:], self.scale
        for start, (height, width) in zip(self.offsets, self.shapes):
            end = start + height * width
            high = self.high[start * scale**2 : end * scale**2]
            yield (
                self.low[start:end].reshape(height, width, *colours),
                high.reshape(height * scale, width * scale, *colours),
            )

    @classmethod
    def of(cls, pictures: Iterable[tuple[np.ndarray, np.ndarray]], scale: int) -> Pairs:
        """Return the pairs of (low, high) pictures."""
        lows, highs = zip(*pictures)
        colours = lows[0].shape[2:]
        return cls(
            np.concatenate([low.reshape(-1, *colours) for low in lows]),
            np.concatenate([high.reshape(-1, *colours) for high in highs]),
            np.array([low.shape[:2] for low in lows], np.int64),
            scale,
        )


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


def training_sets(data: str) -> list[list[pathlib.Path]]:
    """Return the pictures of each set that `--data` names: "" is T91; sets are joined by +, as in T91+BSDS399.

    A set is a folder, or the name of one beside T91.
    """
    sets = []
    for name in data.split("+") if data else ["T91"]:
        root, folder = data_dir(), pathlib.Path(name)
        if name == "T91":
            sets.append(dataset_files(name))
        elif root is not None and not folder.is_dir() and folder.name == name and (root / name).is_dir():
            sets.append(picture_files(root / name))
        else:
            sets.append(picture_files(folder))
    return sets


def degrade(
    picture: np.ndarray, upscale: int, degradation: str = "standard", kind: str = "upscaled", copy: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Make a pair from a true picture.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3) RGB or (H, W) grey
    upscale : int
    degradation : str
        "standard": BT.601 Y, `imresize` down and up in floats, rounded once at the end. "opencv": the original
        project's; `cv2.resize` of the 8-bit colours down and up, then full-range Y. "photo": what cameras and the web
        do, in colour (`model.data.photo`), then as standard.
    kind : str
        What the network takes (`Network.input`). "y" and "rgb" are not brought up again; for "rgb" both pictures stay
        in colour.
    copy : int
        Of what is drawn for "photo".

    Returns
    -------
    low, high : ndarray of uint8, shape (H', W') or (H', W', 3)
        H' and W' of the true picture are multiples of `upscale`; the low one is `upscale` times smaller unless `kind`
        is "upscaled".
    """
    picture = np.ascontiguousarray(modcrop(picture, upscale))
    if kind == "rgb" and picture.ndim == 2:
        picture = np.repeat(picture[:, :, None], 3, axis=2)
    size = picture.shape[:2]
    if degradation in ("standard", "photo"):
        high = picture if kind == "rgb" else rgb_to_y(picture)
        if degradation == "photo":
            small = photo.photograph(picture, upscale, copy)
            small = small if kind == "rgb" else rgb_to_y(small)
        else:
            small = imresize(high, 1 / upscale)
        return to_uint8(imresize(small, upscale) if kind == "upscaled" else small), high
    low = opencv_resize(picture, (size[0] // upscale, size[1] // upscale))
    if kind == "upscaled":
        low = opencv_resize(low, size)
    if kind == "rgb" or picture.ndim == 2:
        return low, picture
    return rgb_to_ycrcb_full(low)[:, :, 0], rgb_to_ycrcb_full(picture)[:, :, 0]


def split_sets(sets: list[list[pathlib.Path]]) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Return the pictures of all sets, split: what is held out of one is the same whatever others stand beside it."""
    trains, validations = zip(*map(split, sets))
    return sum(trains, []), sum(validations, [])


def split(files: list[pathlib.Path]) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Drop pictures that occur twice (T91 has such) and take every `HOLDOUT`th for validation: (train, validation)."""
    unique = {hashlib.sha256(path.read_bytes()).digest(): path for path in reversed(files)}
    files = [path for path in files if path in set(unique.values())]
    validation = files[HOLDOUT // 2 :: HOLDOUT] or files[-1:]
    train = [path for path in files if path not in validation] or files
    return train, validation


def load_pairs(
    files: list[pathlib.Path],
    upscale: int,
    degradation: str = "standard",
    rescales: Sequence[float] = (1.0,),
    kind: str = "upscaled",
) -> Pairs:
    """Return the pairs of pictures and of their rescaled copies, from the cache if they are there.

    Parameters
    ----------
    files : list of pathlib.Path
    upscale, degradation
        See `degrade`.
    rescales : tuple of float
        Factors in (0, 1]; each gives a smaller copy of every picture (too small ones are left out). A JPEG at its own
        size would teach its artefacts, so it is left out where there are smaller copies.
    kind : str
        See `degrade`.

    Returns
    -------
    Pairs
    """
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    parameters = [_CACHE_VERSION, contents, upscale, degradation, list(rescales)]
    copies = 1
    if degradation == "photo":
        copies = photo.settings(upscale)["copies"]
        parameters.append(photo.settings(upscale))
    key = json.dumps(parameters + ([] if kind == "upscaled" else [kind]))
    scale = 1 if kind == "upscaled" else upscale
    cache = BUILD / "cache" / f"pairs-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
    try:
        with np.load(cache) as stored:
            return Pairs(stored["low"], stored["high"], stored["shapes"], scale)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # absent or damaged: make it anew
    made = []
    for path in files:
        picture = read_picture(path)
        for factor in rescales:
            if factor == 1 and path.suffix.lower() in JPEG_SUFFIXES and min(rescales) < 1:
                continue
            copy = picture if factor == 1 else to_uint8(imresize(picture, factor))
            if min(copy.shape[:2]) >= upscale:
                made += [degrade(copy, upscale, degradation, kind, number) for number in range(copies)]
    if not made:
        raise UserError(f"no picture has the {upscale} pixels a side that x{upscale} needs; take larger ones")
    pairs = Pairs.of(made, scale)
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
        Input pixels by which the true patch shows less on each side: the halo for valid convolutions, else 0.
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
    weights : ndarray, shape (pictures,), optional
        What errors in patches of each picture weigh: batches then have a third part, (N,) of float32.
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
        weights: np.ndarray | None = None,
    ) -> None:
        if border:
            pairs = Pairs.of(
                ((_pad(low, border), _pad(high, border * pairs.scale)) for low, high in pairs.pictures()), pairs.scale
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
        self._weights = None if weights is None else weights[fits]
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
        return max(1, len(self.pairs.low) // seen)

    def __call__(self, step):
        """Return batch number `step`: low (N, size, size, C), high (N, scale * (size - 2 border), ..., C), float32 in
        [0, 1], and the weights (N,) if there are any.
        """
        rng = np.random.default_rng([self.seed, 0, step])
        chosen = self._ordered_positions(step) if self._ordered else rng.integers(0, self._ends[-1], self.batch)
        picture = np.searchsorted(self._ends, chosen, side="right")
        position = chosen - np.concatenate([[0], self._ends])[picture]
        row, column = np.divmod(position, self._grid[picture, 1])
        turns = rng.random((3, self.batch)) < 0.5 if self.augment else np.zeros((3, self.batch), bool)
        place = (self._offsets[picture], self._widths[picture], row * self._step, column * self._step)
        parts = []
        for pixels, scale, border in ((self.pairs.low, 1, 0), (self.pairs.high, self.pairs.scale, self.border)):
            part = pixels[_windows(place, scale, self.size, border, turns)] * np.float32(1 / 255)
            parts.append(part.reshape(*part.shape[:3], -1))
        return tuple(parts) if self._weights is None else (*parts, self._weights[picture])

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


def _windows(place, scale, size, border, turns):
    """Return where the pixels of the chosen windows lie in a flat buffer, (N, side, side).

    `place` (offset, width, row, column) and `size` are in low pixels; `scale` of the buffer's pixels lie along each. A
    flip is a start at the other end and a negative stride; a transposition swaps the strides.
    """
    offset, width, row, column = place
    width = width * scale
    side = np.arange(border * scale, (size - border) * scale)
    start = offset * scale**2 + (row * width + column) * scale
    mirror_down, mirror_across, swap = turns
    last = size * scale - 1
    start = start + np.where(mirror_down, last * width, 0) + np.where(mirror_across, last, 0)
    down, across = np.where(mirror_down, -width, width), np.where(mirror_across, -1, 1)
    down, across = np.where(swap, across, down), np.where(swap, down, across)
    return start[:, None, None] + down[:, None, None] * side[:, None] + across[:, None, None] * side


def _pad(picture, border):
    return np.pad(picture, ((border, border),) * 2 + ((0, 0),) * (picture.ndim - 2), mode="edge")
