"""The cost model against Yosys: `python -m hls.report.cost_fit check`, `fit` its coefficients, `record` figures.

Figures come from the reports of `make synth BOARD=` and from `hls/report/cost_figures.json`, which keeps some of them
together with the foldings they belong to, so that the fit and the tests need no Yosys.
"""

from __future__ import annotations

import json
import pathlib
from typing import TYPE_CHECKING

import click
import numpy as np

from hls.design import cost
from hls.design.boards import list_boards
from hls.design.load import load_config
from hls.design.options import hardware_options
from hls.design.stage import Stage
from model.base.errors import UserError, report_user_errors
from model.base.paths import BUILD, atomic_write
from model.base.report import table
from model.graph.description import load_network

if TYPE_CHECKING:
    from hls.design.cost import Cost

FIGURES = pathlib.Path(__file__).with_name("cost_figures.json")
KEYS = ("board", "network", "upscale", "stage", "pe", "simd", "pack", "max_w", "lut_taps")  # what a figure belongs to
RESOURCES = cost.Cost._fields


def recorded() -> list[dict]:
    """Return the figures of `hls/report/cost_figures.json`: a list of dicts with `KEYS` and resources."""
    figures = json.loads(FIGURES.read_text())
    return [{"upscale": None, "lut_taps": None if figure["pe"] is None else 0, **figure} for figure in figures]


def reported(board: str) -> list[dict]:
    """Return the figures of `build/reports/synth_<board>.json`, with the foldings of the board file."""
    path = BUILD / "reports" / f"synth_{board}.json"
    if not path.is_file():
        return []
    rows = json.loads(path.read_text())
    stages = {stage.layer.name: stage for stage in load_config(rows[0]["network"], board, rows[0]["upscale"]).stages}
    figures = []
    for row in rows:
        stage = stages.get(row["stage"].removesuffix("_sum"))
        if row["stage"] != "total":
            folded = (stage.pe, stage.simd, stage.pack, stage.max_w, stage.lut_taps) if stage else (None,) * 5
            key = dict(zip(KEYS, (board, row["network"], row["upscale"], row["stage"], *folded), strict=True))
            figures.append(key | {what: row[what] for what in RESOURCES})
    return figures


def stage_of(figure: dict) -> Stage | None:
    """Return the `Stage` a figure belongs to, or None for what has no folding."""
    name, network = figure["stage"].removesuffix("_sum"), load_network(figure["network"], figure["upscale"])
    layer = next((layer for layer in network.convs if layer.name == name), None)
    folded = (figure[key] for key in ("pe", "simd"))
    return layer and Stage(layer, *folded, layer.in_ch, figure["max_w"], figure["pack"], figure["lut_taps"])


def modelled(figure: dict) -> Cost:
    """Return the modelled `Cost` of what a figure was measured on."""
    stage = stage_of(figure)
    if stage is None:
        return load_config(figure["network"], figure["board"], figure["upscale"]).costs[figure["stage"]]
    return cost.sum_cost(stage) if figure["stage"].endswith("_sum") else cost.mac_cost(stage)


def compare(figures: list[dict]) -> list[dict]:
    """Return rows of model, Yosys and their difference in per cent of Yosys, for each stage and each sum."""
    groups = {}
    for figure in figures:
        which = figure["board"], figure["network"], figure["upscale"], figure["pack"] is not False
        groups.setdefault(which, []).append((figure, modelled(figure)))
    rows = []
    for (board, network, upscale, _), pairs in groups.items():
        design = {}
        for figure, model in pairs:  # the first of each stage; others belong to further foldings
            design.setdefault(figure["stage"], (figure, model))
        if {"parser", "packer"} <= set(design):
            whole = {what: sum(figure[what] for figure, _ in design.values()) for what in RESOURCES}
            pairs = [
                *pairs,
                (
                    {"stage": "total", "pe": None, "simd": None} | whole,
                    cost.total(model for _, model in design.values()),
                ),
            ]
        for figure, model in pairs:
            row = {
                "board": board,
                "network": network,
                "upscale": upscale,
                "stage": figure["stage"],
                "pe": figure["pe"],
                "simd": figure["simd"],
            }
            for what in ("dsp", "bram36", "lut", "ff"):
                number = getattr(model, what)
                row |= {
                    what: round(number, 1),
                    f"{what} Yosys": figure[what],
                    f"{what} %": round(100 * (number / figure[what] - 1), 1) if figure[what] else None,
                }
            rows.append(row)
    return rows


def check() -> str:
    """Return a table of the model against all known figures of all boards."""
    figures = [figure for name in list_boards() for figure in reported(name)]
    known = [tuple(figure[key] for key in KEYS) for figure in figures]
    return table(
        compare(figures + [figure for figure in recorded() if tuple(figure[key] for key in KEYS) not in known]),
        floatfmt=".10g",
    )


def fit() -> str:
    """Return the coefficients that fit the recorded figures best, as lines for hls/design/cost.py.

    The squares of relative errors are least; no coefficient is negative.
    """
    from scipy.optimize import nnls

    lines = []
    for what in ("lut", "ff"):
        found = {}
        for sizes, memory, ending in (
            (cost.mac_sizes, cost.mac_memory, False),
            (cost.sum_sizes, cost.sum_memory, True),
        ):
            figures = [
                figure for figure in recorded() if stage_of(figure) and figure["stage"].endswith("_sum") == ending
            ]
            stages = [stage_of(figure) for figure in figures]
            target = np.array(
                [figure[what] - getattr(memory(stage), what) for figure, stage in zip(figures, stages, strict=True)]
            )
            matrix = np.array([list(sizes(stage).values()) for stage in stages])
            values, _ = nnls(matrix / target[:, None], np.ones(len(target)))
            found |= {name: round(float(value), 3) for name, value in zip(sizes(stages[0]), values, strict=True)}
        lines.append(f"{what.upper()} = {json.dumps(found)}")
    return "\n".join(lines)


def record(network: str, board: str, upscale: int | None = None) -> str:
    """Keep the figures of the last `make synth` of a network on a board; return a line that says so."""
    figures, asked = reported(board), (network, upscale)
    if not figures or (figures[0]["network"], figures[0]["upscale"]) != asked:
        factor = f" UPSCALE={upscale}" if upscale else ""
        raise UserError(
            f"there are no figures of {network} on {board}; run `make synth BOARD={board} NETWORK={network}{factor}` "
            f"first"
        )
    keep = [
        figure for figure in recorded() if (figure["board"], figure["network"], figure["upscale"]) != (board, *asked)
    ]
    with atomic_write(FIGURES) as temporary:
        temporary.write_text("[\n" + ",\n".join(" " + json.dumps(figure) for figure in keep + figures) + "\n]\n")
    return f"{FIGURES.name} holds {len(keep + figures)} figures"


@click.group()
def main() -> None:
    """Hold the cost model of the foldings against what Yosys reports."""


@main.command("check")
@report_user_errors
def check_command() -> None:
    """Compare the cost model with the figures of the reports and with those that are kept."""
    print(check())


@main.command("fit")
@report_user_errors
def fit_command() -> None:
    """Fit the cost model's coefficients to the figures that are kept."""
    print(fit())


@main.command("record")
@hardware_options
@report_user_errors
def record_command(network: str, upscale: int | None, board: str) -> None:
    """Keep the figures of the last `make synth BOARD= NETWORK=` for `check`, `fit` and the tests."""
    print(record(network, board, upscale))


if __name__ == "__main__":
    main()
