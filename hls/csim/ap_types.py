"""AMD's own ap_int and hls_stream headers for C simulation, kept under build/; nothing of them is committed."""

from __future__ import annotations

import pathlib

from hls.open.check.ap_types import FOLDER, fetch
from model.base.cache import build_lock
from model.base.paths import BUILD


def ap_types_dir() -> pathlib.Path:
    """Return the folder with `ap_int.h` and `hls_stream.h`, fetching it at the first call.

    Raises
    ------
    hls.open.errors.Refused
        If the wheel cannot be fetched or is not the expected one.
    """
    folder = BUILD / FOLDER
    with build_lock(folder.name):
        if not (folder / "ap_int.h").is_file():
            fetch(folder)
    return folder


if __name__ == "__main__":
    print(ap_types_dir())
