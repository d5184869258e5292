"""Quantise a trained network and train its integers on: `python -m model.train.finetune --network srcnn915 --upscale
3`.

The binary points are those that `model.quantise` searches; then weights and biases are trained with the very integer
arithmetic of the hardware in the forward pass (`model.train.keras_integer`), on the training pictures at their own
size. Validation runs the golden model itself; what quantisation alone gave is step 0, and kept if nothing is better.
Resumable, see `model.train.loop`.
"""

from __future__ import annotations

import hashlib
import itertools
import pathlib
from typing import TYPE_CHECKING

import click
import numpy as np

from model.base.errors import UserError, report_user_errors
from model.graph.weights import QuantLayer, QuantModel, load_float, quant_parts, save_quant, weight_path
from model.integer import golden
from model.quantise.search import calibration_pictures, provenance, quantise
from model.train import recipes
from model.train.loop import Training, command_line, prepare_data, run_folder, seed_everything

if TYPE_CHECKING:
    from model.data.datasets import Pairs, Patches


class IntegerTraining(Training):
    """Fine-tuning of an integer network.

    Parameters
    ----------
    config, folder, data
        See `Training`.
    start : QuantModel
    """

    def __init__(
        self, config: dict, folder: pathlib.Path, data: tuple[Patches, Pairs, list[pathlib.Path]], start: QuantModel
    ) -> None:
        seed_everything(config["seed"])
        from model.train import keras_integer  # here, so that `--help` and bad options don't wait for TensorFlow

        self.lib, self.start = keras_integer, start
        keras_integer.check_exact(start)
        model = keras_integer.build(start.network)
        keras_integer.start_from(model, start)
        super().__init__(config, folder, model, "mse", data)
        self._compare_with_golden()  # before the first step
        self.start_psnr = self.mean_psnr(self.candidate(), self.validation)
        self.best = {"psnr": self.start_psnr, "step": 0, "weights": self.candidate()}

    def _compare_with_golden(self):
        """Raise UserError if this device's convolutions don't give the golden model's integers (reduced precision,
        Winograd).
        """
        batch = self.patches(0)[0]  # the shapes of training: a device chooses its algorithm by them
        levels = np.round(batch * 255).astype(np.uint8)
        levels = levels[..., 0] if levels.shape[3] == 1 else levels
        exact = np.stack([golden.infer_valid(self.start, x, workers=1) for x in levels])
        different = int((self.lib.infer_valid(self.model, levels) != exact).sum())
        if different:
            raise UserError(
                f"convolutions on this device are not exact ({different} of {exact.size} pixels differ from the "
                f"golden model); "
                "run the fine-tuning on the CPU: CUDA_VISIBLE_DEVICES= and the same command"
            )

    def candidate(self) -> list[np.ndarray]:
        """Return weight, bias and shift of every layer, slope and zero point of PReLUs."""
        model = self.lib.to_quant_model(self.model, self.start.upscale)
        try:
            self.lib.check_exact(model)
        except UserError as error:
            raise self._diverged(str(error).split(";", maxsplit=1)[0]) from error
        return _arrays(model)

    def quant_model(self, weights: list[np.ndarray], meta: dict | None = None) -> QuantModel:
        """Return a candidate as a `QuantModel`."""
        arrays = iter(weights)
        layers = tuple(
            QuantLayer(*itertools.islice(arrays, len(quant_parts(layer)))) for layer in self.start.network.convs
        )
        return QuantModel(self.start.network, self.start.upscale, layers, meta or {})

    def infer(self, weights: list[np.ndarray], low: np.ndarray) -> np.ndarray:
        """Return the golden model's output."""
        return golden.infer(self.quant_model(weights), low)

    def export(self, command: str) -> QuantModel:
        """Return the best integers by validation as a `QuantModel`, with what quantisation says of them and the
        fine-tuning.
        """
        tuned = self.provenance(command) | {"validation_psnr_before": round(self.start_psnr, 4)}
        quantised = {
            key: value for key, value in self.start.meta.items() if key != "command"
        }  # that alone would not make this file
        return self.quant_model(self.best["weights"], quantised | {"command": command, "fine_tuning": tuned})


def _arrays(model):
    """Return every array of the layers, in the order of `QuantLayer`."""
    return [getattr(q, part) for layer, q in zip(model.network.convs, model.layers) for part in quant_parts(layer)]


@click.command()
@recipes.options
@click.option("--weights", "source", default="", help="Float weights to quantise  [default: model/weights/...].")
@report_user_errors
def main(run_name: str, restart: bool, out: str, source: str, **config: object) -> None:
    """Quantise a network and fine-tune its integers; given again after an interruption, go on where it stopped."""
    config = recipes.complete("finetune", config) | {
        "padding": "valid",
        "patches": "random",
        "stride": 1,
        "metric": "mse",
        "rescales": [1.0],
        "augment": True,
    }
    named = config["network"], config["upscale"], config["degradation"]
    out = pathlib.Path(out or weight_path(*named, quantised=True, data=config["data"]))
    if out.is_dir() or out.suffix != ".npz":
        raise UserError(f"--out {out} has to be a file name that ends in .npz; choose another")
    source = pathlib.Path(source or weight_path(*named, data=config["data"]))
    float_model = load_float(source, config["network"])
    if float_model.upscale != config["upscale"]:
        raise UserError(
            f"{source} was trained for x{float_model.upscale}, not for x{config['upscale']}; name the matching "
            f"--upscale"
        )
    config["float_sha256"] = hashlib.sha256(source.read_bytes()).hexdigest()
    data = prepare_data(config)
    kind = float_model.network.input
    pictures, files = calibration_pictures(config["upscale"], config["degradation"], config["data"], kind)
    print(f"quantising {source}", flush=True)
    start = quantise(float_model, pictures)[0]
    start = QuantModel(start.network, start.upscale, start.layers, provenance(config, source, files, seed=0))
    config["start_sha256"] = hashlib.sha256(
        b"".join(np.ascontiguousarray(array).tobytes() for array in _arrays(start))
    ).hexdigest()
    folder = run_folder(config, run_name, "finetune_")
    if restart:
        (folder / "checkpoint.npz").unlink(missing_ok=True)
    training = IntegerTraining(config, folder, data, start)
    training.restore()
    print(
        f"seed {config['seed']}, run {folder}, from step {training.step} of {config['steps']}, "
        f"validation {training.start_psnr:.3f} dB as quantised",
        flush=True,
    )
    training.run_or_stop()
    model = training.export(command_line("model.train.finetune"))
    save_quant(model, out)
    meta = model.meta["fine_tuning"]
    results = ", ".join(f"{name} {psnr:.3f} dB" for name, psnr in meta["test_psnr"].items())
    print(
        f"{out}: validation {meta['validation_psnr']:.3f} dB at step {meta['best_step']} "
        f"({meta['validation_psnr_before']:.3f} before); {results}"
    )


if __name__ == "__main__":
    main()
