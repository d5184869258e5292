"""What a run has finished is recorded in the output folder, so that the next run goes on where this one ended."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import pathlib
from typing import TYPE_CHECKING

from model.base.errors import UserError
from model.base.outputs import Inputs
from model.base.paths import TEMPORARY, take_lock

if TYPE_CHECKING:
    from host.jobs.collect import Job
    from model.graph.weights import QuantModel

RECORD = ".run_pynq.jsonl"
_FORMAT = 2  # of the record; and of how settings become a digest


def settings_digest(model: QuantModel, **settings: object) -> str:
    """Return a short text that changes when anything changes that decides the bits of a result.

    Parameters
    ----------
    model : QuantModel
    **settings
        JSON values. Backends and tiles don't belong here: they all give the same bits.
    """
    network = dataclasses.asdict(model.network)
    digest = hashlib.sha256(json.dumps([_FORMAT, network, model.upscale, settings], sort_keys=True).encode())
    for layer in model.layers:
        for array in vars(layer).values():
            digest.update(b"" if array is None else array.tobytes())
    return digest.hexdigest()[:16]


class Record:
    """What is finished in an output folder, and the folder's lock; use as a context manager.

    A line of JSON per finished file, appended when the file is in place, and one before a temporary file is made, so
    that the next run knows what a killed one left; nothing else is ever removed. A result counts as finished while it
    and its input have the size and time of change that were recorded, and the settings are the same. A line that was
    cut short counts for nothing, and without the record everything is computed again.

    Parameters
    ----------
    folder : pathlib.Path
        Made if missing.
    inputs : Inputs, optional
        Files that must not be written to.

    Raises
    ------
    UserError
        Another run has the folder, or it cannot be written, or the record would be written into an input.
    """

    def __init__(self, folder: pathlib.Path, inputs: Inputs | None = None) -> None:
        self.folder = output_folder(folder)
        self._lines, self._writing, self._becoming = {}, set(), set()
        if os.path.islink(folder / RECORD) or (inputs and inputs.owner(folder / RECORD) is not None):
            raise UserError(
                f"{folder / RECORD}, where a run records what is finished, leads to another file; remove that link or "
                f"choose another output folder"
            )
        try:
            self._file = open(folder / RECORD, "a+", encoding="ascii", errors="replace")
        except OSError as error:
            raise UserError(
                f"cannot write into the folder {folder}: {error.strerror}; choose another output folder"
            ) from error
        if not take_lock(self._file):
            self._file.close()
            raise UserError(f"another run is writing into {folder}; wait for its end or choose another output folder")
        self._file.seek(0)
        for line in self._file:
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                entry = json.loads(line)
                if isinstance(entry.get("writing"), str):
                    self._writing.add(entry["writing"])
                    self._becoming.add(entry.get("becomes"))
                else:
                    self._lines[entry["output"]] = entry
                    self._becoming.difference_update(entry.get("files", ()))

    def finished(self, job: Job, settings: str) -> bool:
        """Tell whether a job's files are there, made from this input with these settings, and untouched since."""
        entry = self._lines.get(self._name(job.output))
        try:
            return (
                entry is not None
                and entry["settings"] == settings
                and entry["source"] == os.path.realpath(job.source)
                and entry["stamp"] == stamp(job.source)
                and all(stamp(self.folder / name) == value for name, value in entry["files"].items())
            )
        except (OSError, KeyError, TypeError, AttributeError):
            return False

    def add(self, job: Job, settings: str, source_stamp: list[int], files: list[pathlib.Path]) -> None:
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
        entry = {
            "output": self._name(job.output),
            "source": os.path.realpath(job.source),
            "stamp": source_stamp,
            "settings": settings,
            "files": {self._name(path): stamp(path) for path in files},
        }
        self._append(entry)
        self._lines[entry["output"]] = entry

    def writing(self, temporary: pathlib.Path, output: pathlib.Path | None = None) -> None:
        """Record the name of a file that is about to be made (`announce` of `model.base.paths.atomic_write`), and of
        the file that it will become.
        """
        self._append({"writing": self._name(temporary), "becomes": output and self._name(output)})
        self._writing.add(self._name(temporary))

    def owns(self, path: pathlib.Path) -> bool:
        """Tell whether a file in the output folder is as a run has left it, or was being written when a run ended."""
        name = self._name(path)
        known = [entry["files"][name] for entry in self._lines.values() if name in entry.get("files", ())]
        try:
            return (bool(known) and known[-1] == stamp(path)) or name in self._becoming
        except OSError:
            return True

    def remove_leftovers(self) -> None:
        """Remove the temporary files that this record names: of runs that were killed."""
        for name in sorted(self._writing):
            path = pathlib.PurePath(name)
            # what is written into a record by others leads nowhere else
            if path.name.startswith(TEMPORARY) and not path.is_absolute() and ".." not in path.parts:
                with contextlib.suppress(OSError, ValueError):
                    (self.folder / path).unlink()
        self._writing.clear()

    def _append(self, entry):
        self._file.write(
            f"\n{json.dumps(entry)}"
        )  # the line feed first: what a full disk cut short stays a line of its own
        self._file.flush()

    def _name(self, path):
        return os.path.relpath(path, self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        with contextlib.suppress(OSError):  # a full disk has been reported already
            self._file.close()


def output_folder(path: pathlib.Path) -> pathlib.Path:
    """Make a folder for results, and its parents; raise `UserError` if that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {path}: {error.strerror}; choose another output") from error
    return path


def stamp(path: str | pathlib.Path) -> list[int]:
    """Return [size, time of the last change] of a file: what tells that it is still the same one."""
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns]


def is_full(error: UserError) -> bool:
    """Tell whether an error comes, through whatever others, from a full disk: then the next file would fail as well."""
    while error is not None:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    return False
