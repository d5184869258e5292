"""Quantisation gives the same integers on every processor: other BLAS kernels, thread counts, numpy's vector code.

What a processor would choose is set from outside, in processes of their own: OPENBLAS_CORETYPE picks the kernel of
another one, NPY_DISABLE_CPU_FEATURES takes numpy's faster loops away.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from numpy._core import _multiarray_umath as numpy_core

from model.base.paths import ROOT, data_dir
from model.graph.weights import FloatModel, load_quant, save_float
from tests.model.test_quantise import SMALL
from tests.model.test_quantise_graphs import BLOCK

KERNELS = {  # of OpenBLAS, and what they ask of the processor
    "Nehalem": ("SSE42",),
    "Sandybridge": ("AVX",),
    "Haswell": ("AVX2", "FMA3"),
    "Zen": ("AVX2", "FMA3"),
    "SkylakeX": ("AVX512F",),
}
# Quantises, and writes down the bits of every real number on the way: integers alone would hide small differences.
CHILD = """
import dataclasses, hashlib, json, pathlib, sys, numpy as np
from model.graph.weights import load_float, save_quant
from model.quantise import convolution, data, search

def flat(result):
    if isinstance(result, (list, tuple)):
        return b"".join(map(flat, result))
    if isinstance(result, dict):
        return flat(list(result.values()))
    return flat(list(vars(result).values())) if dataclasses.is_dataclass(result) else np.asarray(result).tobytes()

def watch(module, name):
    function, digest = getattr(module, name), digests.setdefault(name, hashlib.sha256())
    def watched(*arguments):
        result = function(*arguments)
        digest.update(flat(result))
        return result
    setattr(module, name, watched)

digests = {}
for module, names in {
    search: ("float_tensors", "noise_gains", "covariance", "losses_without_channel", "plan_parts"),
    convolution: ("gather_fits", "round_with_feedback", "polish", "_storing_error"),
    data: ("_inputs",),
    data.Fit: ("solve", "bias"),
}.items():
    for name in names:
        watch(module, name)
data.CROPS, data.CROP = 12, 50
pictures = list(np.load(sys.argv[1]))
for source in sys.argv[3:]:
    save_quant(search.quantise(load_float(source), pictures)[0], sys.argv[2] + pathlib.Path(source).name)
pathlib.Path(sys.argv[2] + "digests.json").write_text(json.dumps({n: d.hexdigest() for n, d in digests.items()}))
"""


def environments(kernels=tuple(KERNELS)):
    """Yield (name, environment) of processors that this one can stand in for."""
    here = numpy_core.__cpu_features__
    optional = [feature for feature in numpy_core.__cpu_dispatch__ if here.get(feature)]
    plain = {"NPY_DISABLE_CPU_FEATURES": " ".join(optional)} if optional else {}
    yield "Prescott, plain loops", plain | {"OPENBLAS_CORETYPE": "Prescott"}
    yield "as it is, three threads", {"OPENBLAS_NUM_THREADS": "3", "OMP_NUM_THREADS": "3"}
    if len(optional) > 1:
        yield "without the widest loops", {"NPY_DISABLE_CPU_FEATURES": " ".join(optional[len(optional) // 2 :])}
    for kernel in kernels:
        if all(here.get(feature) for feature in KERNELS[kernel]):
            yield kernel, {"OPENBLAS_CORETYPE": kernel}


def run(command, environment):
    """Run a command of this project as on another processor."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS_CORE", "NPY_"))}
    result = subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, env=clean | environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def differences(one, other):
    """Return how many integers differ between two weight files, by array, or which digests do; what agrees is left
    out.
    """
    if one.endswith(".json"):
        first, second = (json.loads(pathlib.Path(path).read_text()) for path in (one, other))
        return {name: "other bits" for name in first if first[name] != second[name]}
    with np.load(one) as first, np.load(other) as second:
        assert first.files == second.files
        counts = {name: int((first[name] != second[name]).sum()) for name in first.files if name != "header"}
    return {name: count for name, count in counts.items() if count}


