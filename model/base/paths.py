"""Where things lie: the repository, its build folder, the data sets, the committed weights."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import secrets
from collections.abc import Callable, Iterator
from typing import IO

from model.base.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SRCNN_BUILD") or ROOT / "build").resolve()
WEIGHTS = ROOT / "model" / "weights"
NETWORKS = ROOT / "model" / "networks"
DATASETS = ("T91", "Set5", "Set14")
TEMPORARY = ".sr-"  # how the names of files begin that are not complete yet


def data_dir() -> pathlib.Path | None:
    """Return the folder that holds T91, Set5 and Set14, or None.

    Looked for in this order: `$SRCNN_DATA`, `build/data` (where `make download` unpacks the authors'
    archive), `shared/data` beside the checkout.
    """
    candidates = [BUILD / "data", ROOT.parent / "shared" / "data"]
    if os.environ.get("SRCNN_DATA"):
        candidates = [pathlib.Path(os.environ["SRCNN_DATA"])]
    for candidate in candidates:
        if (candidate / "Set5").is_dir():
            return candidate
    return None


def dataset_files(name: str) -> list[pathlib.Path]:
    """Return the sorted image files of a data set.

    Parameters
    ----------
    name : str
        "T91", "Set5" or "Set14".

    Raises
    ------
    UserError
        If the set is nowhere to be found.
    """
    root = data_dir()
    files = []
    if root is not None and (root / name).is_dir():
        files = sorted(p for p in (root / name).iterdir() if p.suffix.lower() in (".png", ".bmp"))
    if not files:
        raise UserError(
            f"data set {name} was not found: run `make download`, or point SRCNN_DATA at the folder that holds it"
        )
    return files


def make_folder(path: str | pathlib.Path) -> pathlib.Path:
    """Make a folder and its parents; raise `UserError` if that is not possible."""
    path = pathlib.Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make the folder {path}: {error.strerror}; make it writable, or set SRCNN_BUILD to another"
        ) from error
    return path


def take_lock(file: IO) -> bool:
    """Lock an open file until it is closed.

    Returns
    -------
    bool
        False if somebody else has it. On a file system without locks everybody gets it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


@contextlib.contextmanager
def atomic_write(
    path: str | pathlib.Path, announce: Callable | None = None, folder: str | pathlib.Path | None = None
) -> Iterator[pathlib.Path]:
    """Yield a temporary path beside `path`; rename it to `path` only if the block succeeds.

    Parameters
    ----------
    path : path-like
    announce : callable, optional
        Called with the temporary path before the file is made: who keeps a record can tell, after a process was
        killed, what it left.
    folder : path-like, optional
        Where the temporary file lies, on the same file system as `path`; beside it if None.

    Yields
    ------
    pathlib.Path
        Its name is short, whatever `path`'s, and keeps the suffix, since image and array writers choose their format
        by it.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder; choose another output")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _make_temporary(pathlib.Path(folder or path.parent), path.suffix, announce)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another output") from error
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _make_temporary(folder, suffix, announce):
    """Make an empty file of a new name."""
    while True:
        temporary = folder / f"{TEMPORARY}{secrets.token_hex(4)}{suffix if len(suffix) < 16 else ''}"
        if announce is not None:
            announce(temporary)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o600))
            return temporary


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
