"""Quality of all methods on whole data sets, on both protocols: a table and `build/reports/evaluate.json`."""

import math

import click
from tqdm import tqdm

from model import report
from model.datasets import read_picture
from model.errors import UserError, report_user_errors
from model.methods import LEARNED, METHODS, Methods, parse_methods
from model.network import UPSCALES, list_networks
from model.paths import DATASETS, dataset_files
from model.protocols import PROTOCOLS, measure, prepare
from model.weights import weight_path

METRICS = ("psnr", "ssim", "mse")


def evaluate(combinations, datasets, names, progress=None):
    """Measure methods on every picture of data sets.

    Parameters
    ----------
    combinations : list of (str, int, str)
        Network, factor and protocol.
    datasets : sequence of str
    names : sequence of str
        Methods.
    progress : callable, optional
        Called after each picture with a short text.

    Returns
    -------
    list of dict
        Flat rows: network, upscale, protocol, dataset, image (or "mean"), method, psnr, ssim, mse.
    """
    pictures = {dataset: [(path.stem, read_picture(path)) for path in dataset_files(dataset)] for dataset in datasets}
    rows = []
    for network, upscale, protocol in combinations:
        methods = Methods(network, upscale, names, protocol)
        for dataset in datasets:
            measured = []
            for image, picture in pictures[dataset]:
                case = prepare(picture, upscale, protocol)
                for method, result in methods.run_all(case).items():
                    measured.append({"network": network, "upscale": upscale, "protocol": protocol, "dataset": dataset,
                                     "image": image, "method": method, **measure(case, result)})
                if progress is not None:
                    progress(f"{network} x{upscale} {protocol} {image}")
            rows += measured + mean_rows(measured, names)
    return rows


def mean_rows(measured, names):
    """Return one row per method with the mean of each metric over its rows, image "mean"."""
    rows = []
    for method in names:
        chosen = [row for row in measured if row["method"] == method]
        means = {metric: math.fsum(row[metric] for row in chosen) / len(chosen) for metric in METRICS}
        rows.append({**chosen[0], "image": "mean", **means})
    return rows


def pivot(rows, metric, markdown=False):
    """Return a table with one line per picture (or mean) and one column per method."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lines = {}
    for row in rows:
        key = tuple(row[name] for name in ("network", "upscale", "protocol", "dataset", "image"))
        line = lines.setdefault(key, {"network": key[0], "upscale": f"x{key[1]}", "protocol": key[2], "set": key[3], "image": key[4]})
        line[row["method"]] = row[metric]
    drop = ["image"] if all(key[4] == "mean" for key in lines) else []
    columns = [c for c in ("network", "upscale", "protocol", "set", "image") if c not in drop] + methods
    return report.table(list(lines.values()), columns, "github" if markdown else "simple", ".2f" if metric == "psnr" else ".4f")


def committed():
    """Return (network, factor) of all weights that are there in both formats."""
    return [(network, upscale) for network in list_networks() for upscale in UPSCALES
            if weight_path(network, upscale).is_file() and weight_path(network, upscale, quantised=True).is_file()]


@click.command()
@click.option("--network", type=click.Choice(list_networks()), help="All committed ones by default.")
@click.option("--upscale", type=click.Choice([str(u) for u in UPSCALES]), help="All by default.")
@click.option("--protocol", type=click.Choice(PROTOCOLS), help="Both by default.")
@click.option("--dataset", multiple=True, type=click.Choice(DATASETS), default=("Set5", "Set14"), show_default=True)
@click.option("--methods", default="bilinear,bicubic,float,golden", show_default=True, help=f"From {','.join(METHODS)}.")
@click.option("--images", is_flag=True, help="Show every picture, not only means.")
@click.option("--markdown", is_flag=True, help="Print GitHub tables.")
@report_user_errors
def main(network, upscale, protocol, dataset, methods, images, markdown):
    """Measure bilinear, bicubic, the float reference and fixed point on data sets."""
    names = parse_methods(methods)
    pairs = [(n, u) for n, u in committed() if network in (None, n) and upscale in (None, str(u))]
    if not pairs:
        raise UserError(f"there are no weights of {network or 'any network'} for x{upscale or '2, x3 or x4'}; "
                        "make them with `make train` and `make quantise`")
    combinations = [(n, u, p) for p in ([protocol] if protocol else PROTOCOLS) for n, u in pairs]
    total = len(combinations) * sum(len(dataset_files(name)) for name in dataset)
    with tqdm(total=total, unit="picture", disable=None) as bar:
        def progress(text):
            bar.set_description(text, refresh=False)
            bar.update()

        rows = evaluate(combinations, dataset, names, progress)
    shown = [row for row in rows if images or row["image"] == "mean"]
    for metric, title in (("psnr", "PSNR in dB"), ("ssim", "SSIM")):
        print(f"\n{title}\n\n{pivot(shown, metric, markdown)}")
    foreign = [f"{n} x{u}" for n, u, p in combinations if p != "standard" and not weight_path(n, u, p).is_file()]
    if foreign and set(names) & set(LEARNED):
        print(f"\nno weights for the opencv degradation, measured on it with the standard ones: {', '.join(foreign)}")
    print(f"\nwrote {report.write_report('evaluate', rows)}")


if __name__ == "__main__":
    main()
