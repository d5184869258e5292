"""Tables of the committed results, and the page they make, docs/results.md: `python -m model.quality.pages`.

`documents` says what is to be written, `write` writes it, tests compare. Pages written by hand have regions for tables
between `<!-- begin NAME -->` and `<!-- end NAME -->`; `host/measure/pages.py` fills those that need more than results.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from model.base.errors import UserError, report_user_errors
from model.base.paths import ROOT, atomic_write
from model.graph.description import DEFAULT_NETWORK, list_networks, load_network
from model.graph.network import UPSCALES
from model.graph.weights import T91, TRAINED_ON
from model.quality import results as committed

if TYPE_CHECKING:
    from model.quality.results import Results

PAGE = ROOT / "docs" / "results.md"
LEARNED = {"float": "float", "golden": "fixed point"}  # methods of the tables, and their headings
LARGEST = "srcnn955"  # of the SRCNNs
# What the project this one grew out of reached at x3 on the opencv protocol.
ORIGINAL = {("Set5", "butterfly_GT"): 23.483, ("Set14", "monarch"): 28.331}
# Pictures of scikit-image that the documents show: no rights of others on them. Set5 and Set14 are only drawn into
# build/.
COMPARED = (("astronaut", 3), ("coffee", 2), ("chelsea", 4))


def markdown(header: Sequence[str], rows: Iterable[Sequence]) -> str:
    """Return a markdown table; cells are str or numbers, None is left empty."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join("" if cell is None else str(cell) for cell in line) + " |" for line in lines)


def replace_region(text: str, name: str, body: str) -> str:
    """Put `body` between the markers of a region. Raises UserError if the text has no such region."""
    pattern = re.compile(rf"(<!-- begin {name} [^\n]*-->\n).*?(<!-- end {name} -->)", re.S)
    if not pattern.search(text):
        raise UserError(
            f"there is no region {name}; put back the lines `<!-- begin {name} (made by ...) -->` and `<!-- end "
            f"{name} -->`"
        )
    return pattern.sub(lambda match: match[1] + body.rstrip("\n") + "\n" + match[2], text, count=1)


def title(network: str) -> str:
    """Return what a network is called: an SRCNN as in the paper, from its filters, 9-1-5; others by their name."""
    if network not in list_networks("upscaled"):
        return network
    return "-".join(str(layer.k) for layer in load_network(network).layers)


def name_of(image: str) -> str:
    """Return a picture's name as the tables show it."""
    return image.removesuffix("_GT")


def number(row: dict | None, metric: str = "psnr") -> str | None:
    """Return a cell, or None where nothing was measured."""
    return None if row is None else f"{row[metric]:{'.2f' if metric == 'psnr' else '.4f'}}"


def both(row: dict) -> str:
    """Return PSNR (SSIM), or None."""
    return None if row is None else f"{number(row)} ({number(row, 'ssim')})"


def headline(results: Results) -> str:
    """Return the first table that a reader sees: Set5 on the standard protocol, default network, and the largest one
    there is.
    """

    def line(network, method):
        return [number(results.find(network, upscale, "standard", "Set5", "mean", method)) for upscale in UPSCALES]

    networks = (DEFAULT_NETWORK, LARGEST)
    rows = [["bicubic", *line(DEFAULT_NETWORK, "bicubic")]]
    for network in networks:
        name = f"SRCNN {title(network)}"
        rows.append([f"{name}, TensorFlow float", *line(network, "float")])
        fixed = [f"{name}, 8-bit fixed point", *line(network, "golden")]
        rows.append([cell and f"**{cell}**" for cell in fixed] if network == DEFAULT_NETWORK else fixed)
    return markdown(
        ["Y-PSNR on Set5, standard protocol (measured: `make evaluate`)", *[f"x{upscale}" for upscale in UPSCALES]],
        rows,
    )


def standard_table(results: Results, network: str = DEFAULT_NETWORK) -> str:
    """Return PSNR (SSIM) of every set and factor."""
    rows = []
    for dataset in results.datasets():
        for upscale in UPSCALES:
            found = [
                both(results.find(network, upscale, "standard", dataset, "mean", method))
                for method in ("bilinear", "bicubic", *LEARNED)
            ]
            if any(found):
                rows.append([f"{dataset} x{upscale}", *found])
    return markdown(
        [f"{title(network)}, standard protocol", "bilinear", "bicubic", "TensorFlow float", "8-bit fixed point"], rows
    )


