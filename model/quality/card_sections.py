"""The sections of a model card: training, quality, the integer file; read from weight files and results."""

from __future__ import annotations

import pathlib
import shlex
from typing import TYPE_CHECKING

import numpy as np

from model.quality import photo_results
from model.quality.pages import markdown, name_of, number
from model.quality.pair import digest
from model.quality.protocols import PROTOCOLS

# What is optimised, by the name that `--metric` has for it: its name in a card, and in a sentence.
METRICS = {
    "mse": ("MSE", "squared error"),
    "l1": ("L1", "absolute error"),
    "psnr": ("PSNR", "PSNR"),
    "picture": ("squared errors in shares of bicubic's", "squared error in shares of bicubic's"),
}

if TYPE_CHECKING:
    from model.quality.pair import Pair
    from model.quality.results import Results

PLACES = ("--out", "--run", "-o", "--output")  # options that say where files go and decide no result
# Options of the training that a card's sentences tell, or its heading, or that decide nothing; others are listed as
# they are.
TOLD = {
    "network",
    "upscale",
    "degradation",
    "padding",
    "patches",
    "stride",
    "metric",
    "steps",
    "batch",
    "size",
    "lr",
    "lr_end",
    "ema",
    "rescales",
    "augment",
    "seed",
    "data",
    "data_sha256",
    "init",
    "layers",
    "validate_every",
}


def command_of(text: str) -> str:
    """Return a recorded command without the options that only say where files go, paths shortened to names."""
    words, out = shlex.split(text), []
    while words:
        word = words.pop(0)
        if word in PLACES and words:
            words.pop(0)
        elif word.split("=")[0] not in (*PLACES, "--restart"):
            out.append(shortened(word))
    return shlex.join(out)


def shortened(value: object) -> str:
    """Return a value as text, an absolute path as its last name: machines differ."""
    return pathlib.PurePath(value).name if str(value).startswith("/") else str(value)


def minutes(seconds: float) -> str:
    """Return seconds as text: minutes, or hours and minutes."""
    whole = round(seconds / 60)
    return f"{whole // 60} h {whole % 60} min" if whole >= 60 else f"{whole} min"


def training(pair: Pair) -> str:
    """Return the section on the training."""
    meta, network = pair.real.meta, pair.real.network
    if pair.elsewhere:
        return f"Elsewhere: `{shortened(pair.elsewhere)}`, read by `make import`."
    config = meta.get("config", {})
    rows = [["command", f"`{command_of(meta['command'])}`" if meta.get("command") else "not recorded"]]
    trained = count_of(pair)
    held_out = meta.get("validation_pictures", [])
    rows.append(
        [
            "data",
            f"{shortened(meta.get('data', 'not recorded'))}: {trained}"
            + f"; for validation {', '.join(held_out)}" * bool(held_out),
        ]
    )
    if config.get("init"):
        rows.append(["started from", f"`{shortened(config['init'])}`"])
    if config:
        inner = config["size"] - (2 * network.halo if config["padding"] == "valid" else 0)
        inner *= network.scale
        seen = meta["steps"] * config["batch"]
        rows += [
            [
                "steps",
                f"{meta['steps']:,} of {config['batch']} patches of {config['size']}x{config['size']} "
                f"({config['patches']}"
                + (", flips and turns" if config["augment"] else "")
                + f"), from copies of {', '.join(f'{r:g}' for r in config['rescales'])} times the size",
            ],
            [
                "optimiser",
                f"Adam, {config['lr']:g} falling to {config['lr_end']:g} (cosine), {METRICS[config['metric']][0]}, moving "
                f"average of the weights {config['ema']:g}, "
                f"first layer whitened, {config['padding']} convolutions, seed {config['seed']}",
            ],
            [
                "work",
                f"{seen * inner**2:,} output pixels, {seen * inner**2 * network.macs_per_pixel / 1e12:.1f} * 10^12 "
                f"products forward",
            ],
        ]
    more = {name: value for name, value in config.items() if name not in TOLD and value not in ("", None, False, [])}
    if more:
        rows.append(
            ["also", ", ".join(f"{name.replace('_', ' ')} {shortened(value)}" for name, value in sorted(more.items()))]
        )
    if meta.get("seconds"):
        rows.append(["time", f"{minutes(meta['seconds'])} on two CPU cores that may have had other work too"])
    if meta.get("validation_psnr"):
        rows.append(
            [
                "chosen",
                f"step {meta['best_step']:,}, the best on the validation pictures: {meta['validation_psnr']:.2f} dB",
            ]
        )
    history = meta.get("history") or []
    rows.append(
        [
            "course",
            f"{len(history)} validations, {history[0]['psnr']:.2f} dB at step {history[0]['step']:,} to "
            f"{history[-1]['psnr']:.2f} dB at step {history[-1]['step']:,} "
            "([curves](../results.md#training-curves))"
            if history
            else "the file holds no history",
        ]
    )
    return markdown(["", ""], rows)


