"""AMD's own ap_int headers, which ship (Apache-2.0) with Vitis HLS and inside the hls4ml wheel: where they are found.

The wheel is fetched through pip once, its checksum compared, and the headers unpacked into a cache of the user's.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from hls.open.errors import Refused

WHEEL = "hls4ml==1.3.0"
SHA256 = "01bf1de2cd9bca56699b9fe3385cb1735026b022f9580fe1d73faf192dfb90f2"
INSIDE = "hls4ml/templates/vivado/ap_types/"
VARIABLE = "HLS_OPEN_AP_TYPES"  # the environment's name for the folder
FOLDER = f"ap_types-{SHA256[:8]}"


def fetch(folder: Path) -> None:
    """Unpack the wheel's headers into `folder`, which appears whole or not at all.

    Raises
    ------
    Refused
        If the wheel can't be fetched or is not the expected one.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", temporary, WHEEL]
        result = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(temporary).glob("*.whl"))
        if result.returncode or len(wheels) != 1:
            raise Refused(
                f"AMD's headers could not be fetched (pip download {WHEEL} failed); connect to the internet once and "
                f"run it again"
            )
        if hashlib.sha256(wheels[0].read_bytes()).hexdigest() != SHA256:
            raise Refused(f"the wheel of {WHEEL} has an unexpected checksum; delete pip's cache and run it again")
        unpacked = Path(temporary) / "ap_types"
        with zipfile.ZipFile(wheels[0]) as archive:
            for name in archive.namelist():
                if name.startswith(INSIDE) and name.endswith(".h"):
                    target = unpacked / name[len(INSIDE) :]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(archive.read(name))
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)


def find(given: str | None = None) -> tuple[Path | None, str]:
    """Return the folder with AMD's `ap_int.h`, or None and why there is none.

    Looked for, in this order: `given`, the variable HLS_OPEN_AP_TYPES, Vitis HLS (XILINX_HLS), an installed hls4ml, the
    user's cache; then the wheel is fetched.

    Raises
    ------
    Refused
        If `given` or the variable names a folder without `ap_int.h`.
    """
    for folder, whose in ((given, "--ap-types"), (os.environ.get(VARIABLE), VARIABLE)):
        if folder:
            if not (Path(folder) / "ap_int.h").is_file():
                raise Refused(f"'{folder}', from {whose}, has no ap_int.h: name the folder of AMD's headers")
            return Path(folder).resolve(), ""
    places = []
    if os.environ.get("XILINX_HLS"):
        places.append(Path(os.environ["XILINX_HLS"]) / "include")
    spec = importlib.util.find_spec("hls4ml")
    if spec is not None and spec.origin:
        places.append(Path(spec.origin).parent / "templates" / "vivado" / "ap_types")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hls-open" / FOLDER
    for place in (*places, cache):
        if (place / "ap_int.h").is_file():
            return place, ""
    try:
        fetch(cache)
    except Refused as refusal:
        return None, refusal.what
    except OSError as error:
        return None, f"AMD's headers could not be kept in {cache}: {error.strerror}"
    return cache, ""
