"""A folder of results: written whole or not at all, and nobody else's files touched."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hls.open.errors import Refused

LIST = "hls-open.json"  # in the folder: the files that are ours


@contextlib.contextmanager
def whole_folder(output: str | Path) -> Iterator[Path]:
    """Give an empty folder to write into; its files are moved to `output` at the end, if nothing was raised.

    What an earlier run left in `output` is replaced, what it no longer writes is removed. Files of others stay.

    Raises
    ------
    Refused
        If `output` is no folder, can't be written, or holds a file of others that would have to be replaced.
    """
    output = Path(output)
    for place in (output, *output.parents):
        if place.exists() and not place.is_dir():
            raise Refused(f"the output '{output}' can't be written: '{place}' is no folder, choose another name")
    old = _ours(output)
    try:
        existing = next(p for p in (output, *output.absolute().parents) if p.is_dir())
        work = Path(tempfile.mkdtemp(prefix=".hls-open-", dir=existing))
    except OSError as error:
        raise Refused(f"the output '{output}' can't be written: {error.strerror}") from None
    try:
        yield work
        new = sorted(str(p.relative_to(work)) for p in work.rglob("*") if p.is_file())
        foreign = [name for name in new if name not in old and (output / name).exists()]
        if foreign:
            raise Refused(f"'{output / foreign[0]}' is not of an earlier run: move it, or choose another folder")
        (work / LIST).write_text(json.dumps({"files": new}, indent=1) + "\n")
        try:
            _publish(work, output, [*new, LIST], old)
        except OSError as error:
            raise Refused(f"the output '{output}' can't be written: {error.strerror} ({error.filename})") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _ours(output):
    """Names of the files that an earlier run wrote."""
    try:
        return set(json.loads((output / LIST).read_text())["files"])
    except FileNotFoundError:
        return set()
    except (OSError, ValueError, KeyError, TypeError):
        raise Refused(f"'{output / LIST}' can't be read: remove it, or choose another folder") from None


def _publish(work, output, new, old):
    output.mkdir(parents=True, exist_ok=True)
    for name in new:
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(work / name, output / name)
    for name in old - set(new):
        path = (output / name).resolve()
        if output.resolve() in path.parents:  # the list is a file that somebody may have edited
            path.unlink(missing_ok=True)
