"""A picture made small in several ways, enlarged by bicubic, standard and photo weights: docs/images/photo_x3.jpg."""

from __future__ import annotations

import pathlib

import click
import numpy as np

from host.measure.photo.kinds import make_small
from model.base.errors import report_user_errors
from model.base.paths import ROOT, atomic_write
from model.graph.description import DEFAULT_NETWORK, list_networks
from model.graph.network import UPSCALES
from model.graph.weights import load_quant, weight_path
from model.imaging.color import rgb_to_y
from model.imaging.resize import imresize, modcrop, to_uint8
from model.integer import golden
from model.quality.metrics import psnr

KINDS = ("clean", "sharpened", "noise 8 + JPEG 85", "JPEG 50")
WEIGHTS = ("standard", "photo")
CROP = 150, 60, 130, 90  # left, top, width and height of what is shown of scikit-image's astronaut
IMAGES = ROOT / "docs" / "images"


def panels(picture: np.ndarray, network: str, upscale: int) -> list[list[tuple[str, np.ndarray]]]:
    """Return a row per kind: (title, Y) of bicubic and of each kind of weights, uint8 (H, W)."""
    picture = np.ascontiguousarray(modcrop(picture, upscale))
    models = {
        weights: load_quant(weight_path(network, upscale, weights, quantised=True), network) for weights in WEIGHTS
    }
    truth, inner, rows = rgb_to_y(picture), (slice(upscale, -upscale),) * 2, []
    for kind in KINDS:
        small = rgb_to_y(make_small(kind, picture, upscale, "astronaut"))
        large = to_uint8(imresize(small, upscale))
        results = {"bicubic": large}
        for weights, model in models.items():
            results[f"{weights} weights"] = golden.infer(model, large if model.network.input == "upscaled" else small)
        rows.append([(f"{name}, {psnr(truth[inner], y[inner]):.2f} dB", y) for name, y in results.items()])
    return rows


def draw(rows: list[list[tuple[str, np.ndarray]]], path: pathlib.Path) -> None:
    """Draw the crops, a row per kind."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    left, top, width, height = CROP
    size = (3.2 * len(rows[0]), (3.2 * height / width + 0.3) * len(rows))
    figure, axes = pyplot.subplots(len(rows), len(rows[0]), figsize=size, layout="constrained")
    for kind, line, row in zip(KINDS, axes, rows, strict=True):
        for place, (title, y) in zip(line, row, strict=True):
            place.imshow(
                y[top : top + height, left : left + width], cmap="gray", vmin=0, vmax=255, interpolation="nearest"
            )
            place.set_title(title, fontsize=9)
            place.set_xticks([])
            place.set_yticks([])
        line[0].set_ylabel(kind, fontsize=10)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="jpg", dpi=100, pil_kwargs={"quality": 88})
    pyplot.close(figure)


@click.command()
@click.option("--network", type=click.Choice(list_networks()), default=DEFAULT_NETWORK, show_default=True)
@click.option("--upscale", type=click.Choice([str(u) for u in UPSCALES]), default="3", show_default=True)
@report_user_errors
def main(network: str, upscale: str) -> None:
    """Draw docs/images/photo_x3.jpg anew."""
    from skimage import data

    path = IMAGES / f"photo_x{upscale}.jpg"
    draw(panels(data.astronaut(), network, int(upscale)), path)
    print(path)


if __name__ == "__main__":
    main()
