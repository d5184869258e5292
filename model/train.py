"""Train a network: `python -m model.train --network srcnn915 --upscale 3`.

A run lives in `build/train/<run>/`. The same command, given again after an interruption of any kind, goes on
from the last checkpoint and ends with exactly the weights of an uninterrupted run (same machine, same thread
count): weights, optimizer state and moving average are in the checkpoint, and batches depend on seed and step alone.
"""

import hashlib
import json
import math
import pathlib
import shlex
import sys
import time

import click
import numpy as np
from tqdm import tqdm

from model.datasets import RESCALES, Patches, load_pairs, picture_files, split
from model.errors import UserError, report_user_errors
from model.network import DEFAULT_NETWORK, UPSCALES, load_network
from model.paths import BUILD, DATASETS, atomic_write, data_dir, dataset_files
from model.weights import DEGRADATIONS, load_float, save_float, weight_path

WARMUP_STEPS = 200
WHITENING_BATCHES = 40  # enough patches for the statistics of the first layer's window
DEFAULT_STEPS = 40000  # a quarter of an hour to half an hour on two cores for 9-1-5


class Training:
    """One run: model, optimizer, batches and everything a checkpoint holds.

    Parameters
    ----------
    config : dict
        Everything that decides the result; see the options of `main`.
    folder : pathlib.Path
        Where checkpoint and history go.
    patches, validation, validation_files
        What `prepare_data` returns.
    """

    def __init__(self, config, folder, patches, validation, validation_files):
        import keras  # here, so that `--help` and bad options don't wait for TensorFlow

        from model import keras_model

        self.config, self.folder, self.lib = config, folder, keras_model
        self.network = load_network(config["network"])
        keras.utils.set_random_seed(config["seed"])
        if keras.backend.backend() == "tensorflow":  # sums in a fixed order on a GPU too; a CPU gives the same bits without
            import tensorflow

            tensorflow.config.experimental.enable_op_determinism()
        self.model = keras_model.build_trainable(self.network, config["padding"])
        sample = np.concatenate([patches(step)[0][..., 0] for step in range(WHITENING_BATCHES)])
        whitening = keras_model.whitening_of(sample, self.network.layers[0].k)
        start = load_float(config["init"], self.network.name) if config["init"] else None
        weights, biases = (start.weights, start.biases) if start else keras_model.initial_weights(self.network, config["seed"], whitening)
        keras_model.start_from(self.model, weights, biases, whitening)
        self.inference = keras_model.build(self.network)  # valid, whatever the training's padding
        rate = keras.optimizers.schedules.CosineDecay(0.0, max(1, config["steps"] - WARMUP_STEPS), alpha=config["lr_end"] / config["lr"],
                                                      warmup_target=config["lr"], warmup_steps=WARMUP_STEPS)
        self.optimizer = keras.optimizers.Adam(rate, use_ema=True, ema_momentum=config["ema"])
        self.optimizer.build(self.model.trainable_variables)
        self.model.compile(self.optimizer, loss=_loss(keras.ops, config["metric"]), jit_compile=False)
        self.patches, self.validation, self.validation_files = patches, validation, validation_files
        self.step, self.seconds, self.history = 0, 0.0, []
        self.best = {"psnr": -math.inf, "step": 0, "weights": None}

    def averaged(self):
        """Return the moving average of the weights, collapsed, as the inference model's `get_weights` gives them."""
        current = self.model.get_weights()
        self.optimizer.finalize_variable_values(self.model.trainable_variables)
        self.lib.set_weights(self.inference, *self.lib.collapse(self.model))
        self.model.set_weights(current)
        return self.inference.get_weights()

    def validate(self):
        """Return the mean PSNR of the averaged weights over the validation pictures, in dB; remember the best."""
        average = self.averaged()
        if not all(np.isfinite(value).all() for value in average):
            raise self._diverged("the weights are no longer numbers")
        psnr = float(np.mean([self._psnr(*pair) for pair in self.validation.pictures()]))
        if psnr > self.best["psnr"]:
            self.best = {"psnr": psnr, "step": self.step, "weights": average}
        return psnr

    def _psnr(self, low, high):
        shave = self.config["upscale"]
        out = np.clip(np.round(self.lib.infer_float(self.inference, low)), 0, 255)
        inner = (slice(shave, -shave), slice(shave, -shave))
        return 10 * math.log10(255**2 / max(1e-10, float(np.mean((out[inner] - high[inner].astype(np.float64))**2))))

    def _diverged(self, what):
        return UserError(f"training diverged at step {self.step}: {what}; the last good checkpoint is kept in {self.folder}, "
                         f"choose an --lr below {self.config['lr']:g} and another --run or --restart")

    def save(self):
        """Write the checkpoint, whole or not at all."""
        arrays = {f"model_{i}": value for i, value in enumerate(self.model.get_weights())}
        arrays |= {f"optimizer_{i}": np.asarray(variable) for i, variable in enumerate(self.optimizer.variables)}
        arrays |= {f"best_{i}": value for i, value in enumerate(self.best["weights"] or [])}
        header = {"config": self.config, "step": self.step, "seconds": self.seconds, "history": self.history,
                  "best": [self.best["psnr"], self.best["step"]]}
        with atomic_write(self.folder / "checkpoint.npz") as temporary:
            np.savez(temporary, header=np.array(json.dumps(header)), **arrays)

    def restore(self):
        """Go on from the checkpoint of this folder, if there is one. Raises UserError if it is of another configuration."""
        path = self.folder / "checkpoint.npz"
        if not path.is_file():
            return
        try:
            with np.load(path) as archive:
                arrays = {name: archive[name] for name in archive.files}
            header = json.loads(str(arrays["header"]))
        except Exception as error:  # numpy raises half a dozen kinds for a damaged archive
            raise UserError(f"the checkpoint {path} is damaged; start afresh with --restart") from error
        for name, value in header["config"].items():
            if self.config.get(name) != value:
                raise UserError(f"the run in {self.folder} was started with {name} = {value}, not {self.config.get(name)}; "
                                "give the same options, another --run, or --restart")
        self.model.set_weights([arrays[f"model_{i}"] for i in range(len(self.model.get_weights()))])
        for i, variable in enumerate(self.optimizer.variables):
            variable.assign(arrays[f"optimizer_{i}"])
        self.step, self.seconds, self.history = header["step"], header["seconds"], header["history"]
        best = [arrays[f"best_{i}"] for i in range(len(self.inference.get_weights())) if f"best_{i}" in arrays]
        self.best = {"psnr": header["best"][0], "step": header["best"][1], "weights": best or None}

    def run(self):
        """Train to the last step. Raises UserError when the loss is no longer a number."""
        steps, every = self.config["steps"], self.config["validate_every"]
        losses, before, started = [], self.seconds, time.monotonic()
        with tqdm(total=steps, initial=self.step, unit="step", smoothing=0.05, dynamic_ncols=True, mininterval=1) as bar:
            while self.step < steps:
                loss = float(self.model.train_on_batch(*self.patches(self.step)))
                self.step += 1
                if not math.isfinite(loss):
                    raise self._diverged(f"the loss is {loss}")
                losses.append(loss)
                bar.update()
                self.seconds = before + time.monotonic() - started
                if self.step % every == 0 or self.step == steps:
                    self.history.append({"step": self.step, "loss": float(np.mean(losses)), "psnr": self.validate()})
                    losses = []
                    bar.set_postfix_str(f"loss {self.history[-1]['loss']:.3e}, validation {self.history[-1]['psnr']:.3f} dB")
                    self.save()
                    write_history(self.folder, self.history, self.config)


