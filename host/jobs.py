"""Which files become which, and what is done already: the list of work of a run over many pictures and videos.

A folder is taken with all its sub-folders, and the output folder gets the same ones. What a run has finished is
recorded in the output folder, so that the next run goes on where this one ended.
"""

import collections
import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import json
import os
import pathlib
import re

from model.base.errors import UserError

PICTURES = (".bmp", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
VIDEO_SUFFIX = ".mp4"
RECORD = ".run_pynq.jsonl"
_TEMPORARY = re.compile(r"\.(.+)-\w{8}(\.\w+)", re.DOTALL)  # as `model.base.paths.atomic_write` names them
_FORMAT = 1  # of the record; and of how settings become a digest


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


def is_video(path):
    """Tell whether a file is a video, by its extension."""
    return path.suffix.lower() in VIDEOS


def result_name(source, upscale, suffix, whole_name=False):
    """Return the usual name of a result: img.bmp -> img_x3.png (or img.bmp_x3.png); videos become mp4."""
    return f"{source.name if whole_name else source.stem}_x{upscale}{VIDEO_SUFFIX if is_video(source) else suffix}"


def collect(inputs, folder, upscale, suffix=".png"):
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
            raise UserError(f"the output folder {folder} {'is' if folder.resolve() == path.resolve() else 'lies inside'} the input folder {path}, "
                            "and the next run would take results for pictures; choose an output folder outside of it")
        for file in _walk(path, refused):
            if file.suffix.lower() in PICTURES + VIDEOS:
                found.append((file, file.parent.relative_to(path)))
            else:
                others.append(file)
    found = list({os.path.realpath(source): (source, place) for source, place in reversed(found)}.values())[::-1]  # each file once
    names = collections.Counter(place / result_name(source, upscale, suffix) for source, place in found)
    jobs, owners = [], {os.path.realpath(source): source for source, _ in found}
    for source, place in found:
        name = place / result_name(source, upscale, suffix)
        if names[name] > 1:  # a.jpg and a.png: both keep their extension
            name = place / result_name(source, upscale, suffix, whole_name=True)
        output = folder / name
        owner = owners.setdefault(os.path.realpath(output), source)
        if owner is not source:
            refused.append(f"{source} is left out: its result {output} would replace "
                           f"{'that input' if os.path.realpath(owner) == os.path.realpath(output) else f'the result of {owner}'}; "
                           "give it a run and an output folder of its own")
            continue
        jobs.append(Job(source, output, is_video(source)))
    return Work(jobs, refused, others)


def settings_digest(model, **settings):
    """Return a short text that changes when anything changes that decides the bits of a result.

    Parameters
    ----------
    model : QuantModel
    **settings
        JSON values. Backends and tiles don't belong here: they all give the same bits.
    """
    digest = hashlib.sha256(json.dumps([_FORMAT, model.network.name, model.upscale, settings], sort_keys=True).encode())
    for layer in model.layers:
        for array in (layer.weight, layer.bias, layer.shift):
            digest.update(array.tobytes())
    return digest.hexdigest()[:16]


class Record:
    """What is finished in an output folder, and the folder's lock; use as a context manager.

    A line of JSON per finished file, appended when the file is in place. A result counts as finished while it and its
    input have the size and time of change that were recorded, and the settings are the same. A line that was cut short
    counts for nothing, and without the record everything is computed again.

    Parameters
    ----------
    folder : pathlib.Path
        Made if missing.

    Raises
    ------
    UserError
        Another run has the folder, or it cannot be written.
    """

    def __init__(self, folder):
        self.folder = output_folder(folder)
        self._lines = {}
        try:
            self._file = open(folder / RECORD, "a+", encoding="ascii", errors="replace")
        except OSError as error:
            raise UserError(f"cannot write into the folder {folder}: {error.strerror}; choose another output folder") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise UserError(f"another run is writing into {folder}; wait for its end or choose another output folder") from error
        except OSError:  # a file system without locks
            pass
        self._file.seek(0)
        for line in self._file:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                self._lines[entry["output"]] = entry

    def finished(self, job, settings):
        """Tell whether a job's files are there, made from this input with these settings, and untouched since."""
        entry = self._lines.get(self._name(job.output))
        try:
            return (entry is not None and entry["settings"] == settings and entry["source"] == os.path.realpath(job.source)
                    and entry["stamp"] == stamp(job.source)
                    and all(stamp(self.folder / name) == value for name, value in entry["files"].items()))
        except (OSError, KeyError, TypeError, AttributeError):
            return False

    def add(self, job, settings, source_stamp, files):
        """Record a finished job.

        Parameters
        ----------
        job : Job
        settings : str
        source_stamp : list
            The input's `stamp` from before it was read: what changes meanwhile is not done.
        files : iterable of pathlib.Path
            What was written for it.

        Raises
        ------
        OSError
            The record cannot be written; the files are in place all the same.
        """
        entry = {"output": self._name(job.output), "source": os.path.realpath(job.source), "stamp": source_stamp, "settings": settings,
                 "files": {self._name(path): stamp(path) for path in files}}
        self._file.write(f"\n{json.dumps(entry)}")  # the line feed first: what a full disk cut short stays a line of its own
        self._file.flush()
        self._lines[entry["output"]] = entry

    def _name(self, path):
        return os.path.relpath(path, self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        with contextlib.suppress(OSError):  # a full disk has been reported already
            self._file.close()


def output_folder(path):
    """Make a folder for results, and its parents; raise `UserError` if that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {path}: {error.strerror}; choose another output") from error
    return path


def stamp(path):
    """Return [size, time of the last change] of a file: what tells that it is still the same one."""
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns]


def remove_leftovers(jobs):
    """Remove what a run that was killed left of these outputs: temporary files, which nobody else knows.

    Parameters
    ----------
    jobs : list of Job
        In a folder that this run has locked.
    """
    outputs = collections.defaultdict(set)
    for job in jobs:
        outputs[job.output.parent].add((job.output.stem, job.output.suffix))
    for folder, names in outputs.items():
        with contextlib.suppress(OSError):
            for path in list(folder.iterdir()):
                match = _TEMPORARY.fullmatch(path.name)
                if match and match.groups() in names:
                    path.unlink()


def is_full(error):
    """Tell whether an error comes, through whatever others, from a full disk: then the next file would fail as well."""
    while error is not None:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    return False


def _walk(folder, refused):
    """Yield the files below a folder, sorted, without hidden ones; what cannot be listed is added to `refused`."""
    def note(error):
        refused.append(f"cannot list the folder {error.filename}: {error.strerror}; make it readable")

    for parent, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (pathlib.Path(parent) / name for name in sorted(files) if not name.startswith("."))
