"""Train a network: `python -m model.train --network srcnn915 --upscale 3`.

Resumable, see `model.train.loop`; what isn't said by an option is said by `model/train/recipes.toml`.
"""

from __future__ import annotations

import hashlib
import pathlib

import click

from model.base.errors import UserError, report_user_errors
from model.base.paths import atomic_write
from model.graph.weights import TRAINED_ON, load_float, save_float, weight_path
from model.quality import cards
from model.quality import results as committed
from model.quality.pair import pair
from model.train import recipes
from model.train.float_training import FloatTraining, init_path
from model.train.loop import command_line, prepare_data, run_folder


@click.command()
@recipes.options
@click.option(
    "--padding",
    type=click.Choice(["valid", "same"]),
    default="valid",
    show_default=True,
    help="Convolutions during training.",
)
@click.option("--patches", type=click.Choice(["random", "ordered"]), default="random", show_default=True)
@click.option(
    "--stride", type=click.IntRange(1), default=14, show_default=True, help="Grid of the ordered patches, pixels."
)
@click.option(
    "--metric",
    type=click.Choice(["mse", "l1", "psnr", "picture"]),
    default=None,
    show_default="the recipe's",
    help="What is optimised: over the batch, per patch (psnr), or by how much a picture is above bicubic (picture).",
)
@click.option("--epochs", type=click.IntRange(1), help="Length in passes over the data, instead of --steps.")
@click.option(
    "--rescales", default=None, show_default="the recipe's", help="Sizes of the copies of every picture, as 1,0.9,0.8."
)
@click.option("--plain", is_flag=True, help="Train the first layer's kernel as it is, not whitened; for the ablations.")
@click.option(
    "--expand",
    type=click.IntRange(0),
    default=None,
    show_default="the recipe's",
    help="Channels in the middle of every convolution while it trains; 0: plain.",
)
@click.option("--augment/--no-augment", default=True, show_default=True, help="Flips and quarter turns.")
@click.option(
    "--init",
    type=click.Path(),
    show_default="the recipe's",
    help="Weight file to start from, of this network or of one with smaller filters; '' for none.",
)
@report_user_errors
def main(run_name: str, restart: bool, out: str, epochs: int | None, plain: bool, **config: object) -> None:
    """Train a network; given again after an interruption, go on where it stopped."""
    if config["steps"] and epochs:
        raise UserError("--steps and --epochs both set the length of the training; give one of them")
    config["rescales"] = config["rescales"] and _parse_rescales(config["rescales"])
    config = recipes.complete("train", config)
    if plain:
        config["plain"] = True
    named = config["network"], config["upscale"], config["degradation"]
    own, out = config["data"] not in ("", *TRAINED_ON), out or weight_path(*named, data=config["data"])
    out = run_folder(config, run_name) / out.name if own and isinstance(out, pathlib.Path) else pathlib.Path(out)
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
    if own:
        card = out.with_suffix(".md")
        with atomic_write(card) as temporary:
            temporary.write_text(cards.card(pair(out), committed.load()))
        fixed = out.with_name(f"{out.stem}_int8.npz")
        asked = f"--network {config['network']} --upscale {config['upscale']}"
        print(
            f"model card: {card}, curves: {folder / 'history.png'}\n"
            f"next: python -m model.quantise {asked} --weights {out} -o {fixed}\n"
            f"      python host/run_pynq.py img.png --weights {fixed}"
        )


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
