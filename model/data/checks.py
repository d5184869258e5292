"""What is wrong with a folder of training pictures, said before hours are spent on it.

`python -m model.data.checks` writes anew which pictures the test sets consist of (`test_pictures.json`): digests of
their pixels, so that a copy in another file format is found, too.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Sequence

import click
import numpy as np

from model.base.errors import UserError, report_user_errors
from model.base.paths import DATASETS, atomic_write, dataset_files
from model.data.datasets import read_picture

TEST_PICTURES = pathlib.Path(__file__).with_name("test_pictures.json")
FEW = 20  # pictures, from which on one that is held out says little
CARE_SHARE = 0.5  # of the pictures that are too small for a patch, worth a note from here on


def pixels_digest(picture: np.ndarray) -> str:
    """Return the sha256 of a picture's size and pixels, a grey one as the colours that it shows."""
    picture = np.repeat(picture[:, :, None], 3, axis=2) if picture.ndim == 2 else picture
    return hashlib.sha256(str(picture.shape).encode() + np.ascontiguousarray(picture).tobytes()).hexdigest()


def check_pictures(files: Sequence[pathlib.Path], upscale: int, patch: int) -> list[str]:
    """Look through training pictures.

    Parameters
    ----------
    files : sequence of path-like
    upscale : int
    patch : int
        Pixels a side of a patch of the true picture.

    Returns
    -------
    list of str
        Notes, a sentence each, on what is allowed but does no good.

    Raises
    ------
    UserError
        If one is a picture of a test set, or no picture is large enough.
    """
    known = json.loads(TEST_PICTURES.read_text())
    seen, twice, small = {}, [], []
    for path in files:
        picture = read_picture(path)
        digest = pixels_digest(picture)
        if digest in known:
            raise UserError(
                f"{path} is the picture {known[digest]}, which measures what trainings are worth; take it out"
            )
        if digest in seen:
            twice.append(path)
        seen[digest] = path
        if min(picture.shape[:2]) // upscale < 1:
            raise UserError(f"{path} has fewer than the {upscale} pixels a side that x{upscale} needs; take it out")
        if min(picture.shape[:2]) < patch:
            small.append(path)
    if len(small) == len(files):
        raise UserError(
            f"none of the {len(files)} pictures has the {patch} pixels a side of a patch; lower --size or take larger "
            f"pictures"
        )
    notes = []
    if len(small) > CARE_SHARE * len(files):
        notes.append(
            f"{len(small)} of {len(files)} pictures have less than {patch} pixels a side: no patch is ever of them; a "
            f"smaller --size uses them"
        )
    if twice:
        notes.append(f"{len(twice)} pictures occur twice, such as {twice[0].name}: each is used once")
    if len(seen) < FEW:
        notes.append(
            f"{len(seen)} pictures are few: what is held out to choose weights by says little; {FEW} or more are better"
        )
    return notes


@click.command()
@report_user_errors
def main() -> None:
    """Write digests of the test sets' pictures; needs the sets."""
    found = {}
    for name in DATASETS[1:]:
        for path in dataset_files(name):
            found[pixels_digest(read_picture(path))] = f"{path.stem} of {name}"
    with atomic_write(TEST_PICTURES) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{TEST_PICTURES.name}: {len(found)} pictures")


if __name__ == "__main__":
    main()
