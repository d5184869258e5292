"""What `make lint` asks for: Python and C++ are formatted, and the linter finds nothing. Imports: test_imports.py."""

import subprocess
import sys

import pytest

from hls.vendor import format_cpp
from model.base.paths import ROOT

pytest.importorskip("ruff", reason="needs the package ruff (make setup)")


@pytest.mark.parametrize("command", [("ruff", "check"), ("ruff", "format", "--check")], ids=" ".join)
def test_python(command):
    done = subprocess.run([sys.executable, "-m", *command, "."], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def test_cpp():
    wrong = [
        path.name
        for path in format_cpp.sources()
        if format_cpp.formatted(path.read_text(), path.name) != path.read_text()
    ]
    assert len(format_cpp.sources()) > 20 and not wrong, f"run `make format`: {wrong}"


def test_pragmas_pass_the_formatter_as_they_are():
    """Short ones and long ones, at the left edge, where they end up."""
    long = "#pragma HLS DEPENDENCE " + " ".join(f"option{i}=value" for i in range(12))
    text = f"void f() {{\n    #pragma HLS DEPENDENCE variable=a.data type=inter\n{long}\n int   a = 0;\n}}\n"
    right = f"void f() {{\n#pragma HLS DEPENDENCE variable=a.data type=inter\n{long}\n    int a = 0;\n}}\n"
    assert format_cpp.formatted(text, "a.hpp") == right
