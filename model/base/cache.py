"""What is built once per content: a folder named after a digest of all that goes in is found again, never
overwritten.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import pathlib
import shutil
from collections.abc import Callable, Iterable, Iterator

from model.base.errors import UserError
from model.base.paths import BUILD, make_folder

DIGITS = 12


def digest(recipe: object, files: Iterable[str | pathlib.Path] = (), root: str | pathlib.Path | None = None) -> str:
    """Return the hexadecimal digits that stand for a content.

    Parameters
    ----------
    recipe : object
        Whatever decides besides the files: texts, options, versions; its `repr` is hashed.
    files : iterable of path-like
        Their names, contents and order decide.
    root : path-like, optional
        Names are relative to this folder; by default only a file's own name counts, wherever it lies.
    """
    found = hashlib.sha256(repr(recipe).encode())
    for path in map(pathlib.Path, files):
        name = path.relative_to(root).as_posix() if root else path.name
        found.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:DIGITS]


def processor() -> list[str]:
    """Return what a compiler's -march=native depends on, for a recipe: a build folder carried to another machine is not
    used there.
    """
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
    return sorted({line for line in lines if line.startswith(("flags", "model name", "Features"))})


@contextlib.contextmanager
def build_lock(name: str) -> Iterator[None]:
    """Let one process build what `name` stands for, while others that want the same wait for it."""
    path = make_folder(BUILD / "locks") / name
    try:
        file = open(path, "a", encoding="ascii")
    except OSError as error:
        raise UserError(
            f"cannot lock {path}: {error.strerror}; name a build folder of your own in SRCNN_BUILD"
        ) from error
    with file:
        with contextlib.suppress(OSError):  # a file system without locks: everybody builds, the last one stays
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def built(folder: pathlib.Path, make: Callable) -> pathlib.Path:
    """Return a folder that `make` has filled; it does so once, and a folder that is there is complete.

    Parameters
    ----------
    folder : pathlib.Path
        `<name>-<digest>`.
    make : callable
        Takes a new folder beside it, which becomes `folder` when it returns. If it raises a `UserError`, the new folder
        stays as `failed-<name>` for its logs, until the next failure or success.

    Raises
    ------
    UserError
        What `make` says; paths in it are those of the folder that stays.
    """
    if not folder.is_dir():  # what is there is read where nothing can be written, too
        with build_lock(folder.name):
            if not folder.is_dir():
                _build(folder, make)
    return folder


def _build(folder, make):
    name = folder.name.rpartition("-")[0]
    temporary, failed = folder.with_name(f".{folder.name}"), folder.with_name(f"failed-{name}")
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed: the lock is ours now
    try:
        make(make_folder(temporary))
        temporary.rename(folder)
        shutil.rmtree(failed, ignore_errors=True)
    except Exception as error:
        # What the compiler refuses is an exception of click, which need not be there.
        if not isinstance(error, UserError) and not hasattr(error, "exit_code"):
            raise
        with build_lock(failed.name):  # another content of this name may fail at the same time
            shutil.rmtree(failed, ignore_errors=True)
            if temporary.is_dir():
                temporary.rename(failed)
        error.message = str(error).replace(str(temporary), str(failed))
        error.args = (error.message,)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