def prepare_data(config):
    """Return the training's `Patches`, the validation `Pairs` and the files they come from, never those of a test set."""
    files = picture_files(pathlib.Path(config["data"])) if config["data"] else dataset_files("T91")
    train, validation = split(files)
    halo = load_network(config["network"]).halo
    if config["padding"] == "valid" and config["size"] <= 2 * halo:
        raise UserError(f"--size {config['size']} leaves nothing after valid convolutions; it needs at least {2 * halo + 1}")
    pairs = load_pairs(train, config["upscale"], config["degradation"], config["rescales"])
    patches = Patches(pairs, config["size"], halo if config["padding"] == "valid" else 0, config["patches"], config["stride"],
                      config["batch"], config["seed"], config["augment"])
    held_out = load_pairs(validation, config["upscale"], config["degradation"])
    if held_out.shapes.min() <= 2 * config["upscale"]:
        raise UserError(f"a validation picture has only {held_out.shapes.min()} pixels a side; take pictures of more than {2 * config['upscale']}")
    return patches, held_out, validation


def _loss(ops, metric):
    def mse(true, out):
        return ops.mean(ops.square(true - out))

    def psnr(true, out):
        """Minus the mean over the patches of their PSNR in dB; 1e-6 (60 dB) keeps flat patches finite."""
        error = ops.mean(ops.square(true - out), axis=(1, 2, 3))
        return ops.mean(10 / math.log(10) * ops.log(error + 1e-6))

    return {"mse": mse, "psnr": psnr}[metric]


