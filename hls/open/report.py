"""What was built, in numbers: for the terminal and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.open.pipeline.fabric import SHALLOW_RAM
from hls.open.pipeline.netlist import fifo_words

if TYPE_CHECKING:
    from hls.open.pipeline.verilog import Stage


def describe(stage: Stage, depths: dict[str, int] | None = None) -> dict:
    """Return what a stage consists of.

    Parameters
    ----------
    stage : Stage
    depths : dict, optional
        As `netlist.stage_module` got it.

    Returns
    -------
    dict
        module; pipeline_stages; longest_ps and budget_ps, with clock_mhz, the clock at which the longest path fits, by
        the fabric's model; state_bits; streams, rams, fifos by name; products.
    """
    step, timing = stage.step, stage.timing
    rams = {p.name: p for p in step.ports if p.direction in ("read", "write")}
    return {
        "module": stage.module,
        "pipeline_stages": stage.depth,
        "longest_ps": stage.longest_ps,
        "budget_ps": timing.budget_ps,
        "clock_mhz": round(timing.fabric.clock(stage.longest_ps), 1),
        "state_bits": sum(r.width for r in step.registers),
        "streams": {
            p.name: {"direction": p.direction, "bits": p.width} for p in step.ports if p.direction in ("in", "out")
        },
        "rams": {
            name: {"words": p.depth, "bits": p.width, "kind": "LUTs" if p.depth <= SHALLOW_RAM else "block"}
            for name, p in rams.items()
        },
        "products": stage.products,
        "fifos": {
            p.name: {"words": fifo_words(stage, p.name, depths), "bits": p.width}
            for p in step.ports
            if p.direction == "out"
        },
    }


def lines(name: str, described: dict, clock_mhz: float) -> list[str]:
    """Return the report of one kernel as lines of text.

    Parameters
    ----------
    name : str
    described : dict
        What `describe` returned; "resources", if there, is {dsp, bram36, uram, lut, ff}.
    clock_mhz : float
        What was asked for.
    """
    d = described
    text = [
        f"{name}: {_many(d['pipeline_stages'], 'pipeline stage')}, longest path {d['longest_ps']} ps of "
        f"{d['budget_ps']} planned for {clock_mhz:g} MHz: {d['clock_mhz']:.0f} MHz by the model",
        f"  state {_many(d['state_bits'], 'bit')}, {_many(d['products'], 'product')}, "
        + "".join(f"RAM {n} {r['words']} x {r['bits']} ({r['kind']}), " for n, r in d["rams"].items())
        + ", ".join(f"FIFO {n} {f['words']} x {f['bits']}" for n, f in d["fifos"].items()),
    ]
    if d.get("resources"):
        text.append("  by Yosys: " + ", ".join(f"{v:g} {what.upper()}" for what, v in d["resources"].items() if v))
    return text


def _many(number, what):
    return f"{number} {what}{'' if number == 1 else 's'}"
