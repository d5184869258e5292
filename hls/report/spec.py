"""What a configuration will do, from data alone: `make spec`. All figures are modelled, the cycles by
`hls.design.cycles`, per pixel of the network's input; frames and Mpixel/s are those of the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hls.design.boards import list_boards
from hls.design.cycles import frame_rate, limit_cycles_per_pixel, steady_cycles_per_pixel, tile_cycles
from hls.design.load import list_configs
from model.base.errors import report_user_errors
from model.base.report import table, write_report

if TYPE_CHECKING:
    from hls.design.config import Config

FRAMES = {"720p": (720, 1280), "1080p": (1080, 1920), "2160p": (2160, 3840)}
TILE = 128  # side of the tile whose cycles are told, edges included
WIDTHS = (64, 128, 256, 512, 960, 1920)  # of the tiles whose halo overhead is told, in pixels of the network's input


def halo_overhead(config: Config, height: int, width: int) -> float:
    """Cycles of a tile beyond the steady state of its pixels, as a share: what edges and halo cost."""
    return tile_cycles(config, height, width) / (height * width * steady_cycles_per_pixel(config)) - 1


def spec_rows(configs: list[Config]) -> list[dict]:
    """Return the rows of `spec.json`; `upscale` is None for a network that serves every factor, `efficiency` the share
    of the limit of the part's DSPs.
    """
    rows = []
    for config in configs:
        network, steady = config.network, steady_cycles_per_pixel(config)
        rows.append(
            {
                "board": config.board,
                "network": network.name,
                "upscale": network.upscale,
                "cycles_per_pixel": steady,
                f"cycles_per_pixel_{TILE}x{TILE}": tile_cycles(config, TILE, TILE) / TILE**2,
                "efficiency": limit_cycles_per_pixel(config) / steady,
                "mpixel_per_s": config.clock_mhz / steady * network.scale**2,
                **{f"fps_{name}": frame_rate(config, *size) for name, size in FRAMES.items()},
                "dsp": config.dsp,
                "products_per_dsp_cycle": network.macs_per_pixel * network.scale**2 / (steady * config.dsp),
            }
        )
    return rows


def halo_rows(configs: list[Config]) -> list[dict]:
    """Return the rows of `spec_halo.json`: halo overhead by tile width, of square tiles and of strips down a 1080p
    frame.

    `input_pixels` is the share of pixels that are sent beyond those of the picture, for a strip.
    """
    rows = []
    for config in configs:
        height, edge = FRAMES["1080p"][0] // config.network.scale, 2 * config.network.halo
        for width in sorted({*(w for w in WIDTHS if w < config.tile_width), min(config.tile_width, WIDTHS[-1])}):
            rows.append(
                {
                    "board": config.board,
                    "network": config.network.name,
                    "upscale": config.network.upscale,
                    "tile_width": width,
                    "square": halo_overhead(config, width, width),
                    "strip_1080": halo_overhead(config, height, width),
                    "input_pixels": (height + edge) * (width + edge) / (height * width) - 1,
                }
            )
    return rows


@click.command()
@report_user_errors
def main() -> None:
    """Print cycles and rates of every network on every board, and what the halo costs; write
    build/reports/spec.json.
    """
    configs = [config for board in list_boards() for config in list_configs(board)]
    rows, halo = spec_rows(configs), halo_rows(configs)
    print(table(rows))
    shares = ("square", "strip_1080", "input_pixels")
    print(
        "\ncycles beyond the steady state, by tile width: square tiles, strips of 1080 rows of the result; pixels sent "
        "beyond those of the picture, strips\n"
    )
    print(table([row | {share: f"{row[share]:.2%}" for share in shares} for row in halo]))
    print(f"modelled; written to {write_report('spec', rows)} and {write_report('spec_halo', halo)}")


if __name__ == "__main__":
    main()
