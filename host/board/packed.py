"""Overlays that come with the checkout, packed: `bitstreams/open/<board>/<overlay>.zip`, one that went through the open
tools each.
"""

from __future__ import annotations

import pathlib
import shutil
import tempfile
import zipfile

from host.board import overlay
from model.base.errors import UserError
from model.base.paths import make_folder

STAMP = (2000, 1, 1, 0, 0, 0)  # of packed files: the same overlay is the same archive
MANIFEST = "manifest.json"


def archive(board: str, label: str) -> pathlib.Path:
    """Return where the packed overlay of a board lies, if there is one."""
    return overlay.OVERLAYS / "open" / board / f"{label}.zip"


def pack(folder: pathlib.Path, path: pathlib.Path) -> None:
    """Pack an overlay's folder.

    Raises
    ------
    UserError
        If it is no whole overlay.
    """
    manifest = overlay.read_design(folder)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name in sorted([MANIFEST, *manifest["files"]]):
            info = zipfile.ZipInfo(name, STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, (folder / name).read_bytes())


def unpack(path: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Unpack an overlay where the host looks for it, all at once; what lies there already stays.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    UserError
        If the archive is damaged, or the folder cannot be written.
    """
    if (folder / MANIFEST).is_file():
        return folder
    temporary = None
    try:
        temporary = pathlib.Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=make_folder(folder.parent)))
        new = temporary / "new"
        new.mkdir()
        with zipfile.ZipFile(path) as file:
            for name in file.namelist():
                if pathlib.PurePath(name).name != name:
                    raise zipfile.BadZipFile(f"it has a file {name}")
                (new / name).write_bytes(file.read(name))
        overlay.read_design(new)
        new.rename(folder)
    except (OSError, zipfile.BadZipFile, EOFError, ValueError) as error:
        raise UserError(f"the overlay in {path} cannot be unpacked to {folder} ({error}); copy it again") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder
