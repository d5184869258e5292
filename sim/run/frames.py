"""A whole frame of every network for video on its board, through the Verilog: bits and cycles: `make frames`.

A frame is a photograph of the size that gives 1080p on a small board, 2160p on a large one, computed with the committed
weights. Tiles in queues are measured beside it (`sim.run.queued`). What is done is kept in build/reports/frames.json
and not done again while Verilog, weights and bench are the same, so a run may be interrupted.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from hls.design.boards import list_boards
from hls.design.cycles import tile_cycles
from hls.design.load import list_configs
from hls.design.options import upscale_option
from hls.report.choose import result_size
from host.picture import pipeline
from model.base.cache import digest
from model.base.errors import UserError, report_user_errors
from model.base.paths import BUILD, ROOT, atomic_write
from model.base.report import table, write_report
from model.graph.network import UPSCALES
from model.graph.weights import weight_path
from sim.run import harness, queued
from sim.run.frame import Mismatch, run_frame
from sim.run.picture import photograph, prepared

if TYPE_CHECKING:
    from hls.design.config import Config

COMMITTED = ROOT / "docs" / "results" / "frames.json"
# Cycles of a whole frame per pixel of the network's input, edges included, at most: what 60 frames a second leave.
AT_MOST = {"pynq_z2": {2: 4.15, 3: 10.6, 4: 19.2}, "kv260": {2: 2.05, 3: 5.2, 4: 9.55}}
QUEUED = ((24, 32), (128, 128))
HERE = pathlib.Path(__file__).resolve().parent
BENCH = ("frame.cpp", "frame.py", "harness.py", "picture.py")


def frame_size(config: Config) -> tuple[int, int]:
    """Return rows and columns of the frame that a network is given on its board."""
    width, height = result_size(config.board)
    return height // config.network.scale, width // config.network.scale


def sources(config: Config, files: tuple[pathlib.Path, ...]) -> str:
    """Return the digest of all that decides a row: Verilog, weights, bench, golden model."""
    weights = weight_path(config.network.name, config.network.scale, quantised=True)
    ours = [*(HERE / name for name in BENCH), *sorted((ROOT / "model" / "integer").glob("*.py"))]
    return digest(config.name, [*files, weights, *ours])


def measure(config: Config, files: tuple[pathlib.Path, ...], seed: int = 1) -> dict:
    """Simulate a frame and queued tiles; return the frame's row, keep those of the tiles in cycles.json."""
    network, (height, width) = config.network, frame_size(config)
    model = pipeline.load_model(network.name, network.scale)
    program = harness.build_harness(config, files, "-O1")  # -O3 compiles for longer than a frame runs
    x = prepared(photograph(height, width), network, network.scale)
    label = f"{config.name} {width}x{height}"
    with tqdm(total=height * width, unit="pixel", unit_scale=True, desc=label, disable=None) as bar:
        try:
            found = run_frame(config, model, x, program, seed=seed, progress=lambda done: bar.update(done - bar.n))
        except Mismatch as error:
            found = {"complaint": str(error)}
    for size in QUEUED:
        queued.keep_row(queued.measure(config, program, *size, seed)[0])
    cycles = found.get("cycles")
    modelled = tile_cycles(config, height, width)
    return {
        "board": config.board,
        "network": network.name,
        "upscale": network.scale,
        "width": width,
        "height": height,
        "cycles": cycles,
        "cycles_modelled": modelled,
        "cycles_per_pixel": cycles and round(cycles / (height * width), 4),
        "at_most": AT_MOST.get(config.board, {}).get(network.scale),
        "clock_mhz": config.clock_mhz,
        "fps": cycles and round(config.clock_mhz * 1e6 / cycles, 2),
        "mpixel_per_s": cycles and round(config.clock_mhz * height * width * network.scale**2 / cycles, 1),
        "bit_exact": "complaint" not in found,
        "complaint": found.get("complaint"),
        "sources": sources(config, files),
    }


def wrong(row: dict) -> str | None:
    """Return what is wrong with a row: bits that differ, or too many cycles; None if all is right."""
    name = f"{row['network']} x{row['upscale']} on {row['board']}"
    if not row["bit_exact"]:
        return f"{name}: {row['complaint']}"
    if row["at_most"] and row["cycles"] > row["at_most"] * row["width"] * row["height"]:
        return f"{name}: {row['cycles_per_pixel']} cycles per pixel, at most {row['at_most']} were to be"
    return None


def _known(path):
    return json.loads(path.read_text()) if path.is_file() else []


def _key(row):
    return row["board"], row["upscale"], row["network"]


@click.command()
@click.option("--board", help="By default every board.")
@click.option("--network", help="By default all that a board folds for one factor.")
@upscale_option
@click.option(
    "--update-docs", is_flag=True, help="Write these rows into docs/results/frames.json; `make pages` makes the table."
)
@report_user_errors
def main(board: str | None, network: str | None, upscale: int | None, update_docs: bool) -> None:
    """Simulate a whole frame of every network for video; exit code 1 if a bit differs or a frame takes too long."""
    from sim.run.runner import open_sources

    configs = [config for name in ([board] if board else list_boards()) for config in list_configs(name)]
    configs = [
        config
        for config in configs
        if config.network.upscale in ([upscale] if upscale else UPSCALES) and network in (None, config.network.name)
    ]
    if not configs:
        raise UserError(
            f"no board folds {network or 'a network for video'}{f' x{upscale}' if upscale else ''}"
            f"{f' on {board}' if board else ''}; `make folding` proposes foldings for the board files"
        )
    path, rows = BUILD / "reports" / "frames.json", []
    for config in configs:
        files = open_sources(config)
        asked = config.board, config.network.scale, config.network.name
        row = next((row for row in _known(path) if _key(row) == asked), None)
        if row is None or not row["bit_exact"] or row["sources"] != sources(config, files):
            row = measure(config, files)
            others = [other for other in _known(path) if _key(other) != asked]
            write_report("frames", sorted([*others, row], key=_key))
        rows.append(row)
    shown = ["board", "network", "upscale", "width", "height", "cycles", "cycles_modelled", "cycles_per_pixel"]
    print(table(rows, [*shown, "at_most", "fps", "mpixel_per_s", "bit_exact"], floatfmt=".6g"))
    print(f"simulated; written to {path} and {path.with_name('cycles.json')}")
    complaints = [complaint for complaint in map(wrong, rows) if complaint]
    for complaint in complaints:
        print(f"FAIL {complaint}", file=sys.stderr)
    if update_docs and not complaints:
        folded = {(c.board, c.network.scale, c.network.name) for name in list_boards() for c in list_configs(name)}
        kept = {_key(row): row for row in _known(COMMITTED) if _key(row) in folded} | {_key(row): row for row in rows}
        lines = [json.dumps(kept[key]) for key in sorted(kept)]
        with atomic_write(COMMITTED) as temporary:
            temporary.write_text("[\n" + ",\n".join(lines) + "\n]\n")
        print(f"written to {COMMITTED.relative_to(ROOT)}; `make pages` puts it on the page")
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
