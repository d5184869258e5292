"""Which files become which: the list of work of a run over many pictures and videos.

A folder is taken with all its sub-folders, and the output folder gets the same ones.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import pathlib
from collections.abc import Sequence

from model.base.errors import UserError

PICTURES = (".bmp", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
VIDEO_SUFFIX = ".mp4"


@dataclasses.dataclass(frozen=True)
class Job:
    """One file to upscale.

    Attributes
    ----------
    source, output : pathlib.Path
    video : bool
    """

    source: pathlib.Path
    output: pathlib.Path
    video: bool = False


@dataclasses.dataclass(frozen=True)
class Work:
    """What the command line's files and folders come to.

    Attributes
    ----------
    jobs : list of Job
        In the order of the command line, folders sorted by name; no two have one output.
    refused : list of str
        What cannot be done, a sentence each.
    others : list of pathlib.Path
        Files in folders that are neither pictures nor videos by their extension: left alone.
    """

    jobs: list
    refused: list
    others: list


def is_video(path: pathlib.Path) -> bool:
    """Tell whether a file is a video, by its extension."""
    return path.suffix.lower() in VIDEOS


def result_name(source: pathlib.Path, upscale: int, suffix: str, whole_name: bool = False) -> str:
    """Return the usual name of a result: img.bmp -> img_x3.png (or img.bmp_x3.png); videos become mp4."""
    return f"{source.name if whole_name else source.stem}_x{upscale}{VIDEO_SUFFIX if is_video(source) else suffix}"


def collect(inputs: Sequence[pathlib.Path], folder: pathlib.Path, upscale: int, suffix: str = ".png") -> Work:
    """List the work of a run.

    Parameters
    ----------
    inputs : list of pathlib.Path
        Files, taken whatever their extension, and folders, taken with their sub-folders. Hidden files and folders
        (a dot in front) are passed over, and links to folders are not followed.
    folder : pathlib.Path
        Where results go; a folder's sub-folders are mirrored.
    upscale : int
    suffix : str
        Extension of pictures' results.

    Returns
    -------
    Work

    Raises
    ------
    UserError
        The output folder is, or lies in, one of the input folders: results would be taken for pictures next time.
    """
    found, refused, others = [], [], []  # found: source, its folder below the output's
    for path in inputs:
        if not path.is_dir():
            found.append((path, pathlib.Path()))
            continue
        if folder.resolve().is_relative_to(path.resolve()):
            raise UserError(
                f"the output folder {folder} {'is' if folder.resolve() == path.resolve() else 'lies inside'} the "
                f"input folder {path}, "
                "and the next run would take results for pictures; choose an output folder outside of it"
            )
        for file in _walk(path, refused):
            if file.suffix.lower() in PICTURES + VIDEOS:
                found.append((file, file.parent.relative_to(path)))
            else:
                others.append(file)
    found = list({os.path.realpath(source): (source, place) for source, place in reversed(found)}.values())[
        ::-1
    ]  # each file once
    names = collections.Counter(place / result_name(source, upscale, suffix) for source, place in found)
    jobs, owners = [], {os.path.realpath(source): source for source, _ in found}
    for source, place in found:
        name = place / result_name(source, upscale, suffix)
        if names[name] > 1:  # a.jpg and a.png: both keep their extension
            name = place / result_name(source, upscale, suffix, whole_name=True)
        output = folder / name
        owner = owners.setdefault(os.path.realpath(output), source)
        if owner is not source:
            refused.append(
                f"{source} is left out: its result {output} would replace "
                f"{'that input' if os.path.realpath(owner) == os.path.realpath(output) else f'the result of {owner}'}; "
                "give it a run and an output folder of its own"
            )
            continue
        jobs.append(Job(source, output, is_video(source)))
    return Work(jobs, refused, others)


def _walk(folder, refused):
    """Yield the files below a folder, sorted, without hidden ones; what cannot be listed is added to `refused`."""

    def note(error):
        refused.append(f"cannot list the folder {error.filename}: {error.strerror}; make it readable")

    for parent, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (pathlib.Path(parent) / name for name in sorted(files) if not name.startswith("."))
