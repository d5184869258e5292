"""Stages, clock and resources of the compiler's examples: `make examples`.

All are synthesised in one run of Yosys: a module above them holds one of each, and none is flattened into it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hls.open.pipeline.timing import Timing
from hls.open.read.frontend import OPEN
from hls.open.report import describe
from hls.open.resources import count, family, synthesis
from hls.open.route import build, build_top, read_top
from hls.synth.yosys import run_yosys
from model.base.errors import report_user_errors
from model.base.paths import BUILD, ROOT, atomic_write
from model.base.report import table, write_report
from model.base.tools import tool_version

if TYPE_CHECKING:
    from hls.open.pipeline.verilog import Stage

FOLDER = OPEN / "examples"
KERNELS = {  # header without .hpp -> C++ type
    "fir": "fir_stage",
    "histogram": "histogram_stage",
    "aes_round": "aes_round",
    "fft_butterfly": "fft_butterfly",
    "sorting_network": "sorting_network",
    "matrix_vector": "matrix_vector",
    "run_length": "run_length_coder",
}
TOPS = {"echo": "examples::echo"}  # header -> C++ function
PART, CLOCK_MHZ = "xc7z020", 150.0  # the defaults of hls-open
COMMITTED = ROOT / "docs" / "results" / "open_examples.json"


@dataclass(frozen=True)
class Example:
    """What was built: a Verilog module, the files that it needs, and the stages in it, one per process."""

    module: str
    files: list
    stages: list[Stage]


def build_examples(folder: Path) -> dict[str, Example]:
    """Write the Verilog of all examples into a folder; return {example: Example}."""
    timing = Timing.at(PART, CLOCK_MHZ)
    source = "".join(f'#include "{FOLDER / name}.hpp"\n' for name in KERNELS)
    built = build(source, KERNELS, directory=folder, timing=timing)
    examples = {name: Example(one.stage.module, one.files, [one.stage]) for name, one in built.items()}
    for name, function in TOPS.items():
        top = read_top(f'#include "{FOLDER / name}.hpp"\n', name, function, directory=folder)
        stages, files, _ = build_top(top, folder, timing)
        examples[name] = Example(name, files, list(stages.values()))
    return examples


def all_files(examples: dict[str, Example]) -> list[Path]:
    """Return the files of all examples, each once."""
    return list(dict.fromkeys(Path(file).resolve() for example in examples.values() for file in example.files))


def synthesise(examples: dict[str, Example], folder: Path) -> dict[str, dict[str, float]]:
    """Return {example: {dsp, bram36, uram, lut, ff}}.

    Parameters
    ----------
    examples : dict
    folder : pathlib.Path
        For Yosys' script, log and counts.
    """
    modules = {name: example.module for name, example in examples.items()}
    instances = "".join(f"    (* keep *) {module} {module}_i (.clk(clk));\n" for module in modules.values())
    (folder / "together.sv").write_text(f"module together (input wire clk);\n{instances}endmodule\n")
    commands = [
        "read_verilog -sv " + " ".join(f'"{file}"' for file in [*all_files(examples), folder / "together.sv"]),
        "setattr -mod -set keep_hierarchy 1 " + " ".join(modules.values()),
        synthesis("together", family(PART)),
        "tee -q -o cells.json stat -json",
    ]
    run_yosys(commands, folder, "Yosys does not synthesise the examples")
    found = json.loads((folder / "cells.json").read_text())["modules"]
    return {name: count(found[f"\\{module}"]["num_cells_by_type"]) for name, module in modules.items()}


def example_rows(examples: dict[str, Example], folder: Path) -> list[dict]:
    """Return one row per example: C++, processes, pipeline stages of all, the slowest one's clock, state, resources."""
    used, rows = synthesise(examples, folder), []
    for name, example in examples.items():
        described = [describe(stage) for stage in example.stages]
        rows.append(
            {
                "example": name,
                "cpp": KERNELS.get(name) or TOPS[name],
                "processes": len(described),
                "pipeline_stages": sum(d["pipeline_stages"] for d in described),
                "clock_mhz": min(d["clock_mhz"] for d in described),
                "state_bits": sum(d["state_bits"] for d in described),
                **{what: used[name][what] for what in ("lut", "ff", "dsp", "bram36")},
            }
        )
    return rows


@click.command()
@click.option(
    "--update-docs",
    is_flag=True,
    help="Write docs/results/open_examples.json, from which `make pages` writes the table.",
)
@report_user_errors
def main(update_docs: bool) -> None:
    """Build and synthesise every example of hls/open/examples; print what it takes."""
    folder = BUILD / "open" / "examples"
    folder.mkdir(parents=True, exist_ok=True)
    rows = example_rows(build_examples(folder), folder)
    path = write_report("open_examples", rows)
    print(table(rows, floatfmt=".10g"))
    print(f"{PART}, planned for {CLOCK_MHZ:g} MHz; by {tool_version('pyosys')}; written to {path}")
    if update_docs:
        with atomic_write(COMMITTED) as temporary:
            temporary.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
        print(f"written to {COMMITTED.relative_to(ROOT)}; `make pages` puts it on the page")


if __name__ == "__main__":
    main()
