"""Quality of all methods on whole data sets, on both protocols: tables, figures and `build/reports/evaluate.json`.

`--check` compares with the committed results, `--update-docs` (`make results`) makes the committed ones anew.
"""

from __future__ import annotations

import math
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from host.measure import figures
from host.measure import pages as documents
from host.measure.methods import LEARNED, METHODS, Methods, parse_methods
from model.base import report
from model.base.errors import UserError, report_user_errors
from model.base.paths import BUILD, DATASETS, ROOT, dataset_files
from model.data.datasets import read_picture
from model.graph.description import DEFAULT_NETWORK, list_networks
from model.graph.network import UPSCALES
from model.graph.weights import T91, TRAINED_ON, weight_path
from model.quality import charts, results
from model.quality.protocols import PROTOCOLS, measure, prepare

if TYPE_CHECKING:
    from model.quality.results import Results

METRICS = ("psnr", "ssim", "mse")
SETS = ("Set5", "Set14")
MEASURED = ("bilinear", "bicubic", "float", "golden")  # what the committed results hold
COMPARED = (
    ("Set5", "butterfly_GT", 3),
    ("Set14", "monarch", 3),
    ("Set14", "zebra", 2),
    ("Set14", "ppt3", 4),
)  # drawn into build/figures
SHOWN_DIFFERENCES = 10


def evaluate(
    combinations: list[tuple[str, int, str, str]],
    datasets: Sequence[str],
    names: Sequence[str],
    progress: Callable | None = None,
) -> list[dict]:
    """Measure methods on every picture of data sets.

    Parameters
    ----------
    combinations : list of (str, int, str, str)
        Network, factor, protocol, and what the weights are trained on.
    datasets : sequence of str
    names : sequence of str
        Methods.
    progress : callable, optional
        Called after each picture with a short text.

    Returns
    -------
    list of dict
        Flat rows: network, upscale, protocol, dataset, image (or "mean"), method, data, psnr, ssim, mse.
    """
    pictures = {dataset: [(path.stem, read_picture(path)) for path in dataset_files(dataset)] for dataset in datasets}
    cases, without_network = {}, {}  # what does not depend on the network is computed once
    rows = []
    for network, upscale, protocol, data in combinations:
        methods = Methods(network, upscale, names, protocol, data)
        for dataset in datasets:
            measured = []
            for image, picture in pictures[dataset]:
                key = dataset, image, upscale, protocol
                if key not in cases:
                    cases[key] = prepare(picture, upscale, protocol)
                case = cases[key]
                for method, result in methods.run_all(case).items():
                    found = without_network.get((*key, method)) or measure(case, result)
                    if method not in LEARNED:
                        without_network[(*key, method)] = found
                    measured.append(
                        {
                            "network": network,
                            "upscale": upscale,
                            "protocol": protocol,
                            "dataset": dataset,
                            "image": image,
                            "method": method,
                            "data": data,
                            **found,
                        }
                    )
                if progress is not None:
                    progress(f"{network} x{upscale} {protocol} {image}")
            rows += measured + mean_rows(measured, names)
    return rows


def mean_rows(measured: list[dict], names: tuple[str, ...]) -> list[dict]:
    """Return one row per method with the mean of each metric over its rows, image "mean"."""
    rows = []
    for method in names:
        chosen = [row for row in measured if row["method"] == method]
        means = {metric: math.fsum(row[metric] for row in chosen) / len(chosen) for metric in METRICS}
        rows.append({**chosen[0], "image": "mean", **means})
    return rows


PIVOTED = ("network", "trained on", "upscale", "protocol", "set", "image")  # columns of a line before its methods


