"""Model cards: `python -m model.quality.cards` writes docs/models/<weights>.md and its index from weight files and
results.

One card is for a float file and its integer partner. Everything in it is read from the two files and from the committed
results, or computed from them; nothing is measured here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
import shlex
from typing import TYPE_CHECKING

import click
import numpy as np

from model.base.errors import report_user_errors
from model.base.paths import ROOT, WEIGHTS
from model.graph.weights import DEGRADATIONS, T91, FloatModel, QuantModel, load_float, load_quant
from model.quality import pages
from model.quality import results as committed
from model.quality.pages import markdown, name_of, number, title, write_changed

if TYPE_CHECKING:
    from model.quality.results import Results

FOLDER = ROOT / "docs" / "models"
INDEX = FOLDER / "README.md"
PLACES = ("--out", "--run", "-o", "--output")  # options that say where files go and decide no result
NOTE = (
    "Written by `make results` (`python -m model.quality.cards`) from the weight files and [the "
    "results](../results.md); do not edit."
)
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
DEGRADED = {
    "standard": "MATLAB-style bicubic with antialiasing, of Y",
    "opencv": "OpenCV's bicubic without antialiasing, of the 8-bit colours",
}

LIMITS = """- **One kind of smallness.** It undoes {degraded}, at x{upscale} and nothing else. A picture made small in another way (a camera's
  optics, a browser, an area average) gains less, or is spoiled. {mismatch}
- **Clean input.** Noise and JPEG blocks were never seen in training; a network that sharpens sharpens them too. Remove them before.
- **Y alone.** Cb and Cr are upscaled bicubically.
- **Nothing is invented.** It was trained for the {metric}, which favours the mean of all that a detail could have been: fine texture
  stays soft. Nor is anything proven: no evidence for faces, number plates, medicine or measurements.
- **Little data.** {count}, all small: mostly flowers, leaves and fruit, a few faces, animals, cars and buildings, hardly
  any text, no drawings. {sets} gave the figures above and nothing else; they are small sets of photos too.
- **Rights.** The weights are under the project's Apache-2.0. T91, Set5 and Set14 are customary research pictures; the project knows of no
  licence of theirs and ships none of them."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """A float weight file and, if there is one, its integer partner."""

    path: pathlib.Path
    real: FloatModel
    fixed_path: pathlib.Path
    fixed: QuantModel | None

    @property
    def name(self) -> str:
        """Stem of the float file."""
        return self.path.stem

    @property
    def degradation(self) -> str:
        """What it was trained for, as its name says."""
        return next((d for d in DEGRADATIONS if self.name.endswith(f"_{d}")), DEGRADATIONS[0])

    @property
    def data(self) -> str:
        """The pictures that it was trained on."""
        return self.real.meta.get("data", T91)


def pairs(folder: pathlib.Path = WEIGHTS) -> list[Pair]:
    """Return the pairs of weight files of a folder, sorted by name."""
    found = []
    for path in sorted(folder.glob("*.npz")):
        if not path.stem.endswith("_int8"):
            fixed = path.with_name(f"{path.stem}_int8.npz")
            found.append(Pair(path, load_float(path), fixed, load_quant(fixed) if fixed.is_file() else None))
    return found


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
                f"Adam, {config['lr']:g} falling to {config['lr_end']:g} (cosine), {config['metric'].upper()}, moving "
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
    protocols = [
        p
        for p in DEGRADATIONS
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


def mismatch(pair: Pair, results: Results) -> str:
    """Return a sentence on pictures of the other degradation."""
    found = pages.mismatch(results)
    if pair.degradation != DEGRADATIONS[0] or found is None:
        return "On the other degradation of this project it was not measured."
    return (
        f"Made small without antialiasing (the opencv protocol), it ends below bicubic, as all weights for the\n  "
        f"standard degradation do that "
        f"were measured so: by {found[0]:.1f} to {found[1]:.1f} dB in the mean of Set5 "
        f"([results](../results.md#the-original-projects-protocol))."
    )


def digest(path: pathlib.Path) -> str:
    """Return the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def card(pair: Pair, results: Results) -> str:
    """Return the card of a pair of weight files as markdown."""
    network, parameters = pair.real.network, sum(array.size for array in (*pair.real.weights, *pair.real.biases))
    files = [
        [f"`model/weights/{path.name}`", kind, f"{path.stat().st_size:,}", f"`{digest(path)}`"]
        for path, kind in ((pair.path, "float32"), (pair.fixed_path, "int8"))
        if path.is_file()
    ]
    limits = LIMITS.format(
        mismatch=mismatch(pair, results),
        degraded=DEGRADED[pair.degradation],
        upscale=pair.real.upscale,
        count=count_of(pair).capitalize(),
        sets=" and ".join(results.datasets()),
        metric={"mse": "squared error", "l1": "absolute error", "psnr": "PSNR"}[
            pair.real.meta.get("config", {}).get("metric", "mse")
        ],
    )
    return f"""# {pair.name}

{NOTE}

{"SRCNN " if network.input == "upscaled" else ""}{title(network.name)}, x{pair.real.upscale}, {pair.degradation} degradation ({DEGRADED[pair.degradation]}). {parameters:,} parameters,
{network.macs_per_pixel:,.0f} products per output pixel, {network.halo} pixels of context on each side.

{markdown(["file", "weights", "bytes", "sha256"], files)}

## Training

{training(pair)}

## Quality

{quality(pair, results)}

## Fixed point

{fixed_point(pair)}

## Limits

{limits}
"""


def index(found: list[Pair], results: Results) -> str:
    """Return the index of all cards."""
    rows = []
    for pair in found:
        means = [
            number(
                results.find(
                    pair.real.network.name, pair.real.upscale, pair.degradation, "Set5", "mean", method, data=pair.data
                )
            )
            for method in ("bicubic", "float", "golden")
        ]
        rows.append(
            [
                f"[{pair.name}]({pair.name}.md)",
                title(pair.real.network.name),
                f"x{pair.real.upscale}",
                pair.degradation,
                f"{pair.real.network.macs_per_pixel:,.0f}",
                *means,
                f"{pair.real.meta.get('steps', 0):,}",
            ]
        )
    table = markdown(
        [
            "weights",
            "network",
            "upscale",
            "degradation",
            "products per pixel",
            "Set5 bicubic",
            "float",
            "fixed point",
            "steps",
        ],
        rows,
    )
    return (
        f"# Model cards\n\n{NOTE}\nY-PSNR in dB, mean of Set5 on the protocol of the weights' degradation.\n\n{table}\n"
    )


def documents(results: Results) -> dict[pathlib.Path, str]:
    """Return {path: text} of the index and of every card."""
    found = pairs()
    return {INDEX: index(found, results)} | {FOLDER / f"{pair.name}.md": card(pair, results) for pair in found}


def write(results: Results) -> list[pathlib.Path]:
    """Bring the cards up to date, remove those of weights that are no more; return the files that changed."""
    wanted, changed = documents(results), []
    for path in sorted(FOLDER.glob("*.md")):
        if path not in wanted:
            path.unlink()
            changed.append(path)
    return changed + write_changed(wanted)


@click.command()
@report_user_errors
def main() -> None:
    """Write the model cards from the committed weights and results."""
    changed = write(committed.load())
    print(
        "wrote " + ", ".join(str(path.relative_to(ROOT)) for path in changed) if changed else "all cards are up to date"
    )


if __name__ == "__main__":
    main()
