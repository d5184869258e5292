"""What every training shares: steps, moving average, validation, checkpoints, exact resumption, history.

A run lives in a folder of its own under `build/train/`. The same command, given again after an interruption of any
kind, goes on from the last checkpoint and ends with exactly the weights of an uninterrupted run (same machine, same
thread count): weights, optimizer state and moving average are in the checkpoint, and batches depend on seed and step
alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import pathlib
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from model.base.errors import UserError
from model.base.paths import BUILD, DATASETS, atomic_write, data_dir, dataset_files
from model.data import photo
from model.data.checks import check_pictures
from model.data.datasets import Pairs, Patches, load_pairs, split, split_sets, training_sets
from model.data.weighting import picture_weights
from model.graph.description import load_network
from model.graph.kinds import Conv
from model.graph.network import require_picture
from model.graph.weights import TRAINED_ON, data_suffix
from model.imaging.color import rgb_to_y
from model.quality.metrics import MOST_PSNR, psnr

if TYPE_CHECKING:
    import keras

WARMUP_STEPS = 200
JIT_STEPS = 2000  # from which length on compiling the step pays: some seconds, then a third to a half faster


class Training:
    """One run; what is trained is up to a subclass: see `candidate` and `infer`.

    Parameters
    ----------
    config : dict
        Everything that decides the result; see the options of `model.train` and `model.train.finetune`.
    folder : pathlib.Path
        Where checkpoint and history go.
    model : keras.Model
        What is trained.
    loss : callable
        (true, out) -> scalar tensor, or one value per patch where batches have weights.
    data : tuple
        What `prepare_data` returns.
    """

    def __init__(
        self,
        config: dict,
        folder: pathlib.Path,
        model: keras.Model,
        loss: Callable,
        data: tuple[Patches, Pairs, list[pathlib.Path]],
    ) -> None:
        import keras  # here, so that `--help` and bad options don't wait for TensorFlow

        self.config, self.folder, self.model = config, folder, model
        self.optimizer = keras.optimizers.Adam(learning_rate(config), use_ema=True, ema_momentum=config["ema"])
        self.optimizer.build(model.trainable_variables)
        model.compile(self.optimizer, loss=loss, jit_compile=config["steps"] >= JIT_STEPS)
        self.patches, self.validation, self.validation_files = data
        self.step, self.seconds, self.history = 0, 0.0, []
        self.interrupted = False
        self.best = {"psnr": -math.inf, "step": 0, "weights": None}

    def candidate(self) -> list[np.ndarray]:
        """Return the weights as they would be exported now, a list of arrays; called while the averages are in the
        model.
        """
        raise NotImplementedError

    def infer(self, weights: list[np.ndarray], low: np.ndarray) -> np.ndarray:
        """Return the network's output for a picture with the weights of a candidate, uint8 (H, W), or RGB."""
        raise NotImplementedError

    def averaged(self) -> list[np.ndarray]:
        """Return the candidate of the weights' moving average. Raises UserError if weights are no longer numbers."""
        current = self.model.get_weights()
        if not all(np.isfinite(value).all() for value in current):
            raise self._diverged("the weights are no longer numbers")
        self.optimizer.finalize_variable_values(self.model.trainable_variables)
        try:
            return self.candidate()
        finally:
            self.model.set_weights(current)

    def validate(self) -> float:
        """Return the mean PSNR of the averaged weights over the validation pictures, in dB; remember the best."""
        average = self.averaged()
        if not all(np.isfinite(value).all() for value in average):
            raise self._diverged("the averaged weights are no longer numbers")
        mean = self.mean_psnr(average, self.validation)
        if mean > self.best["psnr"]:
            self.best = {"psnr": mean, "step": self.step, "weights": average}
        return mean

    def mean_psnr(self, weights: list[np.ndarray], pairs: Pairs) -> float:
        """Return the mean PSNR in dB of a candidate over `Pairs`, as the standard protocol measures it (shave =
        scale; of Y).
        """
        shave = self.config["upscale"]
        inner = (slice(shave, -shave), slice(shave, -shave))
        values = []
        for low, high in pairs.pictures():
            true, out = (rgb_to_y(x) if x.ndim == 3 else x for x in (high, self.infer(weights, low)))
            values.append(min(psnr(true[inner], out[inner]), MOST_PSNR))
        return float(np.mean(values))

    def test_psnr(self) -> dict[str, float]:
        """Return the best weights' PSNR on the test sets, where they are found: for information, nothing is chosen by
        it.
        """
        results = {}
        for name in DATASETS[1:] if data_dir() else ():
            pairs = load_pairs(
                dataset_files(name), self.config["upscale"], self.config["degradation"], kind=self.model.network.input
            )
            results[name] = round(self.mean_psnr(self.best["weights"], pairs), 4)
        return results

    def provenance(self, command: str) -> dict:
        """Return where the best weights come from: command, configuration, data, time, validation, history."""
        return {
            "command": command,
            "config": self.config,
            "data": self.config["data"] or "T91",
            "seed": self.config["seed"],
            "validation_pictures": [path.name for path in self.validation_files],
            "validation_psnr": round(self.best["psnr"], 4),
            "best_step": self.best["step"],
            "steps": self.step,
            "seconds": round(self.seconds),
            "test_psnr": self.test_psnr(),
            "history": [
                {"step": row["step"], "loss": float(f"{row['loss']:.5g}"), "psnr": round(row["psnr"], 4)}
                for row in self.history
            ],
        }

    def _diverged(self, what):
        kept = (
            "the last good checkpoint is kept"
            if (self.folder / "checkpoint.npz").is_file()
            else "it came before the first checkpoint"
        )
        return UserError(
            f"training diverged at step {self.step}: {what}; {kept} in {self.folder}, "
            f"choose an --lr below {self.config['lr']:g} and another --run or --restart"
        )

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        arrays = {f"model_{i}": value for i, value in enumerate(self.model.get_weights())}
        arrays |= {f"optimizer_{i}": np.asarray(variable) for i, variable in enumerate(self.optimizer.variables)}
        arrays |= {f"best_{i}": value for i, value in enumerate(self.best["weights"] or [])}
        header = {
            "config": self.config,
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "best": [self.best["psnr"], self.best["step"]],
        }
        with atomic_write(self.folder / "checkpoint.npz") as temporary:
            np.savez(temporary, header=np.array(json.dumps(header)), **arrays)

    def restore(self) -> None:
        """Go on from the checkpoint of this folder, if there is one. Raises UserError if it is of another
        configuration.
        """
        path = self.folder / "checkpoint.npz"
        if not path.is_file():
            return
        try:
            with np.load(path) as archive:
                arrays = {name: archive[name] for name in archive.files}
            header = json.loads(str(arrays["header"]))
        except Exception as error:  # numpy raises half a dozen kinds for a damaged archive
            raise UserError(f"the checkpoint {path} is damaged; start afresh with --restart") from error
        for name in sorted(header["config"].keys() | self.config.keys()):
            before, now = header["config"].get(name), self.config.get(name)
            if before != now:
                raise UserError(
                    f"the run in {self.folder} was started with {name} = {before}, not {now}; "
                    "give the same options, another --run, or --restart"
                )
        self.model.set_weights([arrays[f"model_{i}"] for i in range(len(self.model.get_weights()))])
        for i, variable in enumerate(self.optimizer.variables):
            variable.assign(arrays[f"optimizer_{i}"])
        self.step, self.seconds, self.history = header["step"], header["seconds"], header["history"]
        best = sorted((name for name in arrays if name.startswith("best_")), key=lambda name: int(name[5:]))
        self.best = {
            "psnr": header["best"][0],
            "step": header["best"][1],
            "weights": [arrays[name] for name in best] or None,
        }

    def run_or_stop(self) -> None:
        """Train to the last step; Ctrl-C ends the process with exit code 130 and one sentence.

        It waits for the step's end: in the middle of one, a backend makes another error of it. A second one does not.
        """

        def interrupt(number, frame):
            self.interrupted = True
            signal.signal(signal.SIGINT, signal.default_int_handler)

        before = None
        if threading.current_thread() is threading.main_thread():
            before = signal.signal(signal.SIGINT, interrupt)
        try:
            self.run()
        except KeyboardInterrupt:
            print(f"stopped at step {self.step}; the same command goes on from the last checkpoint", file=sys.stderr)
            sys.exit(130)
        finally:
            if before is not None:
                signal.signal(signal.SIGINT, before)

    def run(self) -> None:
        """Train to the last step. Raises UserError when the loss is no longer a number."""
        steps, every = self.config["steps"], self.config["validate_every"]
        losses, before, started = [], self.seconds, time.monotonic()
        with tqdm(
            total=steps, initial=self.step, unit="step", smoothing=0.05, dynamic_ncols=True, mininterval=1
        ) as bar:
            while self.step < steps:
                loss = float(self.model.train_on_batch(*self.patches(self.step)))
                self.step += 1
                if self.interrupted:
                    raise KeyboardInterrupt
                if not math.isfinite(loss):
                    raise self._diverged(f"the loss is {loss}")
                losses.append(loss)
                bar.update()
                self.seconds = before + time.monotonic() - started
                if self.step % every == 0 or self.step == steps:
                    self.history.append({"step": self.step, "loss": float(np.mean(losses)), "psnr": self.validate()})
                    losses = []
                    bar.set_postfix_str(
                        f"loss {self.history[-1]['loss']:.3e}, validation {self.history[-1]['psnr']:.3f} dB"
                    )
                    self.save()
                    write_history(self.folder, self.history, self.config)