def count_of(pair: Pair) -> str:
    """Return how many pictures it was trained on, in words; the calibration set is the training's part of T91."""
    files = pair.fixed.meta.get("calibration_files", []) if pair.fixed else []
    return f"{len(files)} pictures" if files else "the pictures without validation's"


def quality(pair: Pair, results: Results) -> str:
    """Return the section on quality: means and extremes per protocol and set that were measured with these weights."""
    network, upscale = pair.real.network.name, pair.real.upscale
    if pair.degradation == "photo":
        return _gains(network, upscale)
    protocols = [
        p
        for p in PROTOCOLS
        if p == pair.degradation
        or (pair.degradation == "standard" and (network, upscale) not in results.combinations(p, data=pair.data))
    ]
    rows = []
    for protocol in protocols:
        for dataset in results.datasets():

            def find(image, method):
                return results.find(network, upscale, protocol, dataset, image, method, data=pair.data)

            if find("mean", "golden") is None:
                continue
            gain, weakest = min(
                (find(image, "golden")["psnr"] - find(image, "bicubic")["psnr"], image)
                for image in results.images(dataset)
            )
            loss, worst = max(
                (find(image, "float")["psnr"] - find(image, "golden")["psnr"], image)
                for image in results.images(dataset)
            )
            means = [
                f"{number(find('mean', method))} ({number(find('mean', method), 'ssim')})"
                for method in ("bicubic", "float", "golden")
            ]
            rows.append(
                [f"{protocol}, {dataset}", *means, f"{name_of(weakest)} {gain:+.2f}", f"{name_of(worst)} {-loss:+.3f}"]
            )
    if not rows:
        return "Not measured."
    text = markdown(
        [
            "protocol, set",
            "bicubic",
            "TensorFlow float",
            "fixed point",
            "least gain over bicubic",
            "most lost to float",
        ],
        rows,
    )
    if len(protocols) > 1:
        text += "\n\nThe opencv protocol degrades in a way that these weights were not trained for."
    return (
        f"Y-PSNR in dB (SSIM), mean of the set; then the picture where fixed point gains least over bicubic and "
        f"the one where it loses most to float.\n\n{text}"
    )


def _gains(network, upscale):
    """What weights for photographs gain over bicubic, beside the standard ones."""
    rows = photo_results.load()
    gains, usual = (photo_results.of(rows, network, upscale, weights) for weights in ("photo", "standard"))
    if not gains:
        return "Not measured."
    return (
        "Gain over bicubic in dB of Y-PSNR, fixed point, on pictures that no training saw, made small in twelve ways "
        "(`make evaluate-photo`).\n\n"
        + markdown(
            ["kind", "these weights", "standard weights"],
            [[kind, f"{gain:+.2f}", f"{usual[kind]:+.2f}"] for kind, gain in gains.items()],
        )
    )


def fixed_point(pair: Pair) -> str:
    """Return the section on the integer file."""
    if pair.fixed is None:
        return "There is no integer file of these weights."
    meta, rows = pair.fixed.meta, []
    for layer, q in zip(pair.fixed.network.layers, pair.fixed.layers):
        unused = int((~q.weight.any((1, 2, 3))).sum())
        rows.append(
            [
                layer.name,
                f"{layer.k}x{layer.k}, {layer.in_ch} to {layer.out_ch}",
                f"{q.weight.min()} to {q.weight.max()}",
                f"{int(np.abs(q.bias).max()):,}",
                f"{q.shift.min()} to {q.shift.max()}",
                unused,
                f"{q.worst_accumulator:,}",
                f"{int(q.worst_accumulator).bit_length() + 1} of {layer.acc_bits}",
            ]
        )
    table = markdown(
        [
            "layer",
            "filters, channels",
            "weights (int8)",
            "largest bias",
            "shift per channel",
            "channels of zeros",
            "largest accumulator",
            "its bits",
        ],
        rows,
    )
    source = (
        "exactly this float file"
        if meta.get("float_sha256") == digest(pair.path)
        else f"another float file (sha256 {str(meta.get('float_sha256', 'not recorded'))[:16]}...)"
    )
    lines = [
        "Activations are uint8 after every layer, biases int32 (24 bits used), one shift per output channel; add "
        "half, shift, saturate "
        "([the contract](../architecture.md#arithmetic-contract)). The largest accumulator is that of the worst "
        "input, whatever the picture.",
        "",
        table,
        "",
        f"Made by `{command_of(meta.get('command', 'an unrecorded command'))}` from {source}.",
    ]
    if meta.get("calibration_files"):
        lines[-1] += (
            f" Calibrated with the {len(meta['calibration_files'])} training pictures of {meta['calibration_set']}, "
            f"never with a test picture."
        )
    if meta.get("fine_tuning"):
        tuning = meta["fine_tuning"]
        lines += [
            "",
            "Fine-tuned in integers: "
            + (
                ", ".join(
                    f"{name.replace('_', ' ')} {value}"
                    for name, value in sorted(tuning.items())
                    if isinstance(value, (str, int, float))
                )
                if isinstance(tuning, dict)
                else str(tuning)
            )
            + ".",
        ]
    return "\n".join(lines)
