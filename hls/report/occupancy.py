"""Where every product slot of every DSP goes, per stage: `make folding-figure` (a table, JSON,
docs/images/folding.svg).

A DSP has two product slots per cycle (one without packing). While a pixel passes, the slots of a stage are taken by
products; by taps that are padded with zeros, because SIMD does not divide the taps; by the partner that an odd channel
lacks; and by waiting, because another stage is slower. DSPs that no stage has are unused all the time. Products of LUTs
(`lut_taps`) take no slot; they are counted beside.
"""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

import click

from hls.design.boards import list_boards
from hls.design.cycles import steady_cycles_per_pixel
from hls.design.load import list_configs
from model.base.errors import UserError, report_user_errors
from model.base.paths import ROOT, atomic_write
from model.base.report import table, write_report

if TYPE_CHECKING:
    from hls.design.config import Config

FIGURE = ROOT / "docs" / "images" / "folding.svg"
SHARES = ("products", "padding", "odd_channel", "waiting", "unused")
COLOURS = ("#4878a8", "#5a9e6f", "#c9803a", "#8f6bb3", "#b04a5a", "#6b8f9e")  # of the layers, in turn


def occupancy_rows(config: Config) -> list[dict]:
    """Return one row per stage and one for unused DSPs, then their sum.

    Keys: board, network, upscale, stage, pe, simd, dsp, cycles (of the stage, per pixel of the network's input), for
    each of `SHARES` the product slots per pixel in the steady state, and in_luts, the products of LUTs per pixel.
    """
    steady, per_dsp = steady_cycles_per_pixel(config), 2 if config.stages[0].pack else 1
    rows = []
    for stage in config.stages:
        slots, positions, cycles = per_dsp * stage.dsp, *_positions(config, stage)
        products, computed = positions * _in_dsps(stage), cycles * stage.pe * (stage.simd - stage.lut_taps)
        rows.append(
            {
                "stage": stage.layer.name,
                "pe": stage.pe,
                "simd": stage.simd,
                "dsp": stage.dsp,
                "cycles": cycles,
                "products": products,
                "padding": computed - products,
                "odd_channel": slots * cycles - computed,
                "waiting": slots * (steady - cycles),
                "unused": 0,
                "in_luts": positions * stage.layer.macs_per_pixel - products,
            }
        )
    none = {"pe": None, "simd": None, "cycles": None} | dict.fromkeys((*SHARES, "in_luts"), 0)
    unused = config.budget["dsp"] - config.dsp
    rows.append(none | {"stage": "none", "dsp": unused, "unused": per_dsp * unused * steady})
    whole = {key: sum(row[key] for row in rows) for key in ("dsp", *SHARES, "in_luts")}
    rows.append(none | {"stage": "total", "cycles": steady} | whole)
    order = ("stage", "pe", "simd", "dsp", "cycles", *SHARES, "in_luts")
    what = {"board": config.board, "network": config.network.name, "upscale": config.network.upscale}
    return [what | {key: row[key] for key in order} for row in rows]


def _in_dsps(stage):
    """Return the products per position that DSPs make: of each pass over the taps those in front of its `lut_taps`."""
    passes = (min(stage.simd, stage.mac_taps - first) for first in range(0, stage.mac_taps, stage.simd))
    return stage.mac_out_ch * sum(min(taps, stage.simd - stage.lut_taps) for taps in passes)


def _positions(config, stage):
    """Return positions of a layer, and its cycles, per pixel of the network's input."""
    positions = config.network.tensors[stage.layer.name].scale ** 2
    return positions, positions * stage.fold


def draw(configs: list[list[Config]], path: str | pathlib.Path) -> None:
    """Draw DSPs over the cycles of one pixel: the filled area is products, the rest is what stands idle.

    Parameters
    ----------
    configs : list of list of Config
        Rows of panels, none longer than the first.
    path : path-like
        Its ending decides the format.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "folding", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(3.6 * len(configs[0]), 3.1 * len(configs)), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(len(configs), len(configs[0]), squeeze=False)
        for line, row in zip(panels, configs, strict=True):
            for axes, config in zip(line, row):
                _panel(axes, config)
            for axes in line[len(row) :]:
                axes.remove()
        with atomic_write(path) as temporary:
            figure.savefig(temporary, metadata={"Date": None})


def _panel(axes, config):
    steady, base = steady_cycles_per_pixel(config), 0
    for index, stage in enumerate(config.stages):
        colour = COLOURS[index % len(COLOURS)]
        # Of the stage's DSPs in its busy cycles, so many would do if no slot were lost to padding and odd channels.
        useful = stage.layer.macs_per_pixel / (2 if stage.pack else 1) / stage.fold
        _, cycles = _positions(config, stage)
        axes.barh(base, cycles, useful, align="edge", color=colour, linewidth=0)
        axes.barh(base + useful, cycles, stage.dsp - useful, align="edge", color=colour, alpha=0.35, linewidth=0)
        axes.barh(base, steady, stage.dsp, align="edge", fill=False, edgecolor=colour, linewidth=0.8)
        label = f"{stage.layer.name}  {stage.pe} x {stage.simd}"
        if stage.dsp > config.budget["dsp"] / 15:
            axes.text(steady * 0.03, base + stage.dsp / 2, label, va="center", color="white", fontsize=8)
        else:  # too thin: beside it
            axes.text(steady * 1.02, base + stage.dsp / 2, label, va="center", color=colour, fontsize=8)
        base += stage.dsp
    axes.set(
        title=f"{config.network.label} on {config.board}",
        xlim=(0, steady),
        ylim=(0, config.budget["dsp"]),
        xlabel="cycles of a pixel" if config.network.scale == 1 else "cycles of a pixel of the input",
        ylabel="DSPs",
    )
    axes.title.set_fontsize(9)


@click.command()
@click.option("--output", default=FIGURE, show_default="docs/images/folding.svg", type=click.Path(dir_okay=False))
@report_user_errors
def main(output: str) -> None:
    """Show where the product slots of all DSPs go, per stage, and draw it."""
    configs = [
        [config for config in list_configs(board) if (config.network.upscale is None) == general]
        for general in (True, False)
        for board in list_boards()
    ]
    configs = sorted(filter(None, configs), key=len, reverse=True)
    rows = [row for line in configs for config in line for row in occupancy_rows(config)]
    print(table([row | {share: f"{row[share]:,}" for share in SHARES} for row in rows]))
    try:
        draw(configs, output)
    except (ImportError, ValueError) as error:
        raise UserError(
            f"the figure cannot be drawn ({error}); run `make setup`, and choose a name that ends in .svg, .png or .pdf"
        ) from error
    print(f"product slots per pixel; written to {write_report('occupancy', rows)} and {output}")


if __name__ == "__main__":
    main()
