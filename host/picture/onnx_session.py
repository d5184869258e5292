"""onnxruntime computes the golden model's integers, block by block, on all cores."""

from __future__ import annotations

import concurrent.futures
import os
from typing import TYPE_CHECKING

import numpy as np

from model.base.errors import UserError
from model.integer import golden
from model.integer.examples import random_input

if TYPE_CHECKING:
    from model.graph.weights import QuantModel

# A block's tensors should stay in the caches, and its halo, which neighbours compute again, should be small beside it.
_BLOCK_VALUES = 1 << 21  # of the largest tensor
_BLOCK_COLUMNS = 256
_MIN_ROWS = 16  # less is not worth a thread
_TRIAL = 12  # pixels a side beyond the halo


class OnnxSession:
    """A network's exact graph (`host.picture.exact_onnx`) in onnxruntime.

    Parameters
    ----------
    model : QuantModel

    Raises
    ------
    UserError
        If onnx or onnxruntime are not installed, if float32 does not hold the network's sums, or if this processor's
        convolutions turn out not to be exact.
    """

    def __init__(self, model: QuantModel) -> None:
        try:
            import onnxruntime

            from host.picture.exact_onnx import INPUT_NAME, exact_model
        except ImportError as error:
            raise UserError(
                f"onnxruntime cannot be used here ({error}); install it (`pip install onnx onnxruntime`) or use "
                f"--backend golden, it gives the same bits"
            ) from error
        self.model, self._input = model, INPUT_NAME
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # blocks are what runs side by side
        options.enable_mem_pattern = False  # it would keep a plan for every size that it ever saw
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            exact_model(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._try_out()

    def infer_valid(self, x: np.ndarray, workers: int | None = None) -> np.ndarray:
        """As `model.integer.golden.infer_valid`: a padded picture or tile of uint8 to uint8, on all cores or with so
        many threads.
        """
        network = self.model.network
        golden.require_input(network, x)
        halo, scale = network.halo, network.scale
        height, width = x.shape[0] - 2 * halo, x.shape[1] - 2 * halo
        workers = workers or os.cpu_count() or 1
        blocks = _blocks(height, width, workers, _rows(network))
        if len(blocks) == 1:
            return self._run(x)
        out = np.empty((height * scale, width * scale, *(() if network.out_ch == 1 else (network.out_ch,))), np.uint8)

        def run(block):
            inside = tuple(slice(side.start, side.stop + 2 * halo) for side in block)
            out[tuple(slice(side.start * scale, side.stop * scale) for side in block)] = self._run(x[inside])

        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            list(pool.map(run, blocks))
        return out

    def _run(self, x):
        return self._session.run(None, {self._input: np.ascontiguousarray(x)})[0]

    def _try_out(self):
        """Hold a small picture against the golden model: a runtime may transform convolutions, which would round."""
        network = self.model.network
        side = 2 * network.halo + _TRIAL
        x = random_input(network, np.random.default_rng(0), side, side + 5)
        if not np.array_equal(self._run(x), golden.infer_valid(self.model, x, 1)):
            raise UserError(
                f"onnxruntime does not compute {network.label} exactly on this processor; use --backend golden"
            )


def _rows(network):
    """Return how many rows a block has at most, in input pixels."""
    largest = max(tensor.channels * tensor.scale**2 for tensor in network.tensors.values())
    return max(1, _BLOCK_VALUES // (largest * _BLOCK_COLUMNS))


def _blocks(height, width, workers, rows):
    """Return even blocks (rows, columns) of a result in input pixels, as slices: a share of rows for each worker."""
    bands = min(workers * -(-height // (workers * rows)), max(1, height // _MIN_ROWS))
    rows, columns = -(-height // bands), -(-width // -(-width // _BLOCK_COLUMNS))
    return [
        (slice(top, min(top + rows, height)), slice(left, min(left + columns, width)))
        for top in range(0, height, rows)
        for left in range(0, width, columns)
    ]
