"""Train a network: `python -m model.train --network srcnn915 --upscale 3`.

Resumable, see `model.training`; what isn't said by an option is said by `model/recipes.toml`.
"""

import hashlib
import math
import pathlib

import click
import numpy as np

from model import recipes
from model.datasets import RESCALES
from model.errors import UserError, report_user_errors
from model.network import load_network
from model.paths import ROOT
from model.training import Training, command_line, prepare_data, run_folder, seed_everything
from model.weights import load_float, save_float, weight_path, widen

WHITENING_BATCHES = 40  # enough patches for the statistics of the first layer's window


class FloatTraining(Training):
    """A float network, whitened while it trains and collapsed into plain convolutions for everything else.

    Parameters
    ----------
    config, folder, data
        See `Training`.
    """

    def __init__(self, config, folder, data):
        seed_everything(config["seed"])
        from model import keras_model  # here, so that `--help` and bad options don't wait for TensorFlow

        self.lib, self.network, patches = keras_model, load_network(config["network"]), data[0]
        trainable = keras_model.build_trainable(self.network, config["padding"])
        sample = np.concatenate([patches(step)[0][..., 0] for step in range(WHITENING_BATCHES)])
        whitening = keras_model.whitening_of(sample, self.network.layers[0].k)
        start = widen(load_float(init_path(config)), self.network) if config["init"] else None
        weights, biases = (start.weights, start.biases) if start else keras_model.initial_weights(self.network, config["seed"], whitening)
        keras_model.start_from(trainable, weights, biases, whitening)
        self.inference = keras_model.build(self.network)  # valid, whatever the training's padding
        super().__init__(config, folder, trainable, _loss(config["metric"]), data)

    def candidate(self):
        """Return the collapsed weights as the inference model's `get_weights` gives them."""
        self.lib.set_weights(self.inference, *self.lib.collapse(self.model))
        return self.inference.get_weights()

    def infer(self, weights, low):
        """Return the float network's output, rounded to uint8."""
        self.inference.set_weights(weights)
        return np.clip(np.round(self.lib.infer_float(self.inference, low)), 0, 255).astype(np.uint8)

    def export(self, command):
        """Return the best weights by validation as a `FloatModel`."""
        meta = self.provenance(command)
        self.inference.set_weights(self.best["weights"])
        return self.lib.to_float_model(self.inference, self.network, self.config["upscale"], meta)


def init_path(config):
    """Return the file to start from; a recipe names it relative to the repository."""
    path = pathlib.Path(config["init"])
    return path if path.is_file() else ROOT / path


def _loss(metric):
    from keras import ops

    def mse(true, out):
        return ops.mean(ops.square(true - out))

    def psnr(true, out):
        """Minus the mean over the patches of their PSNR in dB; 1e-6 (60 dB) keeps flat patches finite."""
        error = ops.mean(ops.square(true - out), axis=(1, 2, 3))
        return ops.mean(10 / math.log(10) * ops.log(error + 1e-6))

    return {"mse": mse, "psnr": psnr}[metric]


@click.command()
@recipes.options
@click.option("--padding", type=click.Choice(["valid", "same"]), default="valid", show_default=True, help="Convolutions during training.")
@click.option("--patches", type=click.Choice(["random", "ordered"]), default="random", show_default=True)
@click.option("--stride", type=click.IntRange(1), default=14, show_default=True, help="Grid of the ordered patches, pixels.")
@click.option("--metric", type=click.Choice(["mse", "psnr"]), default="mse", show_default=True,
              help="What is optimised: over the batch, or per patch.")
@click.option("--epochs", type=click.IntRange(1), help="Length in passes over the data, instead of --steps.")
@click.option("--rescales", default=",".join(map(str, RESCALES)), show_default=True, help="Sizes of the copies of every picture.")
@click.option("--augment/--no-augment", default=True, show_default=True, help="Flips and quarter turns.")
@click.option("--init", type=click.Path(), show_default="the recipe's",
              help="Weight file to start from, of this network or of one with smaller filters; '' for none.")
@report_user_errors
def main(run_name, restart, out, epochs, rescales, **config):
    """Train a network; given again after an interruption, go on where it stopped."""
    if config["steps"] and epochs:
        raise UserError("--steps and --epochs both set the length of the training; give one of them")
    config = recipes.complete("train", config)
    config["rescales"] = _parse_rescales(rescales)
    out = pathlib.Path(out or weight_path(config["network"], config["upscale"], config["degradation"]))
    if out.is_dir() or out.suffix != ".npz":
        raise UserError(f"--out {out} has to be a file name that ends in .npz; choose another")
    if config["init"]:
        load_float(init_path(config))  # refused before the data are prepared
        config["init_sha256"] = hashlib.sha256(init_path(config).read_bytes()).hexdigest()
    data = prepare_data(config)
    if epochs:
        config["steps"] = epochs * data[0].steps_per_epoch
    folder = run_folder(config, run_name)
    if restart:
        (folder / "checkpoint.npz").unlink(missing_ok=True)
    training = FloatTraining(config, folder, data)
    training.restore()
    print(f"seed {config['seed']}, run {folder}, from step {training.step} of {config['steps']}", flush=True)
    training.run_or_stop()
    model = training.export(command_line("model.train"))
    save_float(model, out)
    results = ", ".join(f"{name} {psnr:.3f} dB" for name, psnr in model.meta["test_psnr"].items())
    print(f"{out}: validation {model.meta['validation_psnr']:.3f} dB at step {model.meta['best_step']}; {results}")


def _parse_rescales(text):
    try:
        factors = [float(part) for part in text.split(",")]
    except ValueError:
        factors = []
    if not factors or not all(0 < factor <= 1 for factor in factors):
        raise UserError(f"--rescales {text!r} is not a list of factors in (0, 1], such as 1,0.9,0.8")
    return factors


if __name__ == "__main__":
    main()
