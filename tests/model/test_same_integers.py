"""Quantisation gives the same integers on every processor: other BLAS kernels, thread counts, numpy's vector code.

What a processor would choose is set from outside, in processes of their own: OPENBLAS_CORETYPE picks the kernel of
another one, NPY_DISABLE_CPU_FEATURES takes numpy's faster loops away.
"""

import concurrent.futures
import os
import subprocess
import sys

import numpy as np
import pytest
from numpy._core import _multiarray_umath as numpy_core

from model.base.paths import ROOT, data_dir
from model.graph.weights import save_float
from tests.model.test_quantise import SMALL, float_model, picture

BLAS_KERNELS = {  # of OpenBLAS, and what they ask of the processor
    "Prescott": (),
    "Nehalem": ("SSE42",),
    "Sandybridge": ("AVX",),
    "Haswell": ("AVX2", "FMA3"),
    "Zen": ("AVX2", "FMA3"),
    "SkylakeX": ("AVX512F",),
}
CHILD = """
import sys, numpy as np
from model.graph.weights import load_float, save_quant
from model.quantise import data, search
data.CROPS, data.CROP = 12, 32
source, pictures, out = sys.argv[1:]
save_quant(search.quantise(load_float(source), list(np.load(pictures)))[0], out)
"""


def environments():
    """Yield (name, environment) of processors that this one can stand in for."""
    here = numpy_core.__cpu_features__
    yield "as it is, three threads", {"OPENBLAS_NUM_THREADS": "3", "OMP_NUM_THREADS": "3"}
    for kernel, needed in BLAS_KERNELS.items():
        if all(here.get(feature) for feature in needed):
            yield kernel, {"OPENBLAS_CORETYPE": kernel}
    optional = [feature for feature in numpy_core.__cpu_dispatch__ if here.get(feature)]
    if optional:
        yield "numpy's plain loops", {"NPY_DISABLE_CPU_FEATURES": " ".join(optional), "OPENBLAS_CORETYPE": "Prescott"}
        yield "numpy without its widest", {"NPY_DISABLE_CPU_FEATURES": " ".join(optional[len(optional) // 2 :])}


def run(command, environment):
    """Run a command of this project as on another processor."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS_CORE", "NPY_"))}
    result = subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, env=clean | environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def differences(one, other):
    """Return how many integers differ between two weight files, by array; arrays that agree are left out."""
    with np.load(one) as first, np.load(other) as second:
        assert first.files == second.files
        counts = {name: int((first[name] != second[name]).sum()) for name in first.files if name != "header"}
    return {name: count for name, count in counts.items() if count}


def compare(command, tmp_path):
    """Run `command(output)` under every environment; return the differences to the first one, by environment."""
    named = list(environments())
    outputs = [tmp_path / f"{i}_int8.npz" for i in range(len(named))]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda job: run(command(job[0]), job[1][1]), zip(outputs, named)))
    return {name: found for (name, _), path in zip(named, outputs) if (found := differences(outputs[0], path))}


def test_a_small_network(tmp_path):
    save_float(float_model(SMALL), tmp_path / "float.npz")
    np.save(tmp_path / "pictures.npy", np.stack([picture(0), picture(1)]))
    given = ["-c", CHILD, tmp_path / "float.npz", tmp_path / "pictures.npy"]
    assert compare(lambda output: [*given, output], tmp_path) == {}


@pytest.mark.data
def test_the_committed_network_from_the_pictures_on(tmp_path, monkeypatch):
    monkeypatch.setenv("SRCNN_DATA", str(data_dir()))
    monkeypatch.setenv("SRCNN_BUILD", str(tmp_path))  # reports are written there
    given = ["-m", "model.quantise", "--network", "srcnn915", "-o"]
    assert compare(lambda output: [*given, output], tmp_path) == {}
