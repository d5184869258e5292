"""Charts of the documents: quality against cost, training curves."""

from __future__ import annotations

import hashlib
import json
import pathlib
from typing import TYPE_CHECKING

from model.base.paths import ROOT, atomic_write
from model.base.toml import load_toml
from model.graph.description import load_network
from model.graph.network import UPSCALES
from model.quality.pages import title
from model.quality.results import Results, histories

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

IMAGES = ROOT / "docs" / "images"
COST, CURVES = "quality_cost.svg", "training_curves.svg"
COLOURS = {"srcnn915": "#c9803a", "srcnn935": "#5a9e6f", "srcnn955": "#4878a8"}
_OTHER = "#7a5a9e"
PUBLISHED = pathlib.Path(__file__).with_name("published.toml")


def figure(panels: int, size: tuple[float, float]) -> tuple[Figure, np.ndarray]:
    """Return a figure that needs no display, and its axes in one row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(drawn)
    return drawn, drawn.subplots(1, panels, squeeze=False)[0]


def save(drawn: Figure, path: pathlib.Path, shown: object) -> pathlib.Path:
    """Write a figure; an SVG says in its description what data it shows, see `digest`."""
    import matplotlib

    metadata = {"Date": None, "Description": digest(shown)} if path.suffix == ".svg" else {}
    with matplotlib.rc_context({"svg.hashsalt": "quality", "svg.fonttype": "none"}), atomic_write(path) as temporary:
        drawn.savefig(temporary, metadata=metadata, dpi=150)
    return path


def digest(shown: object) -> str:
    """Return what tells one set of data (JSON-serialisable) from another: a committed figure that lacks it is out of
    date.
    """
    return "data " + hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


def cost_points(results: Results) -> list[dict]:
    """Return what the chart of quality against cost shows.

    Returns
    -------
    list of dict
        upscale, network, what ("float", "golden" or "published"), macs (per output pixel), psnr (mean of Set5 on the
        standard protocol, dB); bicubic, which is not a network, has macs None.
    """
    points = []
    for upscale in UPSCALES:
        measured = [network for network, factor in results.combinations("standard") if factor == upscale]
        if not measured:
            continue
        for network in measured[:1]:
            row = results.find(network, upscale, "standard", "Set5", "mean", "bicubic")
            if row:
                points.append(
                    {
                        "upscale": upscale,
                        "network": None,
                        "what": "bicubic",
                        "macs": None,
                        "psnr": round(row["psnr"], 4),
                    }
                )
        for network in measured:
            for what in ("float", "golden"):
                row = results.find(network, upscale, "standard", "Set5", "mean", what)
                if row:
                    points.append(
                        {
                            "upscale": upscale,
                            "network": network,
                            "what": what,
                            "macs": round(load_network(network, upscale).macs_per_pixel, 1),
                            "psnr": round(row["psnr"], 4),
                        }
                    )
        points += [
            {
                "upscale": upscale,
                "network": other["name"],
                "what": "published",
                "macs": other["products"][str(upscale)],
                "psnr": other["psnr"][str(upscale)],
            }
            for other in load_toml(PUBLISHED, PUBLISHED.name)["network"]
            if str(upscale) in other["psnr"]
        ]
    return points


def draw_cost(points: list[dict], path: pathlib.Path) -> pathlib.Path:
    """Draw `cost_points`: one panel per factor."""
    upscales = sorted({point["upscale"] for point in points})
    drawn, panels = figure(max(1, len(upscales)), (4.2 * max(1, len(upscales)), 4.2))
    for axes, upscale in zip(panels, upscales):
        for point in (p for p in points if p["upscale"] == upscale):
            if point["what"] == "bicubic":  # far below: a line there would press the networks together
                axes.annotate(
                    f"bicubic: {point['psnr']:.2f}",
                    (0.98, 0.02),
                    xycoords="axes fraction",
                    ha="right",
                    fontsize=8,
                    color="0.35",
                )
                continue
            colour = COLOURS.get(point["network"], _OTHER)
            marker, size, fill = {"float": ("o", 7, "none"), "golden": ("o", 4, colour), "published": ("x", 7, colour)}[
                point["what"]
            ]
            axes.plot(
                point["macs"],
                point["psnr"],
                marker,
                color=colour if point["what"] != "published" else "0.3",
                markersize=size,
                markerfacecolor=fill,
            )
            if point["what"] != "float":
                ours = point["what"] == "golden"
                name = title(point["network"]) if ours else point["network"]
                axes.annotate(
                    f"{name}  {point['psnr']:.2f}",
                    (point["macs"], point["psnr"]),
                    (-7, -3) if ours else (7, -3),  # labels of neighbours don't meet
                    textcoords="offset points",
                    ha="right" if ours else "left",
                    fontsize=8,
                    color=colour if ours else "0.3",
                )
        axes.set(title=f"x{upscale}", xscale="log", xlim=(4, 9e5), xlabel="products per output pixel")
        axes.margins(y=0.18)
        axes.grid(True, axis="y", color="0.9", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("Y-PSNR, mean of Set5 (dB)")
    for label, style in (
        ("float", {"marker": "o", "markerfacecolor": "none", "markersize": 7}),
        ("8-bit fixed point", {"marker": "o", "markersize": 4}),
        ("published", {"marker": "x", "markersize": 7}),
    ):
        panels[0].plot([], [], linestyle="none", color="0.3", label=label, **style)
    drawn.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return save(drawn, path, points)


def draw_curves(curves: dict[str, list[list[float]]], path: pathlib.Path) -> pathlib.Path:
    """Draw `model.quality.results.histories`: a panel per factor and degradation, as PSNR differs by them; the
    uppermost decibel.
    """
    groups = {}
    for name, curve in curves.items():
        network, *task = name.split("_")
        groups.setdefault(" ".join(task), {})[network] = curve
    drawn, panels = figure(max(1, len(groups)), (3.2 * max(1, len(groups)), 3.4))
    for axes, (task, group) in zip(panels, sorted(groups.items())):
        for network, curve in group.items():
            steps, psnr = zip(*curve)
            axes.plot(
                [step / 1000 for step in steps],
                psnr,
                color=COLOURS.get(network, _OTHER),
                linewidth=1.4,
                label=title(network),
            )
        top = max(psnr for curve in group.values() for _, psnr in curve)
        axes.set(title=task, xlabel="thousand steps", ylim=(top - 1, top + 0.05))
        axes.grid(True, axis="y", color="0.9", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8, loc="lower right")
    panels[0].set_ylabel("validation PSNR (dB)")
    return save(drawn, path, curves)


def draw_charts(results: Results, folder: pathlib.Path) -> list[pathlib.Path]:
    """Draw both charts into a folder; return the files. Without any history there are no curves."""
    files = [draw_cost(cost_points(results), folder / COST)]
    curves = histories()
    if curves:
        files.append(draw_curves(curves, folder / CURVES))
    return files
