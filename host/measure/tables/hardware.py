"""What the hardware takes, computes and how fast: tables of README, performance and synthesis."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hls.design.boards import list_boards
from hls.design.cycles import limit_cycles_per_pixel, tile_cycles
from hls.design.load import list_configs, load_config
from hls.report.cost_fit import compare, recorded
from hls.report.occupancy import occupancy_rows
from hls.report.spec import FRAMES, TILE, WIDTHS, halo_rows, spec_rows
from model.base.paths import ROOT
from model.graph.description import DEFAULT_NETWORK
from model.quality.pages import headline, markdown, number, title

if TYPE_CHECKING:
    from hls.design.config import Config
    from model.quality.results import Results

WHOLE_FRAMES = ROOT / "docs" / "results" / "frames.json"  # `make frames ARGS=--update-docs`
NAMES = {"pynq_z2": "PYNQ-Z2", "kv260": "KV260"}  # of boards, as their makers write them


def called(board: str) -> str:
    """Return a board's name for readers."""
    return NAMES.get(board, board)


def configs(network: str | None = None) -> list[Config]:
    """Return the configurations of all boards, smallest first, with one network or with all that the board folds."""
    found = []
    for board in list_boards():
        found += [load_config(network, board)] if network else list_configs(board)
    return sorted(
        found, key=lambda config: (config.budget["dsp"], config.board, config.network.upscale or 0, config.network.name)
    )


def called_both(config: Config) -> str:
    """Return a configuration's name for readers: the board and the network, with its factor if it is for one."""
    factor = f" x{config.network.upscale}" if config.network.upscale else ""
    return f"{called(config.board)}, {title(config.network.name)}{factor}"


def synthesised() -> dict[str, dict]:
    """Return {board: what Yosys counted for the default network, as recorded}."""
    rows = compare([figure for figure in recorded() if figure["network"] == DEFAULT_NETWORK])
    return {row["board"]: row for row in rows if row["stage"] == "total"}


def numbers(results: Results) -> str:
    """Return README's region: quality, then speed and size of the default network on every board."""
    whole, rows = synthesised(), []
    for config in configs(DEFAULT_NETWORK):
        (spec,), counted = spec_rows([config]), whole.get(config.board)
        rows.append(
            [
                f"{called(config.board)}, {config.clock_mhz:g} MHz",
                spec["cycles_per_pixel"],
                f"{spec['products_per_dsp_cycle']:.2f}",
                f"{spec['mpixel_per_s']:.3g}",
                f"{spec['fps_1080p']:.3g}",
                *[counted and f"{counted[f'{what} Yosys']:,} of {config.budget[what]:,}" for what in ("dsp", "lut")],
            ]
        )
    header = [
        f"{title(DEFAULT_NETWORK)} on a board",
        "cycles per pixel (modelled; simulated within 1 %: `make sim`)",
        "products per DSP and cycle (modelled)",
        "Mpixel/s (modelled: `make spec`)",
        "1080p fps (modelled)",
        "DSPs (by Yosys: `make synth`)",
        "LUTs (by Yosys)",
    ]
    return "\n\n".join([headline(results), markdown(header, rows), video(results)])


