"""All methods on your own pictures, as the original project printed it: PSNR, SSIM, MSE and the change against bicubic.

Each picture is taken as the truth, degraded and restored, on both protocols. A table and `build/reports/compare.json`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from host.measure import figures
from host.measure.evaluate import mean_rows
from host.measure.methods import METHODS, Methods, parse_methods
from host.show.before_after import method_name
from model.base import report
from model.base.errors import UserError, report_user_errors
from model.base.paths import BUILD
from model.data.datasets import picture_files
from model.graph.description import DEFAULT_NETWORK, list_networks, load_network
from model.graph.network import UPSCALES
from model.imaging.files import read_picture
from model.quality.protocols import PROTOCOLS, measure, prepare

if TYPE_CHECKING:
    import numpy as np


def compare(
    pictures: list[tuple[str, np.ndarray]],
    network: str,
    upscale: int,
    names: Sequence[str] = METHODS,
    protocols: Sequence[str] = PROTOCOLS,
    on_case: Callable | None = None,
) -> list[dict]:
    """Measure methods on pictures.

    Parameters
    ----------
    pictures : iterable of (str, ndarray of uint8)
        Name and true picture, (H, W, 3) RGB or (H, W) grey.
    network : str
    upscale : int
    names, protocols : sequence of str
    on_case : callable, optional
        Called with (name, picture, case, results) after each picture and protocol.

    Returns
    -------
    list of dict
        image, network, upscale, protocol, weights (the degradation they were trained for), method, psnr, ssim, mse,
        and psnr_change, ssim_change, mse_change against bicubic. Several pictures are followed by their mean.
    """
    methods = {protocol: Methods(network, upscale, names, protocol) for protocol in protocols}
    pictures = list(pictures)
    rows = {protocol: [] for protocol in protocols}
    for image, picture in pictures:
        for protocol in protocols:
            case = prepare(picture, upscale, protocol)
            results = methods[protocol].run_all(case)
            for method, result in results.items():
                rows[protocol].append(
                    {
                        "image": image,
                        "network": network,
                        "upscale": upscale,
                        "protocol": protocol,
                        "weights": methods[protocol].weights,
                        "method": method,
                        **measure(case, result),
                    }
                )
            base = measure(case, case.bicubic)
            for row in rows[protocol][-len(results) :]:
                row.update({f"{metric}_change": row[metric] - base[metric] for metric in base})
            if on_case is not None:
                on_case(image, picture, case, results)
    if len(pictures) > 1:
        for measured in rows.values():
            measured += _mean(measured, names)
    return [row for protocol in protocols for row in rows[protocol]]


def _mean(measured, names):
    rows = mean_rows(measured, names)
    for row in rows:
        of_method = [m for m in measured if m["method"] == row["method"]]
        for metric in ("psnr", "ssim", "mse"):
            row[f"{metric}_change"] = sum(m[f"{metric}_change"] for m in of_method) / len(of_method)
    return rows


def print_rows(rows: list[dict], echo: Callable = print) -> None:
    """Print one block per picture and protocol."""
    blocks = {}
    for row in rows:
        blocks.setdefault((row["image"], row["protocol"]), []).append(row)
    for (image, protocol), block in blocks.items():
        trained = block[0]["weights"]
        note = f", weights trained for the {trained} degradation" if trained not in (None, protocol) else ""
        echo(f"\n{image}, {block[0]['network']} x{block[0]['upscale']}, {protocol} protocol{note}")
        lines = [
            {
                "method": row["method"],
                "PSNR dB": f"{row['psnr']:.3f}",
                "change": "" if row["method"] == "bicubic" else f"{row['psnr_change']:+.3f}",
                "SSIM": f"{row['ssim']:.4f}",
                "change ": "" if row["method"] == "bicubic" else f"{row['ssim_change']:+.4f}",
                "MSE": f"{row['mse']:.1f}",
                "change  ": "" if row["method"] == "bicubic" else f"{row['mse_change']:+.1f}",
            }
            for row in block
        ]
        echo(report.table(lines))


def find_pictures(paths: tuple[str, ...]) -> list[pathlib.Path]:
    """Return the picture files named by paths; a folder stands for its pictures."""
    files = []
    for path in map(pathlib.Path, paths):
        if path.is_dir():
            files += picture_files(path)
        elif not path.exists():
            raise UserError(f"there is no file or folder {path}; name a picture or a folder of pictures")
        else:
            files.append(path)
    return files


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PICTURE_OR_FOLDER...")
@click.option("--upscale", type=click.Choice([str(u) for u in UPSCALES]), default="3", show_default=True)
@click.option("--network", type=click.Choice(list_networks()), default=DEFAULT_NETWORK, show_default=True)
@click.option("--methods", default=",".join(METHODS), show_default=True)
@click.option("--protocol", type=click.Choice(PROTOCOLS), help="Both by default.")
@click.option("--figures", "with_figures", is_flag=True, help="Draw a figure per picture into build/figures.")
@report_user_errors
def main(
    paths: tuple[str, ...], upscale: str, network: str, methods: str, protocol: str | None, with_figures: bool
) -> None:
    """Compare all methods on pictures, each taken as the truth, degraded and restored."""
    names, upscale = parse_methods(methods), int(upscale)
    files = find_pictures(paths)
    protocols = (protocol,) if protocol else PROTOCOLS
    pictures = [(path.stem, read_picture(path).shallow().pixels) for path in files]
    drawn, name = [], method_name(load_network(network, upscale))
    with tqdm(total=len(files) * len(protocols), unit="picture", disable=None) as bar:

        def on_case(image, picture, case, results):
            bar.set_description(f"{image} {case.protocol}")
            bar.update()
            chosen = {name: y for name, y in results.items() if name in figures.SHOWN}
            if with_figures and case.protocol == protocols[0] and chosen:
                drawn.append(BUILD / "figures" / f"{image}_x{upscale}.png")
                figures.draw(picture, case, chosen, drawn[-1], title=f"{image}, x{upscale}", network=name)

        rows = compare(pictures, network, upscale, names, protocols, on_case)
    print_rows(rows)
    print(f"\nwrote {', '.join(map(str, [report.write_report('compare', rows), *drawn]))}")


if __name__ == "__main__":
    main()