def compare(named, command, folder, files):
    """Run `command(prefix)` under every environment; return the differences to the first one, by environment."""
    prefixes = [f"{folder}/{i}_" for i in range(len(named))]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda job: run(command(job[0]), job[1][1]), zip(prefixes, named)))
    found = {
        f"{name}: {file}": differences(prefixes[0] + file, prefix + file)
        for (name, _), prefix in zip(named, prefixes)
        for file in files
    }
    return {name: counts for name, counts in found.items() if counts}


def made_of_whole_numbers(network, seed):
    """A float model and pictures that no processor could make otherwise: whole numbers over powers of two."""
    rng = np.random.default_rng(seed)
    weights, biases, slopes = [], [], []
    for layer in network.convs:
        weight = rng.integers(-64, 65, layer.weight_shape) / 2.0 ** (6 + (layer.taps.bit_length() + 1) // 2)
        for channel in range(0 if layer.signed else layer.out_ch):
            weight[channel, layer.k // 2, layer.k // 2, channel % layer.in_ch] += 0.5
        bias = rng.integers(-64, 33, layer.out_ch) / 1024
        if layer.out_ch > 8:
            weight[3:6], bias[3:6] = 0, -0.125
        weights.append(weight.astype(np.float32))
        biases.append(bias.astype(np.float32))
        prelu = layer.activation == "prelu"
        slopes.append((0.5 ** rng.integers(1, 5, layer.out_ch)).astype(np.float32) if prelu else None)
    model = FloatModel(network, network.upscale or 3, tuple(weights), tuple(biases), {}, tuple(slopes))
    pictures = []
    for _ in range(3):
        blocks = np.kron(rng.integers(0, 2000, (20, 20)), np.ones((4, 4), int))
        blurred = sum(blocks[i : i + 72, j : j + 72] for i in range(9) for j in range(9))
        pictures.append(np.clip((blurred // 81 - 900) * 2 + 128 + rng.integers(-9, 10, (72, 72)), 0, 255))
    return model, np.stack(pictures).astype(np.uint8)


# Of all integers of both networks: what every machine has to get. Other digits are right only if the search itself
# was changed (or numpy draws other random numbers).
DIGESTS = {
    "chain.npz": "a9334479932d3cc9889ce13958850b311a3f78e38543d38a2131ef4a9051b4e2",
    "graph.npz": "0e3e44df4abf4a126687535886f7e2c571a69c0668a2255aeae5bb45e2d16a8d",
}


def test_small_networks(tmp_path):
    for file, network in {"chain.npz": SMALL, "graph.npz": BLOCK}.items():
        model, pictures = made_of_whole_numbers(network, 1)
        save_float(model, tmp_path / file)
    np.save(tmp_path / "pictures.npy", pictures)
    command = ["-c", CHILD, tmp_path / "pictures.npy"]
    sources = [tmp_path / file for file in DIGESTS]
    named = list(environments())
    found = compare(named, lambda prefix: [*command, prefix, *sources], tmp_path, [*DIGESTS, "digests.json"])
    assert len(named) >= 2 and found == {}
    for file, digest in DIGESTS.items():
        layers = load_quant(f"{tmp_path}/0_{file}").layers
        arrays = [part for q in layers for part in vars(q).values() if part is not None]
        assert min(len(np.unique(q.weight)) for q in layers) > 5
        assert hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest() == digest, file


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("network, upscale", [("srcnn915", 3)])
def test_a_committed_network_from_the_pictures_on(network, upscale, tmp_path, monkeypatch):
    monkeypatch.setenv("SRCNN_DATA", str(data_dir()))
    monkeypatch.setenv("SRCNN_BUILD", str(tmp_path))  # reports are written there
    given = ["-m", "model.quantise", "--network", network, "--upscale", upscale, "-o"]
    named = list(environments(("Haswell",)))
    assert compare(named, lambda prefix: [*given, f"{prefix}q.npz"], tmp_path, ["q.npz"]) == {}