def networks_table(results: Results) -> str:
    """Return mean PSNR of every SRCNN, float and fixed point, beside what a pixel costs."""
    places = [(dataset, upscale) for dataset in results.datasets() for upscale in UPSCALES]
    rows = []
    for network in dict.fromkeys(network for network, _ in results.combinations("standard")):
        if network not in list_networks("upscaled"):
            continue
        for method, heading in LEARNED.items():
            cells = [
                number(results.find(network, upscale, "standard", dataset, "mean", method))
                for dataset, upscale in places
            ]
            rows.append([title(network), heading, f"{load_network(network).macs_per_pixel:,}", *cells])
    return markdown(
        ["network", "", "products per pixel", *[f"{dataset} x{upscale}" for dataset, upscale in places]], rows
    )


def video_table(results: Results) -> str:
    """Return mean PSNR of every network for video, float and fixed point, beside what a pixel costs; "" if there is
    none.
    """
    rows = []
    found = [
        (upscale, network, data)
        for data in TRAINED_ON
        for network, upscale in results.combinations("standard", data=data)
    ]
    for upscale, network, data in sorted(found):
        if network in list_networks("upscaled"):
            continue
        cells = [
            number(results.find(network, upscale, "standard", dataset, "mean", method, data=data))
            for dataset in results.datasets()
            for method in LEARNED
        ]
        products = load_network(network, upscale).macs_per_pixel
        rows.append([network, f"x{upscale}", data, f"{products:,.0f}", *cells])
    header = [f"{dataset} {heading}" for dataset in results.datasets() for heading in LEARNED.values()]
    return markdown(["for video", "", "trained on", "products per pixel", *header], rows) if rows else ""


def opencv_table(results: Results) -> str:
    """Return means and the original project's two pictures, for the weights trained for the opencv degradation."""
    rows = []
    for network, upscale in results.combinations("opencv"):
        places = [(dataset, "mean") for dataset in results.datasets()] + (list(ORIGINAL) if upscale == 3 else [])
        for dataset, image in places:
            found = [
                results.find(network, upscale, "opencv", dataset, image, method) for method in ("bicubic", *LEARNED)
            ]
            if any(found):
                name = f"{dataset}, mean" if image == "mean" else name_of(image)
                theirs = ORIGINAL.get((dataset, image))
                rows.append([f"{title(network)} x{upscale}, {name}", *map(both, found), theirs and f"{theirs:.2f}"])
    return markdown(
        [
            "opencv protocol, weights trained for its degradation",
            "bicubic",
            "TensorFlow float",
            "8-bit fixed point",
            "the original project",
        ],
        rows,
    )


def margins(results: Results) -> list[dict]:
    """Return per network, factor and protocol how far fixed point is from float and from bicubic.

    Returns
    -------
    list of dict
        network, upscale, protocol, data; loss_mean (largest over the sets), loss_picture and loss_image, gain_picture and
        gain_image (the picture that gains least over bicubic), in dB. Only weights of the protocol's degradation.
    """
    found = []
    for protocol, data in (("standard", T91), ("opencv", T91), ("standard", TRAINED_ON[1])):
        for network, upscale in results.combinations(protocol, data=data):

            def find(dataset, image, method):
                return results.find(network, upscale, protocol, dataset, image, method, data=data)

            def psnr(dataset, image, method):
                return find(dataset, image, method)["psnr"]

            pictures = [(dataset, image) for dataset in results.datasets() for image in results.images(dataset)]
            if find(*pictures[0], "golden") is None or find(*pictures[0], "float") is None:
                continue
            loss, lost = max((psnr(*where, "float") - psnr(*where, "golden"), where[1]) for where in pictures)
            gain, gained = min((psnr(*where, "golden") - psnr(*where, "bicubic"), where[1]) for where in pictures)
            found.append(
                {
                    "network": network,
                    "upscale": upscale,
                    "protocol": protocol,
                    "data": data,
                    "loss_mean": max(psnr(d, "mean", "float") - psnr(d, "mean", "golden") for d in results.datasets()),
                    "loss_picture": loss,
                    "loss_image": lost,
                    "gain_picture": gain,
                    "gain_image": gained,
                }
            )
    return found


