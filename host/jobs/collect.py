"""Which files become which: the list of work of a run over many pictures and videos.

A folder is taken with all its sub-folders, and the output folder gets the same ones.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Sequence

from host.jobs.kinds import is_video, wanted
from model.base import outputs
from model.base.errors import UserError

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


def result_name(
    source: pathlib.Path,
    upscale: int,
    suffix: str,
    whole_name: bool = False,
    mark: str | None = None,
    video_suffix: str = VIDEO_SUFFIX,
) -> str:
    """Return the usual name of a result: img.bmp -> img_x3.png (or img.bmp_x3.png); videos become mp4. `mark` stands in
    the place of _x3.
    """
    mark = f"_x{upscale}" if mark is None else mark
    return f"{source.name if whole_name else source.stem}{mark}{video_suffix if is_video(source) else suffix}"


def collect(
    inputs: Sequence[pathlib.Path],
    folder: pathlib.Path,
    upscale: int,
    suffix: str = ".png",
    beside: Callable[[pathlib.Path], Sequence[pathlib.Path]] = lambda output: (),
    mark: str | None = None,
    video_suffix: str = VIDEO_SUFFIX,
) -> Work:
    """List the work of a run.

    Parameters
    ----------
    inputs : list of pathlib.Path
        Files, taken whatever their extension, and folders, taken with their sub-folders. Hidden files and folders
        (a dot in front) are passed over. Links to folders are followed, each folder once.
    folder : pathlib.Path
        Where results go; a folder's sub-folders are mirrored.
    upscale : int
    suffix : str
        Extension of pictures' results.
    beside : callable
        Takes a picture's output; returns what else is written with it, which may not replace an input either.
    mark : str or None
        As for `result_name`.
    video_suffix : str
        Extension of videos' results.

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
        for file in _walk(path, folder, refused):
            if wanted(file):
                found.append((file, file.parent.relative_to(path)))
            else:
                others.append(file)
    found = list({os.path.realpath(source): (source, place) for source, place in reversed(found)}.values())[
        ::-1
    ]  # each file once
    name_of = functools.partial(result_name, upscale=upscale, suffix=suffix, mark=mark, video_suffix=video_suffix)
    names = collections.Counter(place / name_of(source) for source, place in found)
    one_place = functools.partial(outputs.place, folds=functools.cache(outputs.folds_case))
    sources = {one_place(source): source for source, _ in found}
    jobs, owners = [], dict(sources)
    for source, place in found:
        name = place / name_of(source)
        if names[name] > 1:  # a.jpg and a.png: both keep their extension
            name = place / name_of(source, whole_name=True)
        job = Job(source, folder / name, is_video(source))
        written = {one_place(path): path for path in (job.output, *(() if job.video else beside(job.output)))}
        taken = next((key for key in written if key in owners), None)
        if taken is not None:
            refused.append(
                f"{source} is left out: its {'result' if written[taken] == job.output else 'figure'} {written[taken]} "
                f"would replace "
                f"{_which(source, sources[taken]) if taken in sources else f'the result of {owners[taken]}'}; "
                "give it a run and an output folder of its own"
            )
            continue
        owners.update(dict.fromkeys(written, source))
        jobs.append(job)
    return Work(jobs, refused, others)


def _which(source, owner):
    return "it" if owner == source else f"the input {owner}"


def _walk(folder, output, refused):
    """Yield the files below a folder, sorted, without hidden ones; what cannot be listed, and what links lead to in a
    circle or into the output folder, is added to `refused`.
    """

    def note(error):
        refused.append(f"cannot list the folder {error.filename}: {error.strerror}; make it readable")

    seen, output = set(), outputs.inode(output)
    todo = collections.deque([folder])  # the folder, then the folders that links lead to: real places come first
    while todo:
        start = todo.popleft()
        if outputs.inode(start) in seen:
            continue
        for parent, folders, files in os.walk(start, onerror=note):
            here = pathlib.Path(parent)
            seen.add(outputs.inode(here))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for link in [here / name for name in folders if (here / name).is_symlink()]:
                leads_to = outputs.inode(link)
                if leads_to in map(outputs.inode, here.resolve().joinpath("x").parents):
                    refused.append(f"the link {link} leads back to a folder that it lies in; remove it")
                elif output is not None and output in map(outputs.inode, (link, *link.resolve().parents)):
                    refused.append(f"the link {link} leads into the output folder; remove it or choose another output")
                else:
                    todo.append(link)
            if start != folder:  # beyond a link a folder may have been there before
                folders[:] = [name for name in folders if outputs.inode(here / name) not in seen]
            yield from (here / name for name in sorted(files) if not name.startswith("."))