def write_history(folder, history, config):
    """Write history.json and history.png (loss and validation PSNR over steps) into the run's folder."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    with atomic_write(folder / "history.json") as temporary:
        temporary.write_text(json.dumps({"config": config, "history": history}, indent=1) + "\n")
    steps = [row["step"] for row in history]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    left.plot(steps, [row["loss"] for row in history])
    left.set(xlabel="step", ylabel=f"training loss ({config['metric']})", yscale="log" if config["metric"] == "mse" else "linear")
    right.plot(steps, [row["psnr"] for row in history])
    right.set(xlabel="step", ylabel="validation PSNR of the averaged weights (dB)")
    figure.suptitle(f"{config['network']} x{config['upscale']}, {config['degradation']} degradation")
    with atomic_write(folder / "history.png") as temporary:
        figure.savefig(temporary, dpi=100)
    pyplot.close(figure)


def export(training, command):
    """Return the best weights by validation as a `FloatModel`, with their provenance and, for information, test results."""
    training.inference.set_weights(training.best["weights"])
    config, results = training.config, {}
    for name in DATASETS[1:] if data_dir() else ():
        pairs = load_pairs(dataset_files(name), config["upscale"], config["degradation"])
        results[name] = round(float(np.mean([training._psnr(*pair) for pair in pairs.pictures()])), 4)
    meta = {"command": command, "config": config, "data": config["data"] or "T91", "seed": config["seed"],
            "validation_pictures": [path.name for path in training.validation_files],
            "validation_psnr": round(training.best["psnr"], 4), "best_step": training.best["step"],
            "steps": training.step, "seconds": round(training.seconds), "test_psnr": results}
    return training.lib.to_float_model(training.inference, training.network, config["upscale"], meta)


@click.command(context_settings={"show_default": True})
@click.option("--network", default=DEFAULT_NETWORK, help="Description in model/networks.")
@click.option("--upscale", type=click.Choice([str(u) for u in UPSCALES]), default="3")
@click.option("--degradation", type=click.Choice(DEGRADATIONS), default="standard", help="How training pictures are made small.")
@click.option("--padding", type=click.Choice(["valid", "same"]), default="valid", help="Convolutions during training.")
@click.option("--patches", type=click.Choice(["random", "ordered"]), default="random")
@click.option("--stride", type=click.IntRange(1), default=14, help="Grid of the ordered patches, pixels.")
@click.option("--metric", type=click.Choice(["mse", "psnr"]), default="mse", help="What is optimised: over the batch, or per patch.")
@click.option("--steps", type=click.IntRange(1), help="Length of the training  [default: 40000].")
@click.option("--epochs", type=click.IntRange(1), help="Length in passes over the data, instead of --steps.")
@click.option("--batch", type=click.IntRange(1), default=32)
@click.option("--size", type=click.IntRange(1), default=33, help="Side of an input patch, pixels.")
@click.option("--lr", type=click.FloatRange(0, min_open=True), default=3e-3, help="Adam's rate after the warm-up.")
@click.option("--lr-end", type=click.FloatRange(0), default=1e-5, help="Rate at the end of the cosine.")
@click.option("--ema", type=click.FloatRange(0, 1, max_open=True), default=0.9995, help="Momentum of the weights' moving average.")
@click.option("--rescales", default=",".join(map(str, RESCALES)), help="Sizes of the copies of every picture.")
@click.option("--augment/--no-augment", default=True, help="Flips and quarter turns.")
@click.option("--seed", type=click.IntRange(0), default=1)
@click.option("--data", type=click.Path(), default="", help="Folder of training pictures  [default: T91].")
@click.option("--init", type=click.Path(), default="", help="Weight file to start from.")
@click.option("--validate-every", type=click.IntRange(1), default=1000, help="Steps between validations, each with a checkpoint.")
@click.option("--run", "run_name", default="", help="Folder under build/train  [default: after network, upscale, degradation].")
@click.option("--restart", is_flag=True, help="Forget the run's checkpoint.")
@click.option("--out", type=click.Path(), default="", help="Weight file  [default: model/weights/...].")
@report_user_errors
def main(run_name, restart, out, steps, epochs, rescales, **config):
    """Train a network; given again after an interruption, go on where it stopped."""
    config["upscale"] = int(config["upscale"])
    config["rescales"] = _parse_rescales(rescales)
    if steps and epochs:
        raise UserError("--steps and --epochs both set the length of the training; give one of them")
    out = pathlib.Path(out or weight_path(config["network"], config["upscale"], config["degradation"]))
    if out.is_dir() or out.suffix != ".npz":
        raise UserError(f"--out {out} has to be a file name that ends in .npz; choose another")
    data = prepare_data(config)
    config["steps"] = epochs * data[0].steps_per_epoch if epochs else steps or DEFAULT_STEPS
    # What a resumption has to find unchanged beside the options:
    config["layers"] = [[layer.k, layer.in_ch, layer.out_ch, layer.relu] for layer in load_network(config["network"]).layers]
    config["data_sha256"] = hashlib.sha256(data[0].pairs.low.tobytes() + data[0].pairs.high.tobytes()).hexdigest()
    folder = BUILD / "train" / (run_name or f"{config['network']}_x{config['upscale']}_{config['degradation']}")
    if restart:
        (folder / "checkpoint.npz").unlink(missing_ok=True)
    training = Training(config, folder, *data)
    training.restore()
    print(f"seed {config['seed']}, run {folder}, from step {training.step} of {config['steps']}", flush=True)
    try:
        training.run()
    except KeyboardInterrupt:
        print(f"stopped at step {training.step}; the same command goes on from the last checkpoint", file=sys.stderr)
        sys.exit(130)
    model = export(training, "python -m model.train " + shlex.join(sys.argv[1:]))
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
