"""The training of a float network, see `model.train.loop`; the command is `python -m model.train`."""

from __future__ import annotations

import math
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from model.base.paths import ROOT
from model.graph.description import load_network
from model.graph.weights import FloatModel, load_float, widen
from model.train.loop import Training, seed_everything

if TYPE_CHECKING:
    from model.data.datasets import Pairs, Patches

WHITENING_BATCHES = 40  # enough patches for the statistics of the first layer's window


class FloatTraining(Training):
    """A float network, whitened while it trains and collapsed into plain convolutions for everything else.

    Parameters
    ----------
    config, folder, data
        See `Training`. Where `plain` is set the whitening is the identity, so that the first layer's kernel is trained
        as it is; the collapse to plain weights then changes nothing but the centring of the pixels.
    """

    def __init__(self, config: dict, folder: pathlib.Path, data: tuple[Patches, Pairs, list[pathlib.Path]]) -> None:
        seed_everything(config["seed"])
        from model.train import keras_model, keras_trainable  # here, so that `--help` doesn't wait for TensorFlow

        self.lib, self.collapse = keras_model, keras_trainable.collapse
        self.network, patches = load_network(config["network"], config["upscale"]), data[0]
        trainable = keras_trainable.build_trainable(self.network, config["padding"], config["expand"])
        sample = np.concatenate([patches(step)[0] for step in range(WHITENING_BATCHES)])
        first = self.network.convs[0]
        whitening = np.eye(first.taps) if config.get("plain") else keras_trainable.whitening_of(sample, first.k)
        if config["init"]:
            start = widen(load_float(init_path(config)), self.network)
            weights, biases, slopes = start.weights, start.biases, start.slopes
        else:
            weights, biases, slopes = keras_trainable.initial_weights(self.network, config["seed"], whitening)
        keras_trainable.start_from(trainable, weights, biases, whitening, slopes, config["seed"])
        self.inference = keras_model.build(self.network)  # valid, whatever the training's padding
        super().__init__(config, folder, trainable, _loss(config["metric"]), data)

    def candidate(self) -> list[np.ndarray]:
        """Return the collapsed weights as the inference model's `get_weights` gives them."""
        self.lib.set_weights(self.inference, *self.collapse(self.model))
        return self.inference.get_weights()

    def infer(self, weights: list[np.ndarray], low: np.ndarray) -> np.ndarray:
        """Return the float network's output, rounded to uint8."""
        self.inference.set_weights(weights)
        return np.clip(np.round(self.lib.infer_float(self.inference, low)), 0, 255).astype(np.uint8)

    def export(self, command: str) -> FloatModel:
        """Return the best weights by validation as a `FloatModel`."""
        meta = self.provenance(command)
        self.inference.set_weights(self.best["weights"])
        return self.lib.to_float_model(self.inference, self.config["upscale"], meta)


def init_path(config: dict) -> pathlib.Path:
    """Return the file to start from; a recipe names it relative to the repository."""
    path = pathlib.Path(config["init"])
    return path if path.is_file() else ROOT / path


def _loss(metric):
    from keras import ops

    def mse(true, out):
        return ops.mean(ops.square(true - out))

    def l1(true, out):
        return ops.mean(ops.abs(true - out))

    def psnr(true, out):
        """Minus the mean over the patches of their PSNR in dB; 1e-6 (60 dB) keeps flat patches finite."""
        error = ops.mean(ops.square(true - out), axis=(1, 2, 3))
        return ops.mean(10 / math.log(10) * ops.log(error + 1e-6))

    def picture(true, out):
        """Squared errors patch by patch, for `model.data.weighting` to weigh."""
        return ops.mean(ops.square(true - out), axis=(1, 2, 3))

    return {"mse": mse, "l1": l1, "psnr": psnr, "picture": picture}[metric]