def margins_table(results: Results) -> str:
    """Return `margins` as a table."""
    return markdown(
        ["", "fixed - float, worst mean", "worst picture", "fixed - bicubic, worst picture"],
        [
            [
                f"{title(m['network'])} x{m['upscale']}, {m['protocol']}{'' if m['data'] == T91 else ', ' + m['data']}",
                f"{-m['loss_mean']:+.3f}",
                f"{-m['loss_picture']:+.3f} ({name_of(m['loss_image'])})",
                f"{m['gain_picture']:+.3f} ({name_of(m['gain_image'])})",
            ]
            for m in margins(results)
        ],
    )


def margins_sentence(results: Results) -> str:
    """Return how far fixed point is from float and from bicubic at worst, over all networks, factors and both
    protocols.
    """
    found = margins(results)
    loss, picture, gain = (
        f(found, key=lambda m: m[key]) for f, key in ((max, "loss_mean"), (max, "loss_picture"), (min, "gain_picture"))
    )
    return (
        f"On either protocol, with weights trained for it, fixed point costs at most {loss['loss_mean']:.3f} dB of a "
        f"mean "
        f"({title(loss['network'])} x{loss['upscale']}) and\n{picture['loss_picture']:.3f} dB of a picture "
        f"({name_of(picture['loss_image'])}), and every "
        f"picture of {' and '.join(results.datasets())} gains over bicubic, the least {gain['gain_picture']:.2f} dB "
        f"({name_of(gain['gain_image'])})."
    )


def mismatch(results: Results) -> tuple[float, float] | None:
    """Return (least, most): dB below bicubic of standard weights on the opencv protocol, fixed point, mean of Set5;
    None if not measured.
    """
    foreign = set(results.combinations("opencv", own=False)) - set(results.combinations("opencv"))
    rows = [
        [results.find(*pair, "opencv", "Set5", "mean", method) for method in ("bicubic", "golden")]
        for pair in sorted(foreign)
    ]
    losses = [bicubic["psnr"] - golden["psnr"] for bicubic, golden in rows if bicubic and golden]
    return (min(losses), max(losses)) if losses else None


def mismatch_sentence(results: Results) -> str:
    """Return what weights of one degradation are worth on the other, or "" if that was not measured."""
    if not mismatch(results):
        return ""
    least, most = mismatch(results)
    return (
        f"Weights are good for the degradation they were trained for: on the opencv protocol, which shrinks without "
        f"antialiasing,\n"
        f"those trained for the standard one end {least:.1f} to {most:.1f} dB below bicubic (means of Set5)."
    )


def pictures_table(results: Results, protocol: str, upscale: int) -> str:
    """Return PSNR of every picture: bicubic, then every network in float and fixed point."""
    weights = [
        (network, data)
        for data in TRAINED_ON
        for network, factor in results.combinations(protocol, data=data)
        if factor == upscale
    ]
    rows = []
    for dataset in results.datasets():
        for image in [*results.images(dataset), "mean"]:
            cells = [
                number(results.find(network, upscale, protocol, dataset, image, method, data=data))
                for network, data in weights
                for method in LEARNED
            ]
            bicubic = number(results.find(weights[0][0], upscale, protocol, dataset, image, "bicubic"))
            cells = [f"{dataset}, {name_of(image)}", bicubic, *cells]
            rows.append([cell and f"**{cell}**" for cell in cells] if image == "mean" else cells)
    header = [
        f"{title(network)}{'' if data == T91 else f' {data}'} {heading}"
        for network, data in weights
        for heading in LEARNED.values()
    ]
    return markdown([f"{protocol}, x{upscale}", "bicubic", *header], rows)


def foreign_table(results: Results) -> str:
    """Return means on the opencv protocol with weights trained for the standard degradation: what a mismatch costs."""
    rows = []
    for network, upscale in results.combinations("opencv", own=False):
        if (network, upscale) not in results.combinations("opencv"):
            for dataset in results.datasets():
                found = [
                    number(results.find(network, upscale, "opencv", dataset, "mean", method))
                    for method in ("bicubic", *LEARNED)
                ]
                rows.append([f"{title(network)} x{upscale}, {dataset}", *found])
    return (
        markdown(
            ["opencv protocol, weights trained for the standard degradation", "bicubic", "float", "fixed point"], rows
        )
        if rows
        else None
    )


