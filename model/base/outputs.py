"""Where a result may be written: never over an input, whatever its spelling, and only where name and space allow it.

Files are told apart by device and inode, not by name: symbolic and hard links, `./in/../a.png`, and the two spellings
of one name on a file system that does not tell upper from lower case are one file.
"""

from __future__ import annotations

import errno
import os
import pathlib
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Iterable

from model.base.errors import UserError

NAME_MAX = 255  # bytes, where the system does not say


class Inputs:
    """The files that must not be replaced.

    Parameters
    ----------
    paths : iterable of path-like or None
        Those that do not exist are passed over: reading them will say so.
    """

    def __init__(self, paths: Iterable[str | pathlib.Path | None] = ()) -> None:
        self._owners = {}
        for path in paths:
            key = None if path is None else inode(path)
            if key is not None:
                self._owners.setdefault(key, path)

    def owner(self, path: str | pathlib.Path) -> str | pathlib.Path | None:
        """Return the input that `path` is, as it was given, or None."""
        key = inode(path)
        return None if key is None else self._owners.get(key)


def inode(path: str | pathlib.Path) -> tuple[int, int] | None:
    """Return (device, inode) of the file that a path leads to, or None if there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def place(path: str | pathlib.Path, folds: Callable[[pathlib.Path], bool] | None = None) -> tuple:
    """Return what two paths have in common if and only if writing one would replace the other: the inode of a file
    that is there, else the inode of its folder and the name, in one case where the file system knows but one.

    Parameters
    ----------
    path : path-like
    folds : callable, optional
        `folds_case`, perhaps with a memory.
    """
    path = pathlib.Path(os.path.abspath(path))
    found = inode(path)
    if found is not None:
        return found
    above, names = path.parent, [path.name]
    while inode(above) is None and above != above.parent:
        above, names = above.parent, [above.name, *names]
    if (folds or folds_case)(above):
        names = [unicodedata.normalize("NFC", name).casefold() for name in names]
    return inode(above), *names


def folds_case(folder: pathlib.Path) -> bool:
    """Tell whether a folder's file system takes upper and lower case for one, by a file that is made and removed.

    False where nothing can be written: then nothing can be replaced either.
    """
    try:
        with tempfile.NamedTemporaryFile(prefix=".sr-case-", dir=folder) as file:
            return inode(os.path.join(folder, os.path.basename(file.name).upper())) == inode(file.name)
    except (OSError, ValueError):
        return False


def check_place(
    path: str | pathlib.Path, inputs: Inputs | str | pathlib.Path | Iterable, bytes_needed: int = 0
) -> None:
    """Raise `UserError` unless a file can be written to `path` later, before hours are spent on it.

    Parameters
    ----------
    path : path-like
    inputs : Inputs, path-like, or iterable of path-like or None
        What must not be replaced.
    bytes_needed : int
        What the file may take at most, if that is known.
    """
    path = pathlib.Path(path)
    if not isinstance(inputs, Inputs):
        inputs = Inputs([inputs] if isinstance(inputs, (str, os.PathLike)) else inputs)
    _check_name(path)
    try:
        if path.is_dir():
            raise UserError(f"cannot write {path}: it is a folder; give a file name in it")
        owner = inputs.owner(path)
        if owner is not None:
            raise UserError(
                f"the output {path} is the input{'' if str(owner) == str(path) else f' {owner}'}; choose another "
                f"output, the original would be lost"
            )
        if path.exists() and not path.is_file():
            raise UserError(f"cannot write {path}: it is not a regular file; choose another output")
        if path.exists() and not os.access(path, os.W_OK):  # a rename would replace it all the same
            raise UserError(f"cannot write {path}: it is write-protected; choose another output")
        if not path.parent.exists():
            raise UserError(
                f"cannot write {path}: the folder {path.parent} does not exist; create it or choose another output"
            )
        # the only test that tells the truth to root, and on any file system
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        free = shutil.disk_usage(path.parent).free
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {path}: {reason(error)}; choose another output") from error
    if free < bytes_needed:
        raise UserError(
            f"cannot write {path}: it may take {bytes_needed / 1e6:.1f} MB and {free / 1e6:.1f} MB are free there; "
            f"free some space or choose another output"
        ) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def reason(error: Exception) -> str:
    """Return why the system refused something, in words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _check_name(path):
    try:
        longest = os.pathconf(path.parent, "PC_NAME_MAX")
    except (OSError, ValueError, AttributeError):
        longest = NAME_MAX
    if len(os.fsencode(path.name)) > longest:
        raise UserError(
            f"cannot write {path}: its name has {len(os.fsencode(path.name))} bytes, the limit there is {longest}; "
            f"choose a shorter name with -o"
        )
