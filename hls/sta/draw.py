"""The report as a picture: how much slack the endpoints have, and what the slowest path of each kind is made of."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

import numpy as np

from hls.sta.analyse import trace
from hls.sta.report import groups
from model.base.paths import atomic_write

if TYPE_CHECKING:
    from hls.sta.analyse import Slacks
    from hls.sta.model import Model

WIRE, LOGIC, SKEW = "#4878a8", "#d08030", "#909090"
MOST = 12  # kinds of paths that are drawn
BINS = 60


def draw(model: Model, found: Slacks, title: str, path: str | pathlib.Path) -> None:
    """Draw a clock's slacks.

    Parameters
    ----------
    model : Model
    found : Slacks
        With at least one endpoint.
    title : str
    path : path-like
        Its ending decides the format.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "timing", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(10, 3.8), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
        _histogram(left, found)
        _kinds(right, model, found)
        figure.suptitle(title, fontsize=10)
        with atomic_write(path) as temporary:
            figure.savefig(temporary, metadata={"Date": None})


def _histogram(axes, found):
    edges = np.linspace(min(found.setup.min(), 0.0), found.period, BINS + 1)
    axes.hist(np.clip(found.setup, edges[0], edges[-1]), edges, color=WIRE)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(
        yscale="log",
        xlabel="slack of set-up, slow corner (ns)",
        ylabel="endpoints",
        title=f"{len(found.check):,} endpoints at {1000 / found.period:.1f} MHz",
    )


def _kinds(axes, model, found):
    worst = [(ends, places[found.setup[places].argmin()]) for ends, places in groups(model, found).items()]
    worst = sorted(worst, key=lambda one: found.setup[one[1]])[:MOST]
    for row, (_, endpoint) in enumerate(worst):
        one = trace(model, found, int(endpoint))
        left = 0.0
        rest = found.period - one.slack - one.wire - one.logic  # skew, less what both clocks share, and jitter
        for width, colour in ((one.logic, LOGIC), (one.wire, WIRE), (rest, SKEW)):
            axes.barh(row, max(width, 0.0), left=left, color=colour, linewidth=0)
            left += max(width, 0.0)
    axes.axvline(found.period, color="black", linewidth=0.8)
    axes.set(
        yticks=range(len(worst)),
        yticklabels=[f"{start} to {end}" for (start, end), _ in worst],
        xlabel="slowest path of its kind (ns)",
        title="cells, wires, skew and jitter of the clock",
    )
    axes.invert_yaxis()
    for name, colour in (("cells", LOGIC), ("wires", WIRE), ("clock", SKEW)):
        axes.barh(0, 0, color=colour, label=name)
    axes.legend(loc="lower right", fontsize=8)
