"""Which way the folders may look: the contracts of pyproject.toml, held by import-linter
(`build/venv/bin/lint-imports`).
"""

import pathlib
import subprocess
import sys

import pytest

from model.base.paths import ROOT

pytest.importorskip("importlinter", reason="needs the package import-linter (make setup)")


def test_imports_go_one_way():
    program = pathlib.Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
