"""The driver on PYNQ's own code: the tests of driver and overlays, and pynq_conformance.py, where `pynq` is installed.

`make setup` makes one for PYNQ 3.0.1, `make conformance PYNQ=3.1.2` another; every one that is there is tested.
"""

import os
import re
import subprocess

import pytest

from model.base.paths import BUILD, ROOT

VERSIONS = sorted(ready.parent.name.removeprefix("pynq-") for ready in BUILD.glob("pynq-*/.ready")) or ["3.0.1"]


@pytest.mark.parametrize("version", VERSIONS)
def test_driver_on_the_real_package(version):
    python = BUILD / f"pynq-{version}" / "bin" / "python"
    if not (python.parent.parent / ".ready").is_file():
        pytest.skip(f"there is no pynq package in {python.parent.parent}: `make setup` could not install it")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("BOARD", "XILINX_XRT") and not name.startswith("PYTEST_")
    }
    command = [
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/boards/test_driver.py",
        "tests/boards/test_overlay.py",
        "tests/boards/pynq_conformance.py",
    ]
    ended = subprocess.run(
        list(map(str, command)), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    passed = re.search(r"^(\d+) passed", ended.stdout.splitlines()[-1]) if ended.stdout else None
    assert ended.returncode == 0 and passed, ended.stdout[-4000:] + ended.stderr[-1000:]
    assert int(passed[1]) > 80 and "skipped" not in ended.stdout
