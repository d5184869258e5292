"""Fetch the training and test pictures: `python -m model.data.download`.

T91, Set5 and Set14 come in the archives of the paper's project page. What is checked is every picture: the
sha256 of its decoded pixels has to be the one in `model/data/datasets.sha256` (the sums of the archives themselves
aren't known to this project, so they are printed, not compared). Pictures are recognised by their pixels
alone, wherever they lie in an archive and whatever they are called there, and are written under names from
our list; a name in an archive never becomes a path. The data sets appear whole and checked, or not at all.
"""

from __future__ import annotations

import hashlib
import http.client
import pathlib
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib

import click
import cv2
import numpy as np
from tqdm import tqdm

from model.base.errors import UserError, report_user_errors
from model.base.paths import BUILD, atomic_write

PAGE = "http://mmlab.ie.cuhk.edu.hk/projects/SRCNN/"
ARCHIVES = ("SRCNN_v1.zip", "SRCNN_train.zip")  # in this order, until every picture is found
SUMS = pathlib.Path(__file__).with_name("datasets.sha256")
TIMEOUT = 30  # seconds without a byte
_PICTURE_LIMIT = 16 << 20  # bytes unpacked; the largest picture has 1.2 MB, a zip bomb has more


def read_sums(path: pathlib.Path = SUMS) -> dict[str, str]:
    """Return {"T91/t1.bmp": sha256 of its pixels, ...}."""
    return {name: digest for digest, name in (line.split() for line in path.read_text().splitlines())}


def pixel_sum(picture: np.ndarray) -> str:
    """Return the sha256 of a picture's pixels, row-major, RGB or grey; `picture` as OpenCV decodes it (BGR or grey)."""
    if picture.ndim == 3:
        picture = picture[:, :, ::-1]
    return hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest()


def fetch(url: str, path: pathlib.Path) -> None:
    """Download `url` to `path`, which appears only when complete.

    Raises
    ------
    UserError
        Offline, not found, broken off, or the disk refuses.
    """
    remedy = "check the connection, or give an archive you already have with --from FILE"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response, atomic_write(path) as temporary:
            size = int(response.headers.get("Content-Length") or 0)
            with (
                open(temporary, "wb") as file,
                tqdm(total=size or None, unit="B", unit_scale=True, desc=path.name) as bar,
            ):
                while block := response.read(1 << 16):
                    file.write(block)
                    bar.update(len(block))
                if size and file.tell() != size:
                    raise UserError(f"{url} broke off after {file.tell()} of {size} bytes; {remedy}")
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise UserError(f"cannot download {url} ({getattr(error, 'reason', None) or error}); {remedy}") from error


def find_pictures(archive: pathlib.Path, sums: dict[str, str]) -> dict[str, bytes]:
    """Return the pictures of `sums` that an archive holds.

    Parameters
    ----------
    archive : pathlib.Path
        A zip file.
    sums : dict of str to str
        See `read_sums`.

    Returns
    -------
    dict of str to bytes
        Name in `sums` -> picture file.

    Raises
    ------
    UserError
        If it is not a zip file, or a damaged one.
    """
    names = {}
    for name, digest in sums.items():
        names.setdefault(digest, []).append(name)  # T91 has a picture twice
    found = {}
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                if not member.filename.lower().endswith((".bmp", ".png")) or member.file_size > _PICTURE_LIMIT:
                    continue
                content = opened.read(member)
                picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if content else None
                for name in names.get(pixel_sum(picture), ()) if picture is not None else ():
                    found[name] = content
    except (OSError, EOFError, RuntimeError, NotImplementedError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(f"the archive {archive} is missing or damaged ({error}); download it again") from error
    return found


def install(pictures: dict[str, bytes], sums: dict[str, str], folder: pathlib.Path) -> None:
    """Write the pictures as `folder`/<set>/<name>; the folder appears, or is replaced, only when complete.

    Raises
    ------
    UserError
        If a picture is missing or the folder cannot be written.
    """
    missing = [name for name in sums if name not in pictures]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(sums)} pictures are missing or altered, the first is {missing[0]}; "
            "take the authors' archives (SRCNN_v1.zip and SRCNN_train.zip), unchanged"
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".data-", dir=folder.parent) as temporary:
            new, old = pathlib.Path(temporary, "new"), pathlib.Path(temporary, "old")
            for name in sums:
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                (new / name).write_bytes(pictures[name])
            if folder.exists():
                folder.rename(old)
            new.rename(folder)
    except OSError as error:
        raise UserError(
            f"cannot write {folder}: {error.strerror}; free or unlock the place, or set SRCNN_BUILD to another"
        ) from error


def is_complete(folder: pathlib.Path, sums: dict[str, str]) -> bool:
    """Tell whether every picture is in the folder with the right pixels."""
    for name, digest in sums.items():
        picture = cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED) if (folder / name).is_file() else None
        if picture is None or pixel_sum(picture) != digest:
            return False
    return True


@click.command()
@click.option(
    "--from",
    "archives",
    type=click.Path(path_type=pathlib.Path),
    multiple=True,
    help="An archive already on disk, instead of a download; may be given twice.",
)
@report_user_errors
def main(archives: tuple[pathlib.Path, ...]) -> None:
    """Fetch T91, Set5 and Set14 into build/data."""
    sums, folder = read_sums(), BUILD / "data"
    if not archives and is_complete(folder, sums):
        print(f"{folder} is complete: {len(sums)} pictures, all as they should be")
        return
    free = shutil.disk_usage(folder.parent if folder.parent.is_dir() else pathlib.Path.cwd()).free
    if free < 200 << 20:
        raise UserError(f"only {free >> 20} MiB are free for {folder}; the archives and pictures need 200 MiB")
    pictures = {}
    for archive in archives or ARCHIVES:
        if not archives:
            url, archive = PAGE + archive, BUILD / "cache" / archive
            fetch(url, archive)
            print(f"{archive.name}: sha256 {hashlib.sha256(archive.read_bytes()).hexdigest()}")
        pictures.update(find_pictures(archive, sums))
        if len(pictures) == len(sums):
            break
    install(pictures, sums, folder)
    print(f"{folder}: {len(sums)} pictures, every one checked")


if __name__ == "__main__":
    main()