def pivot(rows: list[dict], metric: str, markdown: bool = False) -> str:
    """Return a table with one line per picture (or mean) and one column per method."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lines = {}
    for row in rows:
        key = tuple(row[name] for name in ("network", "data", "upscale", "protocol", "dataset", "image"))
        shown = [*key[:2], f"x{key[2]}", *key[3:]]
        line = lines.setdefault(key, dict(zip(PIVOTED, shown, strict=True)))
        line[row["method"]] = row[metric]
    drop = ["image"] if all(key[-1] == "mean" for key in lines) else []
    columns = [c for c in PIVOTED if c not in drop] + methods
    return report.table(
        list(lines.values()), columns, "github" if markdown else "simple", ".2f" if metric == "psnr" else ".4f"
    )


def committed() -> list[tuple[str, int, str]]:
    """Return (network, factor, training pictures) of all weights that are there in both formats."""
    return [
        (network, upscale, data)
        for network in list_networks()
        for upscale in UPSCALES
        for data in TRAINED_ON
        if all(weight_path(network, upscale, quantised=fixed, data=data).is_file() for fixed in (False, True))
    ]


def measured_on(network: str, upscale: int, data: str, protocol: str) -> bool:
    """Return whether weights are measured on a protocol: on another than the standard one, SRCNN's, and those trained
    for its degradation.
    """
    return (
        protocol == "standard"
        or (network in list_networks("upscaled") and data == T91)
        or weight_path(network, upscale, protocol, data=data).is_file()
    )


@click.command()
@click.option("--network", type=click.Choice(list_networks()), help="All committed ones by default.")
@click.option("--upscale", type=click.Choice([str(u) for u in UPSCALES]), help="All by default.")
@click.option("--protocol", type=click.Choice(PROTOCOLS), help="Both by default.")
@click.option("--dataset", multiple=True, type=click.Choice(DATASETS), default=SETS, show_default=True)
@click.option("--methods", default=",".join(MEASURED), show_default=True, help=f"From {','.join(METHODS)}.")
@click.option("--images", is_flag=True, help="Show every picture, not only means.")
@click.option("--markdown", is_flag=True, help="Print GitHub tables.")
@click.option("--check", is_flag=True, help="Compare with the committed results; exit code 1 if anything differs.")
@click.option("--update-docs", is_flag=True, help="Write the committed results, tables, pages and figures anew.")
@report_user_errors
def main(
    network: str | None,
    upscale: str | None,
    protocol: str | None,
    dataset: tuple[str, ...],
    methods: str,
    images: bool,
    markdown: bool,
    check: bool,
    update_docs: bool,
) -> None:
    """Measure bilinear, bicubic, the float reference and fixed point on data sets."""
    names = parse_methods(methods)
    found = [(n, u, d) for n, u, d in committed() if network in (None, n) and upscale in (None, str(u))]
    if not found:
        raise UserError(
            f"there are no weights of {network or 'any network'} for x{upscale or '2, x3 or x4'}; "
            "make them with `make train` and `make quantise`"
        )
    if update_docs and (network or upscale or protocol or dataset != SETS or names != MEASURED):
        raise UserError(
            "--update-docs needs everything measured; leave --network, --upscale, --protocol, --dataset and --methods "
            "away"
        )
    reference = load_current() if check else None
    combinations = [
        (n, u, p, d) for p in ([protocol] if protocol else PROTOCOLS) for n, u, d in found if measured_on(n, u, d, p)
    ]
    total = len(combinations) * sum(len(dataset_files(name)) for name in dataset)
    with tqdm(total=total, unit="picture", disable=None) as bar:

        def progress(text):
            bar.set_description(text, refresh=False)
            bar.update()

        rows = evaluate(combinations, dataset, names, progress)
    shown = [row for row in rows if images or row["image"] == "mean"]
    for metric, title in (("psnr", "PSNR in dB"), ("ssim", "SSIM")):
        print(f"\n{title}\n\n{pivot(shown, metric, markdown)}")
    foreign = [
        f"{n} x{u}" for n, u, p, d in combinations if p != "standard" and not weight_path(n, u, p, data=d).is_file()
    ]
    if foreign and set(names) & set(LEARNED):
        print(f"\nno weights for the opencv degradation, measured on it with the standard ones: {', '.join(foreign)}")
    print(f"\nwrote {report.write_report('evaluate', rows)}")
    if set(MEASURED) <= set(names):
        print(
            "drew "
            + ", ".join(map(str, draw_figures(results.Results(results.weight_hashes(), rows), BUILD / "figures")))
        )
    if update_docs:
        update_documents(rows)
    if check:
        report_differences(rows, reference)


def load_current() -> Results:
    """Return the committed results. Raises UserError if they are of other weights than those that are there."""
    reference = results.load()
    problem = results.stale(reference)
    if problem:
        raise UserError(problem)
    return reference


def report_differences(rows: list[dict], reference: Results) -> None:
    """Print the first differences between a measurement and the committed results and exit with code 1, or say that
    there are none.
    """
    found = results.differences(rows, reference)
    if not found:
        print(f"the same as committed: {len(rows)} rows, {sum(map(results.exact, rows))} of them to the last bit")
        return
    for line in found[:SHOWN_DIFFERENCES]:
        print(f"differs: {line}", file=sys.stderr)
    print(f"{len(found)} of {len(rows)} rows differ from {results.RESULTS}", file=sys.stderr)
    sys.exit(1)


def draw_figures(measured: Results, folder: pathlib.Path) -> list[pathlib.Path]:
    """Draw the charts and the comparison pictures of the test sets into a folder; return the files."""
    files = charts.draw_charts(measured, folder)
    for dataset, image, upscale in COMPARED:
        found = (
            [path for path in dataset_files(dataset) if path.stem == image] if dataset in measured.datasets() else []
        )
        if found and (DEFAULT_NETWORK, upscale) in measured.combinations("standard"):
            picture = read_picture(found[0])
            case = prepare(picture, upscale)
            files.append(folder / f"{image}_x{upscale}.png")
            figures.draw(
                picture,
                case,
                Methods(DEFAULT_NETWORK, upscale, figures.SHOWN).run_all(case),
                files[-1],
                title=f"{image}, x{upscale}",
            )
    return files


def update_documents(rows: list[dict]) -> None:
    """Write the committed results and everything in README.md and docs/ that is made from them."""
    measured = results.Results(results.weight_hashes(), rows)
    results.save(measured)
    measured = results.load()  # what is written is what the documents are made from
    if not results.histories():
        (charts.IMAGES / charts.CURVES).unlink(missing_ok=True)
    files = [
        results.RESULTS,
        *documents.write(measured),
        *charts.draw_charts(measured, charts.IMAGES),
        *figures.draw_comparisons(charts.IMAGES),
    ]
    print("wrote " + ", ".join(str(path.relative_to(ROOT)) for path in files))


if __name__ == "__main__":
    main()