PAGE_TEXT = """# Picture quality

Written by `make results` from [results/quality.json](results/quality.json), which holds every row that `make evaluate` measured
with the committed weights. `make evaluate ARGS=--check` measures again and compares: fixed point and bicubic on the standard
protocol have to be the same in every bit, TensorFlow's floats and what OpenCV computes within half a unit of the last digit shown.
PSNR in dB of Y; SSIM in brackets. Weights were trained on T91 alone unless a table says otherwise; how, and their limits, say the [model cards](models/README.md).
What each choice of the recipe is worth says [ablations.md](ablations.md).

`model/quality/protocols.py` describes the two protocols: *standard* is the papers' (MATLAB-style bicubic, BT.601 Y, a border of
*upscale* pixels left out), *opencv* that of the project this one grew out of (OpenCV resize without antialiasing, JPEG round trip,
single-window SSIM). `make compare IMG=photo.png` (or a folder) measures your pictures on both and draws the figure.

## Every network

{networks}
{video}
![PSNR against products per pixel](images/quality_cost.svg)

The published points are the papers', most of them trained on more than T91; `model/quality/published.toml` says which and what.

## The default network

{standard}

{pictures_of_demo}

The pictures are scikit-image's, free of rights of others; `make evaluate` draws the same for pictures of Set5 and Set14 into
`build/figures/`. The frame is where float and fixed point differ most from bicubic.

## What fixed point costs, and what is gained

{margins}

{worst}

## The original project's protocol

{opencv}
{foreign}{mismatch}
## Training curves

{curves}

## Every picture

{pictures}
"""


def page(results: Results, has_curves: bool) -> str:
    """Return docs/results.md."""
    opencv = opencv_table(results) if results.combinations("opencv") else "No weights were trained for its degradation."
    foreign = foreign_table(results)
    curves = (
        (
            "![validation PSNR over the steps of every training](images/training_curves.svg)\n\nValidation PSNR of "
            "the averaged weights, on the "
            "pictures of T91 that training never sees."
        )
        if has_curves
        else "The committed weight files hold no history of their training, so there is no curve to draw."
    )
    shown = "\n\n".join(
        pictures_table(results, protocol, upscale)
        for protocol in ("standard", "opencv")
        for upscale in UPSCALES
        if any(factor == upscale for _, factor in results.combinations(protocol))
    )
    figures = "\n\n".join(f"![{name}, x{upscale}](images/{name}_x{upscale}.jpg)" for name, upscale in COMPARED)
    return PAGE_TEXT.format(
        networks=networks_table(results),
        video=f"\n{video_table(results)}\n" if video_table(results) else "",
        standard=standard_table(results),
        pictures_of_demo=figures,
        margins=margins_table(results),
        worst=margins_sentence(results) if margins(results) else "",
        opencv=opencv,
        foreign=f"\n{foreign}\n" if foreign else "",
        mismatch=f"\n{mismatch_sentence(results)}\n" if mismatch(results) else "",
        curves=curves,
        pictures=shown,
    )


def documents(results: Results) -> dict[pathlib.Path, str]:
    """Return {path: text} of every document that is written from the results alone."""
    return {PAGE: page(results, bool(committed.histories()))}


def write(results: Results) -> list[pathlib.Path]:
    """Bring the documents up to date; return those that changed."""
    return write_changed(documents(results))


def write_changed(wanted: dict[pathlib.Path, str]) -> list[pathlib.Path]:
    """Write {path: text} where a file has another text or is missing; return the paths written."""
    changed = []
    for path, text in wanted.items():
        if not path.is_file() or path.read_text() != text:
            with atomic_write(path) as temporary:
                temporary.write_text(text)
            changed.append(path)
    return changed


@click.command()
@report_user_errors
def main() -> None:
    """Write docs/results.md from the committed results, without measuring anything."""
    changed = write(committed.load())
    print(
        "wrote " + ", ".join(str(path.relative_to(ROOT)) for path in changed) if changed else "all pages are up to date"
    )


if __name__ == "__main__":
    main()
