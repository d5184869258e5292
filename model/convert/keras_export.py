"""Keras files as ONNX files, by Keras' own export: `python -m model.convert.keras_export net.keras net.onnx`.

A process of its own, since TensorFlow takes seconds to wake and greets on stderr. What was exported is compared with
Keras on a drawn picture before the process ends well: by the plain kernels of both sides, without oneDNN's and without
ONNX Runtime's fusions, whose choice depends on the processor.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import numpy as np

from model.base.errors import UserError
from model.base.paths import ROOT

OPSET = 17
SIDES = (28, 36)  # of the picture, where the file leaves them open
TOLERANCE = 1e-4  # of the largest value
EXPORTS = 2  # the order of nodes is drawn anew by each export; one that gives other pixels is not the last word
PLAIN = {"TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1"}
_REASON = "reason: "


def export_keras(source: pathlib.Path, target: pathlib.Path) -> None:
    """Write a Keras file as an ONNX file.

    Raises
    ------
    UserError
        If Keras, TensorFlow or tf2onnx are not installed, can't read the file, or can't export it.
    """
    if not source.is_file():
        raise UserError(f"there is no file {source}; name an .onnx or .keras file (MODEL=net.keras)")
    command = [sys.executable, "-m", "model.convert.keras_export", str(source.resolve()), str(target)]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | PLAIN | quiet, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()] or ["no reason was given"]
        reason = next((line.split(_REASON)[1] for line in said if _REASON in line), said[-1])
        raise UserError(
            f"Keras cannot read or export {source} ({reason[:200]}); where the model is made, write it as "
            f"model.export('net.onnx', format='onnx')"
        )


def main(source: str, target: str) -> None:
    """Export, compare, and end with a reason where that is not possible."""
    import keras

    try:
        model = keras.saving.load_model(source, compile=False)
        if len(model.inputs) != 1 or len(model.outputs) != 1 or len(model.inputs[0].shape) != 4:
            sys.exit(f"{_REASON}it is no network from one picture to one picture")
        sides = [side or usual for side, usual in zip(model.inputs[0].shape[1:3], SIDES)]
        shape = (1, *sides, model.inputs[0].shape[3] or 1)
        picture = np.random.default_rng(1).random(shape).astype(np.float32)
        expected = np.array(model(picture))
        for _ in range(EXPORTS):
            model.export(target, format="onnx", opset_version=OPSET, verbose=False)
            made = run_plainly(target, picture)
            if made.shape == expected.shape and np.allclose(made, expected, 0, TOLERANCE * max(1, abs(expected).max())):
                return
    except Exception as error:  # whatever a model of somebody else raises
        sys.exit(f"{_REASON}{(str(error).strip() or type(error).__name__).splitlines()[0]}")
    how = f"a picture of {made.shape} for {expected.shape}"
    if made.shape == expected.shape:
        off = np.abs(made - expected)
        how = f"{np.mean(~(off <= TOLERANCE)):.1%} of the values differ, the largest by {off.max():.3g}"
    sys.exit(f"{_REASON}the exported network gives other pixels than Keras: {how}")


def run_plainly(file: str, picture: np.ndarray) -> np.ndarray:
    """The output of an ONNX file, node by node as it is written, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: picture})[0]


if __name__ == "__main__":
    main(*sys.argv[1:])