def video(results: Results) -> str:
    """Return README's table of networks for video: rate and quality on every board and factor, of the one that does
    most for a pixel; docs/performance.md has them all.
    """
    rows, best = [], {}
    for config in configs():
        network = config.network
        if network.upscale and results.find(network.name, network.scale, "standard", "Set5", "mean", "golden"):
            known = best.setdefault((config.board, network.scale), config)
            if network.macs_per_pixel > known.network.macs_per_pixel:
                best[config.board, network.scale] = config
    for config in best.values():
        network, frame = config.network, "2160p" if config.budget["dsp"] > 500 else "1080p"
        (spec,) = spec_rows([config])
        height, width = (side // network.scale for side in FRAMES[frame])
        fixed = results.find(network.name, network.scale, "standard", "Set5", "mean", "golden")
        rows.append(
            [
                called_both(config),
                f"{network.macs_per_pixel:,.0f}",
                f"{width}x{height} to {frame}",
                f"{tile_cycles(config, height, width) / (height * width):.2f}",
                f"{spec[f'fps_{frame}']:.3g}",
                f"{spec['dsp']:,} of {config.budget['dsp']:,}",
                number(fixed),
            ]
        )
    header = [
        "for video",
        "products per pixel",
        "frames",
        "cycles per input pixel, whole frame (modelled; simulated within 2 %: `make frames`)",
        "fps (modelled)",
        "DSPs (modelled)",
        "Set5, 8-bit fixed point (measured), dB",
    ]
    return markdown(header, rows)


def whole_frames() -> str:
    """Return cycles of whole frames of video, from the Verilog, all bits compared."""
    rows = [
        [
            f"{called(row['board'])}, {row['network']} x{row['upscale']}",
            f"{row['width']}x{row['height']} to {row['width'] * row['upscale']}x{row['height'] * row['upscale']}",
            f"{row['cycles']:,}",
            f"{row['cycles'] / row['cycles_modelled'] - 1:.2%}",
            f"{row['cycles_per_pixel']:.3f}",
            f"{row['at_most']:g}",
            f"{row['clock_mhz']:g}",
            f"{row['mpixel_per_s']:.1f}",
            f"{row['fps']:.1f}",
        ]
        for row in sorted(json.loads(WHOLE_FRAMES.read_text()), key=lambda row: (row["clock_mhz"], row["upscale"]))
    ]
    header = [
        "a photograph through the Verilog, every bit compared (simulated: `make frames`)",
        "frame",
        "cycles",
        "more than modelled",
        "per input pixel, edges included",
        "at most, for 60 frames a second",
        "MHz",
        "Mpixel/s",
        "frames a second",
    ]
    return markdown(header, rows)


def rates() -> str:
    """Return cycles and rates of every network on every board."""
    rows = []
    for config in configs():
        (spec,) = spec_rows([config])
        rows.append(
            [
                called_both(config),
                f"{config.network.macs_per_pixel:,.0f}",
                f"{limit_cycles_per_pixel(config):.2f}",
                spec["cycles_per_pixel"],
                f"{spec['efficiency']:.0%}",
                f"{spec[f'cycles_per_pixel_{TILE}x{TILE}']:.4g}",
                f"{spec['dsp']:,} of {config.budget['dsp']:,}",
                f"{spec['products_per_dsp_cycle']:.2f}",
                f"{config.clock_mhz:g}",
                *[f"{spec[key]:.3g}" for key in ("mpixel_per_s", "fps_720p", "fps_1080p", "fps_2160p")],
            ]
        )
    return markdown(
        [
            "modelled: `make spec`",
            "products per output pixel",
            "limit, cycles per input pixel",
            "cycles per input pixel, steady state",
            "share of the limit",
            f"over a {TILE}x{TILE} tile, edges included",
            "DSPs",
            "products per DSP and cycle",
            "MHz",
            "Mpixel/s",
            "720p fps",
            "1080p fps",
            "2160p fps",
        ],
        rows,
    )


def idle() -> str:
    """Return where the product slots of the default network go, a table per board."""
    tables = []
    for config in configs(DEFAULT_NETWORK):
        layers, rows = {layer.name: layer for layer in config.network.layers}, []
        for row in occupancy_rows(config):
            layer = layers.get(row["stage"])
            what = (
                f"{layer.name} {layer.k}x{layer.k}, {layer.in_ch} -> {layer.out_ch}"
                if layer
                else {"none": "in no stage", "total": "all"}[row["stage"]]
            )
            lost = [row[share] for share in ("padding", "odd_channel", "waiting", "unused")]
            slots = row["products"] + sum(lost)
            rows.append(
                [
                    what,
                    layer and f"{row['pe']} x {row['simd']}",
                    f"{row['dsp']:,}",
                    row["cycles"],
                    f"{row['products']:,}",
                    *[f"{slot:,}" for slot in lost],
                    f"{sum(lost) / slots:.1%}" if row["products"] else None,
                ]
            )
        tables.append(
            markdown(
                [
                    f"{title(config.network.name)} on {called(config.board)}",
                    "PE x SIMD",
                    "DSPs",
                    "cycles",
                    "products",
                    "zero taps",
                    "no partner",
                    "waiting",
                    "unused",
                    "idle share",
                ],
                rows,
            )
        )
    return "\n\n".join(tables)


def edges() -> str:
    """Return the cycles that edges cost, by tile width."""
    rows = []
    for config in configs():
        *narrower, widest = halo_rows([config])
        shares = {row["tile_width"]: f"{row['strip_1080']:.2%}" for row in narrower}
        rows.append(
            [
                called_both(config),
                *[shares.get(width) for width in WIDTHS[:-1]],
                f"{widest['strip_1080']:.2%} at {widest['tile_width']}",
            ]
        )
    return markdown(
        [
            "cycles beyond the steady state, strips of 1080 rows of the result (modelled: `make spec`)",
            *[f"{width} wide" for width in WIDTHS[:-1]],
            "widest",
        ],
        rows,
    )


def model_table() -> str:
    """Return the cost model against Yosys, for the default network."""
    rows = []
    for row in compare([figure for figure in recorded() if figure["network"] == DEFAULT_NETWORK]):
        cells = [f"{row[what]:,.0f} for {row[f'{what} Yosys']:,}" for what in ("lut", "ff")]
        rows.append(
            [
                f"{called(row['board'])}, {row['stage']}",
                row["pe"] and f"{row['pe']} x {row['simd']}",
                *[f"{row[what]:,g} for {row[f'{what} Yosys']:,g}" for what in ("dsp", "bram36")],
                *cells,
            ]
        )
    return markdown(
        [
            f"{title(DEFAULT_NETWORK)}, modelled for counted (`python -m hls.report.cost_fit check`)",
            "PE x SIMD",
            "DSP",
            "BRAM36",
            "LUT",
            "FF",
        ],
        rows,
    )


def resources() -> str:
    """Return what Yosys counted for every network whose figures are kept, of what the boards have."""
    found = {
        (row["board"], row["network"], row["upscale"]): row for row in compare(recorded()) if row["stage"] == "total"
    }
    rows = []
    for config in configs():
        counted = found.get((config.board, config.network.name, config.network.upscale))
        if counted:
            cells = [(counted[f"{what} Yosys"], config.budget[what]) for what in ("dsp", "bram36", "lut", "ff")]
            rows.append(
                [called_both(config), *[f"{used:,g} of {there:,} ({used / there:.1%})" for used, there in cells]]
            )
    return markdown(["counted by Yosys (`make synth`)", "DSPs", "BRAM36", "LUTs", "flip-flops"], rows)
