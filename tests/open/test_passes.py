"""LLVM's optimiser on IR that random kernels brought it to."""

import subprocess
import sys

import pytest

pytest.importorskip("llvmlite", reason="the open route needs llvmlite")

# Two neighbouring bytes in a sum of 12 bits: LLVM 22 reads both at once, and fails to make 12 bits of the 16 (its
# assertion takes the process down). Seed 5199 of `make fuzz`.
NARROW = """
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-unknown-linux-gnu"
define i12 @f(ptr %p) {
  %a = load i8, ptr %p
  %q = getelementptr i8, ptr %p, i64 1
  %b = load i8, ptr %q
  %low = zext i8 %a to i12
  %wide = zext i8 %b to i12
  %high = shl i12 %wide, 8
  %sum = or i12 %low, %high
  ret i12 %sum
}
"""


def test_neighbouring_bytes_in_a_narrow_sum():
    run = "import sys; from hls.open.read.passes import optimise; print(optimise(sys.stdin.read()))"
    done = subprocess.run([sys.executable, "-c", run], input=NARROW, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("load i8") == 2