def learning_rate(config: dict) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return the schedule of a training: cosines that fall from `lr` to `lr_end`, each after a linear warm-up.

    `cycles` of them share the steps; each later one starts from half the rate (Loshchilov and Hutter 2017, SGDR).
    """
    from keras import ops, optimizers

    length = config["steps"] / config.get("cycles", 1)
    warmup = min(WARMUP_STEPS, length / 2)

    class Cosines(optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            step = ops.cast(step, "float32")
            cycle = ops.floor(step / length)
            within = step - cycle * length
            peak = config["lr"] * ops.power(0.5, cycle)
            fraction = ops.clip((within - warmup) / (length - warmup), 0, 1)
            cosine = config["lr_end"] + (peak - config["lr_end"]) * 0.5 * (1 + ops.cos(math.pi * fraction))
            return ops.where(within < warmup, peak * within / warmup, cosine)

    return Cosines()


def command_line(module: str) -> str:
    """Return the command that is running, without what only says where things lie on this machine."""
    words, kept = iter(sys.argv[1:]), []
    for word in words:
        if word in ("--out", "--run"):
            next(words, None)
        elif not word.startswith(("--out=", "--run=")) and word != "--restart":
            kept.append(word)
    return shlex.join(["python", "-m", module, *kept])


def seed_everything(seed: int) -> None:
    """Seed the backend, and let it add in a fixed order (a CPU does so anyway, a GPU only if told)."""
    from model.train.keras_layers import keras  # imported quietly

    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


def run_folder(config: dict, run_name: str, prefix: str = "") -> pathlib.Path:
    """Return the folder of a run, named after what it trains unless it has a name of its own."""
    name = pathlib.Path(config["network"]).stem
    data = f"_{data_suffix(config['data'])}" if config["data"] else ""
    return BUILD / "train" / (run_name or f"{prefix}{name}_x{config['upscale']}_{config['degradation']}{data}")


def prepare_data(config: dict) -> tuple[Patches, Pairs, list[pathlib.Path]]:
    """Return the training's `Patches`, the validation `Pairs` and their files, never those of a test set.

    What a resumption has to find unchanged beside the options is written into `config`: layers and pictures.
    """
    sets = training_sets(config["data"])
    train, validation = split_sets(sets)
    if config["degradation"] == "photo":
        validation = [path for files in sets for path in photo.for_validation(split(files)[1])]
    network = load_network(config["network"], config["upscale"])
    if network.input != "rgb":
        require_picture(network)
    halo = network.halo
    if config["data"] not in ("", *TRAINED_ON):
        border = 2 * halo if config["padding"] == "valid" else 0  # pictures are padded by as much
        patch = (config["size"] - border) * (1 if network.input == "upscaled" else config["upscale"])
        for note in check_pictures([path for files in sets for path in files], config["upscale"], patch):
            print(f"note: {note}", file=sys.stderr)
    if config["padding"] == "valid" and config["size"] <= 2 * halo:
        raise UserError(
            f"--size {config['size']} leaves nothing after valid convolutions; it needs at least {2 * halo + 1}"
        )
    pairs = load_pairs(train, config["upscale"], config["degradation"], config["rescales"], network.input)
    patches = Patches(
        pairs,
        config["size"],
        halo if config["padding"] == "valid" else 0,
        config["patches"],
        config["stride"],
        config["batch"],
        config["seed"],
        config["augment"],
        picture_weights(pairs) if config["metric"] == "picture" else None,
    )
    held_out = load_pairs(validation, config["upscale"], config["degradation"], kind=network.input)
    least = int(held_out.shapes.min()) * held_out.scale
    if least <= 2 * config["upscale"]:
        raise UserError(
            f"a validation picture has only {least} pixels a side; take pictures of more than {2 * config['upscale']}"
        )
    config["layers"] = [_described(layer) for layer in network.layers]
    config["data_sha256"] = _digest(patches.pairs)
    config["validation_sha256"] = _digest(held_out)
    return patches, held_out, validation


def _described(layer):
    """Return what a resumption compares of a layer."""
    if isinstance(layer, Conv) and layer.activation in ("relu", "none"):
        return [layer.k, layer.in_ch, layer.out_ch, layer.relu]
    return [type(layer).__name__, *map(str, dataclasses.asdict(layer).values())]


def _digest(pairs):
    return hashlib.sha256(pairs.low.tobytes() + pairs.high.tobytes()).hexdigest()


def write_history(folder: pathlib.Path, history: list[dict], config: dict) -> None:
    """Write history.json and history.png (loss and validation PSNR over steps) into the run's folder."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with atomic_write(folder / "history.json") as temporary:
        temporary.write_text(json.dumps({"config": config, "history": history}, indent=1) + "\n")
    steps = [row["step"] for row in history]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    left.plot(steps, [row["loss"] for row in history])
    left.set(
        xlabel="step",
        ylabel=f"training loss ({config['metric']})",
        yscale="linear" if config["metric"] == "psnr" else "log",
    )
    right.plot(steps, [row["psnr"] for row in history])
    right.set(xlabel="step", ylabel="validation PSNR of the averaged weights (dB)")
    figure.suptitle(f"{config['network']} x{config['upscale']}, {config['degradation']} degradation")
    with atomic_write(folder / "history.png") as temporary:
        figure.savefig(temporary, dpi=100)
    pyplot.close(figure)
